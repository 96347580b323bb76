namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>NEW_TOKEN (RFC 9000 §19.7): a token for the client's next connection. Points into the packet's buffer.</summary>
internal readonly ref struct NewTokenFrame
{
    /// <summary>A frame of this token, which stays the caller's.</summary>
    /// <param name="token">At least one byte.</param>
    public NewTokenFrame(ReadOnlySpan<byte> token) => Token = token;

    /// <summary>The token, at least one byte.</summary>
    public ReadOnlySpan<byte> Token { get; }

    /// <summary>Reads the fields behind the type. False: FRAME_ENCODING_ERROR.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out NewTokenFrame frame)
    {
        frame = default;
        if (type != FrameType.NewToken
            || !reader.TryReadVarIntPrefixed(out ReadOnlySpan<byte> token)
            || token.IsEmpty) // RFC 9000 §19.7: an empty token MUST be a FRAME_ENCODING_ERROR.
            return false;
        frame = new NewTokenFrame(token);
        return true;
    }

    /// <summary>Bytes on the wire, type included.</summary>
    public int EncodedLength => 1 + VarInt.Length((ulong)Token.Length) + Token.Length;

    /// <summary>Writes type and fields.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.WriteVarInt(FrameType.NewToken);
        writer.WriteVarIntPrefixed(Token);
    }
}
