namespace Iroh.Blobs.Bao;

/// <summary>What an item of a verified stream is.</summary>
public enum BaoItemKind
{
    /// <summary>The chaining values of the two halves of a subtree, <see cref="BaoTree.PairLength"/> bytes.</summary>
    Pair,

    /// <summary>The bytes of 1 to 16 chunks.</summary>
    Leaf,
}

/// <summary>One item of a verified stream: the node of the tree that it stands for.</summary>
public readonly record struct BaoItem
{
    /// <summary>The <see cref="OutboardOffset"/> of what is not in the outboard.</summary>
    public const long NotInOutboard = -1;

    /// <summary>Pair or leaf.</summary>
    public BaoItemKind Kind { get; init; }

    /// <summary>Where in the blob the node's content begins, in bytes.</summary>
    public long Offset { get; init; }

    /// <summary>Bytes of the blob below the node; for a leaf, those of the item: at most <see cref="BaoTree.GroupLength"/>.</summary>
    public long Length { get; init; }

    /// <summary>
    /// Where in the outboard a pair belongs, in bytes; <see cref="NotInOutboard"/> for leaves and for pairs inside a group, which are
    /// computed from its content.
    /// </summary>
    public long OutboardOffset { get; init; }

    /// <summary>Whether the node is the whole blob.</summary>
    public bool IsRoot { get; init; }

    /// <summary>Whether anything of a pair's left half follows.</summary>
    public bool HasLeft { get; init; }

    /// <summary>Whether anything of a pair's right half follows.</summary>
    public bool HasRight { get; init; }

    /// <summary>Bytes of the item on the wire.</summary>
    public int EncodedLength => Kind == BaoItemKind.Pair ? BaoTree.PairLength : (int)Length;

    /// <summary>Whether the item is made from the content of one group: a leaf, or a pair inside.</summary>
    public bool IsInGroup => OutboardOffset == NotInOutboard;

    /// <summary>The index of the node's first chunk.</summary>
    public ulong FirstChunk => (ulong)Offset / BaoTree.ChunkLength;

    /// <summary>Where the group of an item inside a group begins.</summary>
    public long GroupOffset => Offset / BaoTree.GroupLength * BaoTree.GroupLength;
}
