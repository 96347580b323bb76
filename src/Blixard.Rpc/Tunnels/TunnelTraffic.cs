namespace Blixard.Rpc.Tunnels;

/// <summary>The bytes of all tunnels of one kind. Thread-safe: each piece that passes is counted here, so that is all it costs; the meter
/// reads the sums when somebody asks for them.</summary>
internal sealed class TunnelTraffic
{
    private long _sent;
    private long _received;

    /// <summary>Bytes of local connections that went to peers.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    /// <summary>Bytes of peers that went to local connections.</summary>
    public long Received => Interlocked.Read(ref _received);

    public void AddSent(int length) => Interlocked.Add(ref _sent, length);

    public void AddReceived(int length) => Interlocked.Add(ref _received, length);
}
