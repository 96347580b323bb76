using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;

namespace Iroh.Blobs.Formats;

/// <summary>One named blob of a <see cref="Collection"/>.</summary>
/// <param name="Name">Any text; for files, the path below the folder, with <c>/</c> between its parts. A peer's name proves nothing: it
/// may be empty, absolute, or lead upwards.</param>
/// <param name="Hash">The content.</param>
public readonly record struct CollectionEntry(string Name, BlobHash Hash);

/// <summary>
/// Named blobs as iroh keeps them: a hash sequence whose first hash is that of a blob with the names, and whose others are those of the
/// contents in the same order. Immutable.
/// </summary>
/// <param name="Entries">The blobs, in their order; a name may occur twice.</param>
public sealed record Collection(ImmutableArray<CollectionEntry> Entries)
{
    /// <summary>The largest blob of names that is read: a million names of 64 bytes.</summary>
    public const int NamesLengthMax = 64 * 1024 * 1024;

    private static ReadOnlySpan<byte> Header => "CollectionV0."u8;

    /// <summary>Puts a collection together from its two blobs.</summary>
    /// <param name="sequence">The hash sequence.</param>
    /// <param name="names">The blob that the first hash names, at most <see cref="NamesLengthMax"/> bytes.</param>
    /// <param name="collection">The collection.</param>
    /// <returns>False if the blob is not a list of names, or not of as many as there are hashes.</returns>
    public static bool TryRead(HashSequence sequence, ReadOnlySpan<byte> names, [NotNullWhen(true)] out Collection? collection)
    {
        ArgumentNullException.ThrowIfNull(sequence);
        collection = null;
        if (names.Length > NamesLengthMax || !names.StartsWith(Header))
            return false;
        var reader = new PostcardReader(names[Header.Length..]);
        if (!reader.TryReadUInt64(out ulong count) || sequence.Count == 0 || count != (ulong)sequence.Count - 1)
            return false;
        var entries = ImmutableArray.CreateBuilder<CollectionEntry>((int)count);
        for (int i = 0; i < (int)count; i++)
        {
            if (!reader.TryReadString(out string name))
                return false;
            entries.Add(new CollectionEntry(name, sequence[i + 1]));
        }

        collection = new Collection(entries.MoveToImmutable());
        return true;
    }

    /// <summary>The blob of the names, which is stored like any other.</summary>
    public byte[] NamesToBytes()
    {
        var writer = new PostcardWriter();
        writer.WriteFixed(Header);
        writer.WriteVarint((ulong)Entries.Length);
        foreach (CollectionEntry entry in Entries)
            writer.WriteString(entry.Name);
        return writer.ToArray();
    }

    /// <summary>The hash sequence, whose hash is that of the collection.</summary>
    public HashSequence ToHashSequence() =>
        HashSequence.From(Entries.Select(entry => entry.Hash).Prepend(BlobHash.Of(NamesToBytes())));

    /// <inheritdoc/>
    public bool Equals(Collection? other) => other is not null && Entries.AsSpan().SequenceEqual(other.Entries.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Entries.Length, Entries.IsEmpty ? default : Entries[0]);
}
