namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>HANDSHAKE_DONE (RFC 9000 §19.20): the server confirms the handshake. It has no fields.</summary>
internal readonly record struct HandshakeDoneFrame
{
    /// <summary>Bytes on the wire.</summary>
    public const int EncodedLength = 1;

    /// <summary>Writes the type.</summary>
    public static void Write(ref WireWriter writer) => writer.WriteVarInt(FrameType.HandshakeDone);
}
