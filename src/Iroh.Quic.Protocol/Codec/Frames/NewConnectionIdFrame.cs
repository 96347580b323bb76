using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>NEW_CONNECTION_ID (RFC 9000 §19.15): one more id under which the sender can be reached.</summary>
/// <param name="SequenceNumber">The id's place among those the sender issued, 0 to 2^62-1.</param>
/// <param name="RetirePriorTo">Ids with a smaller sequence number are to be retired; at most <paramref name="SequenceNumber"/>.</param>
/// <param name="ConnectionId">1 to 20 bytes.</param>
/// <param name="ResetToken">Ends a stateless reset sent to whoever uses this id.</param>
internal readonly record struct NewConnectionIdFrame(
    ulong SequenceNumber, ulong RetirePriorTo, ConnectionId ConnectionId, StatelessResetToken ResetToken)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out NewConnectionIdFrame frame)
    {
        frame = default;
        return type == FrameType.NewConnectionId && TryReadFields(ref reader, out frame);
    }

    /// <summary>Reads the fields from Sequence Number on, which PATH_NEW_CONNECTION_ID has as well.</summary>
    public static bool TryReadFields(scoped ref WireReader reader, out NewConnectionIdFrame frame)
    {
        frame = default;
        if (!reader.TryReadVarInt(out ulong sequenceNumber)
            || !reader.TryReadVarInt(out ulong retirePriorTo)
            || retirePriorTo > sequenceNumber // RFC 9000 §19.15: MUST be a FRAME_ENCODING_ERROR, as are the lengths below.
            || !reader.TryReadByte(out byte length)
            || length is 0 or > ConnectionId.MaxLength
            || !reader.TryReadBytes(length, out ReadOnlySpan<byte> id)
            || !reader.TryReadBytes(StatelessResetToken.Length, out ReadOnlySpan<byte> token))
            return false;
        frame = new NewConnectionIdFrame(sequenceNumber, retirePriorTo, new ConnectionId(id), new StatelessResetToken(token));
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => 1 + FieldsLength;

    /// <summary>Bytes of the fields on the wire.</summary>
    public int FieldsLength => VarInt.Length(SequenceNumber) + VarInt.Length(RetirePriorTo)
        + 1 + ConnectionId.Length + StatelessResetToken.Length;

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.NewConnectionId);
        WriteFields(ref writer);
    }

    /// <summary>Writes the fields.</summary>
    public void WriteFields(ref WireWriter writer)
    {
        writer.WriteVarInt(SequenceNumber);
        writer.WriteVarInt(RetirePriorTo);
        writer.WriteByte((byte)ConnectionId.Length);
        writer.WriteBytes(ConnectionId.Span);
        ResetToken.CopyTo(writer.Rest);
        writer.Advance(StatelessResetToken.Length);
    }
}
