using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>STREAMS_BLOCKED (RFC 9000 §19.14): the sender wants to open more streams than its limit allows.</summary>
/// <param name="Direction">The streams that are counted.</param>
/// <param name="Limit">The limit that holds it back, 0 to 2^60.</param>
internal readonly record struct StreamsBlockedFrame(StreamDirection Direction, ulong Limit)
{
    /// <summary>Most streams of one direction: the id of a later one would not fit into 62 bits (RFC 9000 §19.14).</summary>
    public const ulong CountMax = 1UL << 60;

    /// <summary>Reads the field behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out StreamsBlockedFrame frame)
    {
        frame = default;
        if (type is not (FrameType.StreamsBlockedBidirectional or FrameType.StreamsBlockedUnidirectional)
            || !reader.TryReadVarInt(out ulong value)
            || value > CountMax) // RFC 9000 §19.14: MUST be refused.
            return false;
        frame = new StreamsBlockedFrame(
            type == FrameType.StreamsBlockedBidirectional ? StreamDirection.Bidirectional : StreamDirection.Unidirectional, value);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => 1 + VarInt.Length(Limit);

    /// <summary>Writes type and field.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(
            Direction == StreamDirection.Bidirectional ? FrameType.StreamsBlockedBidirectional : FrameType.StreamsBlockedUnidirectional);
        writer.WriteVarInt(Limit);
    }
}
