namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>PING (RFC 9000 §19.2): asks for an acknowledgement and nothing else. It has no fields.</summary>
internal readonly record struct PingFrame
{
    /// <summary>Bytes on the wire.</summary>
    public const int EncodedLength = 1;

    /// <summary>Writes the type.</summary>
    public static void Write(ref WireWriter writer) => writer.WriteVarInt(FrameType.Ping);
}
