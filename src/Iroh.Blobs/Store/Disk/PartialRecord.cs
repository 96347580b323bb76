using Iroh.Base.Serialization;
using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Store.Disk;

/// <summary>
/// What is written down of a partial blob: <c>blpart1\n</c>, one byte that says whether nothing came after it, the BLAKE3 hash of the rest (32
/// bytes), and in postcard the size and the boundaries of the chunks that are here. No I/O.
/// </summary>
internal static class PartialRecord
{
    /// <summary>Where the byte is that is changed in place.</summary>
    public const int StateOffset = 8;

    /// <summary>Nothing was written after the record.</summary>
    public const byte Clean = (byte)'C';

    /// <summary>More may be here than the record says.</summary>
    public const byte Dirty = (byte)'D';

    /// <summary>
    /// Bytes of the longest record that is read, 256 MiB: gaps between all groups of a blob of 512 GiB. A longer one is not believed, and what
    /// it told is found by hashing.
    /// </summary>
    public const int LengthMax = 256 << 20;

    private const int HeaderLength = StateOffset + 1 + BlobHash.Length;

    private static ReadOnlySpan<byte> Magic => "blpart1\n"u8;

    public static byte[] Write(ulong size, ChunkRanges present, bool isClean)
    {
        var body = new PostcardWriter();
        body.WriteVarint(size);
        body.WriteVarint((ulong)present.Boundaries.Length);
        foreach (ulong boundary in present.Boundaries)
            body.WriteVarint(boundary);
        return [.. Magic, isClean ? Clean : Dirty, .. BlobHash.Of(body.Written).ToArray(), .. body.Written];
    }

    /// <summary>Reads a record.</summary>
    /// <returns>Null if it is torn or damaged.</returns>
    public static (BlobBitfield Bitfield, bool IsClean)? TryRead(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < HeaderLength || !bytes.StartsWith(Magic))
            return null;
        ReadOnlySpan<byte> body = bytes[HeaderLength..];
        if (BlobHash.Of(body) != new BlobHash(bytes[(StateOffset + 1)..HeaderLength]))
            return null;
        var reader = new PostcardReader(body);
        if (!reader.TryReadUInt64(out ulong size) || size is 0 or > BlobStoreOptions.BlobSizeMax || !reader.TryReadUInt64(out ulong count)
            || count % 2 != 0 || count > (ulong)reader.Remaining)
            return null;
        var boundaries = new ulong[count];
        for (int i = 0; i < boundaries.Length; i++)
            if (!reader.TryReadUInt64(out boundaries[i]))
                return null;
        if (!ChunkRanges.TryFromBoundaries(boundaries, out ChunkRanges present) || (count > 0 && boundaries[^1] > BaoTree.ChunkCount(size)))
            return null;
        return (new BlobBitfield(size, present.Contains(BaoTree.LastChunk(size)), present), bytes[StateOffset] == Clean);
    }
}
