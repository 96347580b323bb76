namespace Iroh.Blobs.Store;

/// <summary>What becomes of a file that is added to a store.</summary>
public enum ImportMode
{
    /// <summary>Its content is copied; the file is not needed afterwards.</summary>
    Copy,

    /// <summary>
    /// The file stays where it is and is read from there. It must not change: if it does, the blob counts as damaged. Content of one group
    /// (16 KiB) or less is copied all the same.
    /// </summary>
    Reference,
}

/// <summary>How a blob is written to a file.</summary>
public enum ExportMode
{
    /// <summary>The file is a copy.</summary>
    Copy,

    /// <summary>
    /// The store's own file is moved out, if it has one, and read from its new place from then on, as after
    /// <see cref="ImportMode.Reference"/>; else the file is a copy.
    /// </summary>
    Reference,
}
