namespace Iroh.Docs.Store;

/// <summary>What an import of a document changed.</summary>
public enum DocumentImport
{
    /// <summary>The document was not here.</summary>
    Added,

    /// <summary>It was here to be read and may be written now.</summary>
    Upgraded,

    /// <summary>Nothing: it was here with this right or more.</summary>
    Unchanged,
}

/// <summary>What became of an entry.</summary>
/// <param name="Stored">Whether it entered; false if a present one covers it.</param>
/// <param name="Removed">How many entries it removed, an older one of the same key included.</param>
public readonly record struct EntryInsert(bool Stored, int Removed);
