namespace Blixard.Containers.Tree;

/// <summary>What a node of the tree is.</summary>
internal enum NodeKind
{
    Directory,
    File,
    SymbolicLink,
    Fifo,
}

/// <summary>A file or directory of the root file system: its metadata, and where its content is. Several names may lead to one.</summary>
internal sealed class TreeNode(NodeKind kind)
{
    public NodeKind Kind { get; } = kind;

    /// <summary>0 to 07777.</summary>
    public int Mode { get; set; }

    public uint UserId { get; set; }

    public uint GroupId { get; set; }

    /// <summary>Seconds since 1970.</summary>
    public long ModifiedSeconds { get; set; }

    public int ModifiedNanoseconds { get; set; }

    /// <summary>The attribute security.capability; empty = none.</summary>
    public ReadOnlyMemory<byte> Capabilities { get; set; }

    // Shared by all that are no directories, and so never written to: there may be a million files.
    private static readonly SortedDictionary<string, TreeEntry> s_none = new(StringComparer.Ordinal);

    /// <summary>A directory's entries by name, in the order of their bytes; all else has none and gets none.</summary>
    public SortedDictionary<string, TreeEntry> Children { get; } = kind == NodeKind.Directory ? new(StringComparer.Ordinal) : s_none;

    /// <summary>Where a symbolic link leads.</summary>
    public string LinkTarget { get; init; } = "";

    /// <summary>A file's length in bytes.</summary>
    public long Size { get; init; }

    /// <summary>Where a file's content is; null = it is empty.</summary>
    public ContentPlace? Content { get; init; }
}

/// <summary>A name in a directory.</summary>
/// <param name="Node">What it stands for.</param>
/// <param name="Layer">The layer that gave it, from 0; what the build itself adds is above all layers.</param>
internal readonly record struct TreeEntry(TreeNode Node, int Layer);

/// <summary>The content of a file: that of an entry of a layer.</summary>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="Entry">The number of the entry in the layer's tar archive, from 0.</param>
internal readonly record struct ContentPlace(int Layer, int Entry) : IComparable<ContentPlace>
{
    public int CompareTo(ContentPlace other) => Layer != other.Layer ? Layer.CompareTo(other.Layer) : Entry.CompareTo(other.Entry);
}
