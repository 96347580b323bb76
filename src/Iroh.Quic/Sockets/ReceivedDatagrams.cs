using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Sockets;

/// <summary>
/// What one receive call delivered from one sender: one datagram, or several that the kernel joined (UDP_GRO).
/// </summary>
/// <param name="path">The socket's own address, unspecified if it is not known, and the sender's.</param>
/// <param name="ecn">The ECN bits of the IP header, the same for all of them.</param>
/// <param name="payload">The datagrams one after the other. The span is the socket's and valid until its next receive.</param>
/// <param name="segmentSize">Length in bytes of each datagram; the last may be shorter. At least 1.</param>
internal readonly ref struct ReceivedDatagrams(FourTuple path, EcnCodepoint ecn, Span<byte> payload, int segmentSize)
{
    /// <summary>The two addresses.</summary>
    public FourTuple Path { get; } = path;

    /// <summary>The ECN bits of the IP header.</summary>
    public EcnCodepoint Ecn { get; } = ecn;

    /// <summary>The datagrams one after the other.</summary>
    public Span<byte> Payload { get; } = payload;

    /// <summary>Length in bytes of each datagram but the last, which may be shorter.</summary>
    public int SegmentSize { get; } = segmentSize;
}
