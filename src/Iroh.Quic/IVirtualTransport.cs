using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic;

/// <summary>
/// Another way for datagrams than UDP, such as a relay. What it receives goes to <see cref="QuicEndpoint.Deliver"/>; what an endpoint has for
/// a virtual address comes here.
/// </summary>
public interface IVirtualTransport
{
    /// <summary>
    /// Sends datagrams. Called by any thread, also under load by several at once; must not block, and must not throw: what does not fit
    /// into a queue is lost, as it could be on the network.
    /// </summary>
    /// <param name="remote">A virtual address that the transport's owner gave out.</param>
    /// <param name="ecn">The mark that an IP packet would have.</param>
    /// <param name="payload">Datagrams of <paramref name="segmentSize"/> bytes one after the other, the last may be shorter; at most 65,000
    /// bytes in all. Valid during the call only.</param>
    /// <param name="segmentSize">At least 1.</param>
    void Send(NetworkAddress remote, EcnCodepoint ecn, ReadOnlySpan<byte> payload, int segmentSize);
}
