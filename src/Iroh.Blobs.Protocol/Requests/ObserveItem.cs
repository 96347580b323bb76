using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;
using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Requests;

/// <summary>
/// What there is of a blob: the first item all of it, later ones what has changed since. A receiver adds what it is told. Nothing in it
/// is proven.
/// </summary>
/// <param name="Size">The size as far as it is known, in bytes.</param>
/// <param name="Ranges">The chunks; all of them for a complete blob.</param>
public sealed record ObserveItem(ulong Size, ChunkRanges Ranges)
{
    /// <summary>Reads a frame's body, which follows its length (<see cref="BlobProtocol.ReadFrameHeader"/>).</summary>
    public static bool TryRead(ReadOnlySpan<byte> body, [NotNullWhen(true)] out ObserveItem? item)
    {
        item = null;
        var reader = new PostcardReader(body);
        if (!reader.TryReadUInt64(out ulong size) || !ChunkRangesCodec.TryReadChunks(ref reader, out ChunkRanges ranges))
            return false;
        item = new ObserveItem(size, ranges);
        return true;
    }

    /// <summary>The frame: the body's length, then the body.</summary>
    public byte[] ToFrame()
    {
        var body = new PostcardWriter();
        body.WriteVarint(Size);
        ChunkRangesCodec.WriteChunks(body, Ranges);
        var writer = new PostcardWriter();
        writer.WriteBytes(body.Written);
        return writer.ToArray();
    }
}
