using System.Globalization;

namespace Iroh.Quic.Protocol.Primitives;

/// <summary>
/// Names one path of a connection (draft-ietf-quic-multipath-21 §3): its packet number space, its connection ids and its
/// acknowledgements. A connection without multipath has exactly path 0.
/// </summary>
public readonly record struct PathId(uint Value) : IComparable<PathId>
{
    /// <summary>The path of the handshake, and the only one without multipath.</summary>
    public static PathId Zero => default;

    /// <inheritdoc/>
    public int CompareTo(PathId other) => Value.CompareTo(other.Value);
}

/// <summary>A packet number (RFC 9000 §12.3), 0 to 2^62-1, within the packet number space of one path and level.</summary>
public readonly record struct PacketNumber(ulong Value) : IComparable<PacketNumber>
{
    /// <summary>The largest packet number; a space that has reached it is used up.</summary>
    public static PacketNumber Max => new(VarIntMax);

    private const ulong VarIntMax = (1UL << 62) - 1;

    /// <summary>The number after this one.</summary>
    public PacketNumber Next => new(Value + 1);

    /// <summary>The number in decimal. The text a record makes by itself would show <see cref="Next"/>, and its next, without end.</summary>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public int CompareTo(PacketNumber other) => Value.CompareTo(other.Value);
}

/// <summary>Which end of a connection: who sent the first Initial, and who answered.</summary>
public enum Side
{
    /// <summary>The end that dialled.</summary>
    Client,

    /// <summary>The end that accepted.</summary>
    Server,
}

/// <summary>Whether one or both ends send on a stream (RFC 9000 §2.1).</summary>
public enum StreamDirection
{
    /// <summary>Both ends send.</summary>
    Bidirectional,

    /// <summary>Only the end that opened it sends.</summary>
    Unidirectional,
}

/// <summary>A stream id (RFC 9000 §2.1): bit 0 says who opened it, bit 1 the direction, the rest is a counter.</summary>
public readonly record struct StreamId(ulong Value) : IComparable<StreamId>
{
    /// <summary>The id of the <paramref name="index"/>th stream (from 0) of that direction opened by <paramref name="initiator"/>.</summary>
    public static StreamId Create(Side initiator, StreamDirection direction, ulong index) =>
        new((index << 2) | (direction == StreamDirection.Unidirectional ? 2UL : 0) | (initiator == Side.Server ? 1UL : 0));

    /// <summary>Who opened the stream.</summary>
    public Side Initiator => (Value & 1) == 0 ? Side.Client : Side.Server;

    /// <summary>Who sends on it.</summary>
    public StreamDirection Direction => (Value & 2) == 0 ? StreamDirection.Bidirectional : StreamDirection.Unidirectional;

    /// <summary>The place among the streams of the same initiator and direction, from 0.</summary>
    public ulong Index => Value >> 2;

    /// <inheritdoc/>
    public int CompareTo(StreamId other) => Value.CompareTo(other.Value);
}

/// <summary>The two ECN bits of an IP header (RFC 3168 §5).</summary>
public enum EcnCodepoint : byte
{
    /// <summary>The sender or the socket does not take part.</summary>
    NotEct = 0,

    /// <summary>ECN-capable transport, codepoint 1.</summary>
    Ect1 = 1,

    /// <summary>ECN-capable transport, codepoint 0: what QUIC marks its packets with.</summary>
    Ect0 = 2,

    /// <summary>A router on the way was congested.</summary>
    CongestionExperienced = 3,
}
