using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic;

/// <summary>Takes the datagrams on an endpoint's sockets that are not QUIC: those whose fixed bit is 0, such as STUN (RFC 9443 §3).</summary>
public interface IDatagramSink
{
    /// <summary>Takes one. Called by a receiving thread; must not block, and must not throw.</summary>
    /// <param name="path">Where it came from, and the local address if the socket knows it. The sender's address is not proven.</param>
    /// <param name="datagram">1 to 65,535 bytes from the network, valid during the call only.</param>
    void OnDatagram(FourTuple path, ReadOnlySpan<byte> datagram);
}
