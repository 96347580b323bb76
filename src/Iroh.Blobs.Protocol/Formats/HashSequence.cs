using System.Collections;

namespace Iroh.Blobs.Formats;

/// <summary>A blob that is a list of hashes, 32 bytes each. Reads them from the bytes as they are asked for.</summary>
public sealed class HashSequence : IReadOnlyList<BlobHash>
{
    /// <summary>The largest hash sequence that is loaded: a million children.</summary>
    public const int LengthMax = 1024 * 1024 * BlobHash.Length;

    private readonly ReadOnlyMemory<byte> _bytes;

    private HashSequence(ReadOnlyMemory<byte> bytes) => _bytes = bytes;

    /// <summary>The blob itself.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes;

    /// <summary>Hashes in it.</summary>
    public int Count => _bytes.Length / BlobHash.Length;

    /// <summary>The hash at a position from 0 to before <see cref="Count"/>.</summary>
    public BlobHash this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count);
            return new BlobHash(_bytes.Span.Slice(index * BlobHash.Length, BlobHash.Length));
        }
    }

    /// <summary>A sequence over the bytes of a blob, which must not change any more.</summary>
    /// <returns>False unless the length is a multiple of 32 and at most <see cref="LengthMax"/>.</returns>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, out HashSequence sequence)
    {
        bool fits = bytes.Length <= LengthMax && bytes.Length % BlobHash.Length == 0;
        sequence = new HashSequence(fits ? bytes : default);
        return fits;
    }

    /// <summary>A sequence of some hashes.</summary>
    public static HashSequence From(IEnumerable<BlobHash> hashes)
    {
        ArgumentNullException.ThrowIfNull(hashes);
        var bytes = new List<byte>();
        foreach (BlobHash hash in hashes)
            bytes.AddRange(hash.ToArray());
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Count, LengthMax, nameof(hashes));
        return new HashSequence(bytes.ToArray());
    }

    /// <inheritdoc/>
    public IEnumerator<BlobHash> GetEnumerator()
    {
        for (int i = 0; i < Count; i++)
            yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
