using System.Buffers.Binary;
using Blixard.Rpc.Calls;

namespace Blixard.Rpc.Frames;

/// <summary>The 24 bytes before each payload (docs/protocols/rpc-frames.md):
/// version, type, payload length (u32 big-endian), request id (16 bytes), flags (u16 big-endian).</summary>
/// <param name="Type">What the frame is.</param>
/// <param name="Flags">Its flags.</param>
/// <param name="PayloadLength">Length of the payload in bytes, 0..<see cref="RpcLimits.MessageLengthMax"/>.</param>
/// <param name="RequestId">The call it belongs to: a random UUID in network byte order.</param>
public readonly record struct FrameHeader(FrameType Type, FrameFlags Flags, int PayloadLength, Guid RequestId)
{
    /// <summary>Length of the encoded header in bytes.</summary>
    public const int Length = 24;

    /// <summary>The protocol's version.</summary>
    public const byte Version = 1;

    /// <summary>Reads a header.</summary>
    /// <param name="bytes">At least <see cref="Length"/> bytes.</param>
    /// <param name="header">The header, when nothing is wrong with it.</param>
    /// <returns>What is wrong.</returns>
    public static FrameError TryRead(ReadOnlySpan<byte> bytes, out FrameHeader header)
    {
        header = default;
        if (bytes.Length < Length)
            return FrameError.Truncated;
        if (bytes[0] != Version)
            return FrameError.UnsupportedVersion;
        var type = (FrameType)bytes[1];
        if (type is < FrameType.Request or > FrameType.Pong)
            return FrameError.UnknownType;
        uint length = BinaryPrimitives.ReadUInt32BigEndian(bytes[2..]);
        if (length > RpcLimits.MessageLengthMax)
            return FrameError.PayloadTooLong;
        var flags = (FrameFlags)BinaryPrimitives.ReadUInt16BigEndian(bytes[22..]);
        if (flags != FrameFlags.None && (flags is not (FrameFlags.RequestsFollow or FrameFlags.BytesFollow) || type != FrameType.Request))
            return FrameError.UnknownFlags;
        header = new FrameHeader(type, flags, (int)length, new Guid(bytes.Slice(6, 16), bigEndian: true));
        return FrameError.None;
    }

    /// <summary>Writes the header to the first <see cref="Length"/> bytes.</summary>
    public void Write(Span<byte> destination)
    {
        destination = destination[..Length];
        destination[0] = Version;
        destination[1] = (byte)Type;
        BinaryPrimitives.WriteUInt32BigEndian(destination[2..], (uint)PayloadLength);
        RequestId.TryWriteBytes(destination.Slice(6, 16), bigEndian: true, out _);
        BinaryPrimitives.WriteUInt16BigEndian(destination[22..], (ushort)Flags);
    }
}
