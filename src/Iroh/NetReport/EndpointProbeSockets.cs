using System.Net;
using Iroh.Quic;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.NetReport;

/// <summary>
/// The sockets of a QUIC endpoint as probe sockets. Made before the endpoint, as its <see cref="QuicEndpointOptions.OtherDatagrams"/>, and
/// attached to it afterwards; until then nothing can be sent. Thread-safe.
/// </summary>
internal sealed class EndpointProbeSockets : IProbeSockets, IDatagramSink
{
    private QuicEndpoint? _endpoint;

    /// <inheritdoc/>
    public event ProbeDatagramHandler? Received;

    /// <inheritdoc/>
    public IReadOnlyList<IPEndPoint> LocalEndPoints => Volatile.Read(ref _endpoint)?.LocalEndPoints ?? [];

    /// <summary>The endpoint is there. Not owned.</summary>
    public void Attach(QuicEndpoint endpoint) => Volatile.Write(ref _endpoint, endpoint);

    /// <inheritdoc/>
    public bool TrySend(IPEndPoint to, ReadOnlySpan<byte> datagram)
    {
        try
        {
            return Volatile.Read(ref _endpoint)?.SendDatagram(new FourTuple(default, NetworkAddress.From(to)), datagram) == true;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public void OnDatagram(FourTuple path, ReadOnlySpan<byte> datagram)
    {
        // What came over a relay is no answer to a probe.
        if (!path.Remote.IsVirtual)
            Received?.Invoke(path.Remote.ToIPEndPoint(), datagram);
    }
}
