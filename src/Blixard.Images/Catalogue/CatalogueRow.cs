namespace Blixard.Images.Catalogue;

/// <summary>An entry of the document, as a snapshot is read from.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Author">Who wrote it: any text that is one author's alone.</param>
/// <param name="Timestamp">When, in microseconds since 1970 by the author's clock; of two entries the later one is the newer.</param>
/// <param name="Content">What it says; empty: it takes back what was said under the key; null: it has not arrived yet.</param>
public readonly record struct CatalogueRow(ReadOnlyMemory<byte> Key, string Author, ulong Timestamp, ReadOnlyMemory<byte>? Content)
{
    /// <summary>Which of two entries for one name counts: the later one, and of two of the same time the one of the greater author.</summary>
    public bool IsNewerThan(CatalogueRow other) =>
        Timestamp != other.Timestamp ? Timestamp > other.Timestamp : string.CompareOrdinal(Author, other.Author) > 0;
}
