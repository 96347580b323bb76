using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>
/// What was written into the caller's buffer: one datagram, or several of one size that a driver may hand to the kernel in a
/// single call (UDP_SEGMENT).
/// </summary>
/// <param name="Path">Where to send it. <see cref="FourTuple.Local"/> is the source address to use, unspecified if any will do.</param>
/// <param name="Length">Bytes written to the buffer, at least 1.</param>
/// <param name="SegmentSize">
/// The size of every datagram but the last, which may be shorter. Equal to <paramref name="Length"/> if there is one datagram.
/// </param>
/// <param name="Ecn">The codepoint to mark all of them with (RFC 9000 §13.4).</param>
public readonly record struct Transmit(FourTuple Path, int Length, int SegmentSize, EcnCodepoint Ecn)
{
    /// <summary>Number of datagrams.</summary>
    public int SegmentCount => (Length + SegmentSize - 1) / SegmentSize;
}
