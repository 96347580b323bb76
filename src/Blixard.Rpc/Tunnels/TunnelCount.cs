using System.Diagnostics;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;

namespace Blixard.Rpc.Tunnels;

/// <summary>What one open tunnel adds to the meters. Its two directions may count at the same time.</summary>
internal sealed class TunnelCount
{
    private readonly RpcMetrics? _metrics;
    private readonly TunnelTraffic? _traffic;
    private readonly TagList _tags;

    /// <summary>Counts a tunnel as opened.</summary>
    public TunnelCount(RpcMetrics? metrics, string target, RpcTransport transport, string side)
    {
        _metrics = metrics;
        _traffic = metrics?.TrafficOf(target, transport, side);
        _tags = [new("target", target), new("transport", RpcMetrics.NameOf(transport)), new("side", side)];
        metrics?.TunnelOpened(_tags);
    }

    public void AddSent(int length) => _traffic?.AddSent(length);

    public void AddReceived(int length) => _traffic?.AddReceived(length);

    /// <summary>Counts it as closed; once.</summary>
    public void Close() => _metrics?.TunnelClosed(_tags);
}
