namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>ACK_FREQUENCY (draft-ietf-quic-ack-frequency-07 §4): how often the sender of the frame would like to be acknowledged.</summary>
/// <param name="SequenceNumber">The frame with the largest number holds, 0 to 2^62-1.</param>
/// <param name="AckElicitingThreshold">How many ack-eliciting packets need no acknowledgement at once.</param>
/// <param name="RequestedMaxAckDelayMicroseconds">How long an acknowledgement may be held back.</param>
/// <param name="ReorderingThreshold">From which gap on a missing packet is acknowledged around at once; 0: never.</param>
internal readonly record struct AckFrequencyFrame(
    ulong SequenceNumber, ulong AckElicitingThreshold, ulong RequestedMaxAckDelayMicroseconds, ulong ReorderingThreshold)
{
    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out AckFrequencyFrame frame)
    {
        frame = default;
        if (type != FrameType.AckFrequency
            || !reader.TryReadVarInt(out ulong sequenceNumber)
            || !reader.TryReadVarInt(out ulong threshold)
            || !reader.TryReadVarInt(out ulong delay)
            || !reader.TryReadVarInt(out ulong reordering))
            return false;
        frame = new AckFrequencyFrame(sequenceNumber, threshold, delay, reordering);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => VarInt.Length(FrameType.AckFrequency) + VarInt.Length(SequenceNumber)
        + VarInt.Length(AckElicitingThreshold) + VarInt.Length(RequestedMaxAckDelayMicroseconds) + VarInt.Length(ReorderingThreshold);

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.AckFrequency);
        writer.WriteVarInt(SequenceNumber);
        writer.WriteVarInt(AckElicitingThreshold);
        writer.WriteVarInt(RequestedMaxAckDelayMicroseconds);
        writer.WriteVarInt(ReorderingThreshold);
    }
}
