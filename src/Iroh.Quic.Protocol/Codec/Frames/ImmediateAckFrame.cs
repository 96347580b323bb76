namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>IMMEDIATE_ACK (draft-ietf-quic-ack-frequency-07 §5): asks for an acknowledgement without delay. It has no fields.</summary>
internal readonly record struct ImmediateAckFrame
{
    /// <summary>Bytes on the wire.</summary>
    public const int EncodedLength = 1;

    /// <summary>Writes the type.</summary>
    public static void Write(ref WireWriter writer) => writer.WriteVarInt(FrameType.ImmediateAck);
}
