namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>
/// A run of PADDING frames (RFC 9000 §19.1). Each is one zero byte; a packet may hold a thousand, so they are read and written
/// as one.
/// </summary>
/// <param name="Length">Number of PADDING frames, at least 1; also their length in bytes, the type byte included.</param>
internal readonly record struct PaddingFrame(int Length)
{
    /// <summary>Reads the rest of the run whose first zero byte was the type.</summary>
    public static bool TryRead(scoped ref WireReader reader, ulong type, out PaddingFrame frame)
    {
        int more = reader.Rest.IndexOfAnyExcept((byte)0);
        if (more < 0)
            more = reader.Remaining;
        frame = new PaddingFrame(more + 1);
        return type == FrameType.Padding && reader.TryReadBytes((ulong)more, out _);
    }

    /// <summary>Bytes on the wire.</summary>
    public int EncodedLength => Length;

    /// <summary>Writes <see cref="Length"/> zero bytes.</summary>
    public void Write(ref WireWriter writer)
    {
        writer.Rest[..Length].Clear();
        writer.Advance(Length);
    }
}
