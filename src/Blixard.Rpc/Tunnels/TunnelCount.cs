using System.Diagnostics;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;

namespace Blixard.Rpc.Tunnels;

/// <summary>What one open tunnel adds to the meters. Its two directions may count at the same time.</summary>
internal sealed class TunnelCount
{
    private readonly RpcMetrics? _metrics;
    private readonly TagList _tags, _sent, _received;

    /// <summary>Counts a tunnel as opened.</summary>
    public TunnelCount(RpcMetrics? metrics, string target, RpcTransport transport, string side)
    {
        _metrics = metrics;
        _tags = [new("target", target), new("transport", RpcMetrics.NameOf(transport)), new("side", side)];
        _sent = _tags;
        _sent.Add("direction", "sent");
        _received = _tags;
        _received.Add("direction", "received");
        metrics?.TunnelOpened(_tags);
    }

    public void AddSent(int length) => _metrics?.TunnelBytes(_sent, length);

    public void AddReceived(int length) => _metrics?.TunnelBytes(_received, length);

    /// <summary>Counts it as closed; once.</summary>
    public void Close() => _metrics?.TunnelClosed(_tags);
}
