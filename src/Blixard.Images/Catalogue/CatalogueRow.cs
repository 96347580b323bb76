namespace Blixard.Images.Catalogue;

/// <summary>An entry of the document, as a snapshot is read from.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Author">Who wrote it: any text that is one author's alone.</param>
/// <param name="Timestamp">When, in microseconds since 1970 by the author's clock; of two entries the later one is the newer.</param>
/// <param name="Content">What it says; empty: it takes back what was said under the key; null: it has not arrived yet.</param>
public readonly record struct CatalogueRow(ReadOnlyMemory<byte> Key, string Author, ulong Timestamp, ReadOnlyMemory<byte>? Content);
