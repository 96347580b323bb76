using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;
using Iroh.Blobs;

namespace Iroh.Docs;

/// <summary>What an entry says: which content its key has since when. Records are ordered by time, then hash; the length does not count.</summary>
/// <param name="Length">Bytes of the content, by the author's word; zero exactly for the empty hash.</param>
/// <param name="Hash">The content.</param>
/// <param name="Timestamp">When, by the author's clock.</param>
[SuppressMessage("Design", "CA1036", Justification = "Operators would suggest that records that are not less are equal; the length does not take part in the order.")]
public readonly record struct EntryRecord(ulong Length, BlobHash Hash, EntryTimestamp Timestamp) : IComparable<EntryRecord>
{
    /// <summary>Whether this is a deletion (a tombstone): no content.</summary>
    public bool IsEmpty => Length == 0 && Hash == BlobHash.Empty;

    /// <summary>Whether the length is zero exactly if the hash is that of no bytes.</summary>
    public bool IsConsistent => (Length == 0) == (Hash == BlobHash.Empty);

    /// <summary>The record of a deletion.</summary>
    public static EntryRecord Tombstone(EntryTimestamp timestamp) => new(0, BlobHash.Empty, timestamp);

    /// <summary>Reads the wire form: length, hash, timestamp.</summary>
    public static bool TryRead(ref PostcardReader reader, out EntryRecord record)
    {
        record = default;
        if (!reader.TryReadUInt64(out ulong length)
            || !reader.TryReadFixed(BlobHash.Length, out ReadOnlySpan<byte> hash)
            || !reader.TryReadUInt64(out ulong timestamp))
            return false;
        record = new EntryRecord(length, new BlobHash(hash), new EntryTimestamp(timestamp));
        return true;
    }

    /// <summary>Appends the wire form.</summary>
    public void Write(PostcardWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteVarint(Length);
        writer.WriteFixed(Hash.ToArray());
        writer.WriteVarint(Timestamp.Microseconds);
    }

    /// <summary>By time, then by hash: of two records for one key the greater stands.</summary>
    public int CompareTo(EntryRecord other)
    {
        int byTime = Timestamp.CompareTo(other.Timestamp);
        return byTime != 0 ? byTime : Hash.CompareTo(other.Hash);
    }
}
