using System.Text;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>CONNECTION_CLOSE (RFC 9000 §19.19), of the transport (0x1c) or of the application (0x1d). Points into the packet's buffer.</summary>
internal readonly ref struct ConnectionCloseFrame
{
    private ConnectionCloseFrame(bool isApplication, ulong errorCode, ulong frameType, ReadOnlySpan<byte> reason)
    {
        IsApplication = isApplication;
        ErrorCode = errorCode;
        FrameType = frameType;
        Reason = reason;
    }

    /// <summary>Whether the application closed; the code is then the application's.</summary>
    public bool IsApplication { get; }

    /// <summary>A <see cref="TransportErrorCode"/> or the application's code, 0 to 2^62-1.</summary>
    public ulong ErrorCode { get; }

    /// <summary>The type of the frame that caused the error, 0 if unknown; always 0 when the application closed.</summary>
    public ulong FrameType { get; }

    /// <summary>Text for people, meant to be UTF-8 but as the peer sent it; may be empty.</summary>
    public ReadOnlySpan<byte> Reason { get; }

    /// <summary>A close by the transport.</summary>
    public static ConnectionCloseFrame Transport(ulong errorCode, ulong frameType, ReadOnlySpan<byte> reason) =>
        new(false, errorCode, frameType, reason);

    /// <summary>A close by the application.</summary>
    public static ConnectionCloseFrame Application(ulong errorCode, ReadOnlySpan<byte> reason) => new(true, errorCode, 0, reason);

    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out ConnectionCloseFrame frame)
    {
        frame = default;
        ulong frameType = 0;
        bool isApplication = type == Frames.FrameType.ApplicationClose;
        if ((!isApplication && type != Frames.FrameType.ConnectionClose)
            || !reader.TryReadVarInt(out ulong errorCode)
            || (!isApplication && !reader.TryReadVarInt(out frameType))
            || !reader.TryReadVarIntPrefixed(out ReadOnlySpan<byte> reason))
            return false;
        frame = new ConnectionCloseFrame(isApplication, errorCode, frameType, reason);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => FixedLength + VarInt.Length((ulong)Reason.Length) + Reason.Length;

    /// <summary>The same close with its reason cut, between two characters of UTF-8, to fit into <paramref name="space"/> bytes.</summary>
    /// <param name="space">At least 26: with less even an empty reason may not fit.</param>
    public ConnectionCloseFrame TruncateTo(int space)
    {
        if (EncodedLength <= space)
            return this;
        int length = Math.Min(Reason.Length, LengthPrefix.DataLengthMax(space - FixedLength));
        while (length > 0 && length < Reason.Length && (Reason[length] & 0xc0) == 0x80)
            length--;
        return new ConnectionCloseFrame(IsApplication, ErrorCode, FrameType, Reason[..length]);
    }

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(IsApplication ? Frames.FrameType.ApplicationClose : Frames.FrameType.ConnectionClose);
        writer.WriteVarInt(ErrorCode);
        if (!IsApplication)
            writer.WriteVarInt(FrameType);
        writer.WriteVarIntPrefixed(Reason);
    }

    /// <summary>The reason as text; bytes that are not UTF-8 become U+FFFD.</summary>
    public string ReasonText => Encoding.UTF8.GetString(Reason);

    private int FixedLength => 1 + VarInt.Length(ErrorCode) + (IsApplication ? 0 : VarInt.Length(FrameType));
}
