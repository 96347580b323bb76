using Blixard.Containers.Tree;

namespace Blixard.Containers.Ext4;

/// <summary>Where everything of a tree goes in a file system: inode numbers and blocks. The same tree gives the same plan. Pure.</summary>
internal sealed class Ext4Plan
{
    private const uint RootNumber = 2;

    private const uint JournalNumber = 8;

    /// <summary>The first inode that is not reserved.</summary>
    public const uint FirstNumber = 11;

    // The least that jbd2 takes is 1024 blocks (4 MiB); larger file systems get 16 MiB, so that transactions need not be written back at once.
    private const int SmallJournalBlocks = 1024;
    private const int LargeJournalBlocks = 4096;
    private const long LargeJournalFromBlocks = 1 << 18;

    // At least so much room for what the guest writes, and a quarter of what the image brings (64 MiB in blocks).
    private const long FreeBlocksMin = (64L << 20) / Ext4Geometry.BlockLength;

    // A whole group has at least so many blocks for data, and a file that goes through several has one extent in each of them.
    private const int GroupDataMin = Ext4Geometry.BlocksPerGroup / 2;

    private readonly Dictionary<TreeNode, Ext4Inode> _byNode = new(ReferenceEqualityComparer.Instance);

    private Ext4Plan()
    {
    }

    public Ext4Geometry Geometry { get; private set; } = null!;

    public BlockAllocator Allocator { get; private set; } = null!;

    /// <summary>The journal's inode; its node is in no directory.</summary>
    public Ext4Inode Journal { get; private set; } = null!;

    /// <summary>Every inode of the tree, the root first, then by rising number.</summary>
    public List<Ext4Inode> Inodes { get; } = [];

    /// <summary>Inodes that are taken, the reserved ones with them.</summary>
    public uint UsedInodes => FirstNumber - 1 + (uint)Inodes.Count - 1;

    /// <summary>Makes a plan.</summary>
    /// <param name="tree">The tree; it gets a lost+found directory if it has none.</param>
    /// <param name="diskBytes">The size of the disk, or null: what is needed and some room to write.</param>
    /// <exception cref="ContainerImageException">It does not fit, or a limit is exceeded.</exception>
    public static Ext4Plan Create(RootTree tree, long? diskBytes)
    {
        // fsck puts what it finds there.
        tree.Root.Children.TryAdd("lost+found", new TreeEntry(new TreeNode(NodeKind.Directory) { Mode = 0x1C0 }, int.MaxValue));
        var plan = new Ext4Plan();
        plan.NumberInodes(tree);
        plan.CountLinks();
        plan.ChooseSize(diskBytes);
        plan.PlaceBlocks();
        return plan;
    }

    /// <summary>The inode of a node of the tree.</summary>
    public Ext4Inode InodeOf(TreeNode node) => _byNode[node];

    private void NumberInodes(RootTree tree)
    {
        uint next = FirstNumber;
        foreach (TreeNode node in tree.AllNodes())
        {
            var inode = new Ext4Inode(node, ReferenceEquals(node, tree.Root) ? RootNumber : next++) { Size = SizeOf(node) };
            Inodes.Add(inode);
            _byNode.Add(node, inode);
        }
    }

    private static long SizeOf(TreeNode node)
    {
        if (node.Kind != NodeKind.Directory)
            return node.Kind == NodeKind.SymbolicLink ? node.LinkTarget.Length : node.Size;
        var directory = new Ext4Directory([]);
        directory.Add(0, 0, "."u8);
        directory.Add(0, 0, ".."u8);
        foreach (string name in node.Children.Keys)
            directory.Add(0, 0, ByteText.ToBytes(name));
        return directory.Length;
    }

    private void CountLinks()
    {
        foreach (Ext4Inode inode in Inodes.Where(static inode => inode.Node.Kind == NodeKind.Directory))
        {
            // The name in its parent and its own "."; the root has "." and "..".
            inode.Links += inode.Number == RootNumber ? 2 : 1;
            foreach ((string name, TreeEntry entry) in inode.Node.Children)
            {
                Ext4Inode child = _byNode[entry.Node];
                if (++child.Links > ContainerLimits.HardLinksMax && child.Node.Kind != NodeKind.Directory)
                    throw ContainerImageException.TooLarge($"'{ByteText.Show(name)}' has more than {ContainerLimits.HardLinksMax} names");
                if (child.Node.Kind != NodeKind.Directory)
                    continue;
                child.Parent = inode.Number;
                inode.Links++;
            }
        }
    }

    private void ChooseSize(long? diskBytes)
    {
        long content = Inodes.Sum(static inode => inode.ContentBlocks + ExtentBlocksMax(inode));
        if (content > ContainerLimits.DiskBytesMax / Ext4Geometry.BlockLength)
            throw ContainerImageException.TooLarge($"the image's files take {content * Ext4Geometry.BlockLength} bytes; a disk has at most {ContainerLimits.DiskBytesMax}");
        int journal = content < LargeJournalFromBlocks ? SmallJournalBlocks : LargeJournalBlocks;
        long free = diskBytes is null ? Math.Max(FreeBlocksMin, content / 4) : 0;
        long asked = (diskBytes ?? 0) / Ext4Geometry.BlockLength;
        Geometry = Ext4Geometry.Fit(content + journal + free, FirstNumber + Inodes.Count, asked);
        long bytes = Geometry.BlockCount * Ext4Geometry.BlockLength;
        if (bytes > ContainerLimits.DiskBytesMax)
            throw ContainerImageException.TooLarge($"the disk would have {bytes} bytes; {ContainerLimits.DiskBytesMax} are possible");
        if (diskBytes is { } wish && bytes > (wish + (1 << 20) - 1) / (1 << 20) * (1 << 20))
            throw ContainerImageException.TooLarge($"a disk of {wish} bytes is too small; the image's files need {bytes} bytes ({(bytes + (1 << 20) - 1) >> 20} MiB)");
        Allocator = new BlockAllocator(Geometry);
        var node = new TreeNode(NodeKind.File) { Mode = 0x180, Size = (long)journal * Ext4Geometry.BlockLength };
        Journal = new Ext4Inode(node, JournalNumber) { Size = node.Size, Links = 1 };
    }

    // The journal and the directories first, then files in the order in which the layers bring their content.
    private void PlaceBlocks()
    {
        Journal.Extents = Allocator.Allocate(Journal.ContentBlocks);
        foreach (Ext4Inode inode in Inodes.OrderBy(static inode => inode.Node.Content is not null).ThenBy(static inode => inode.Node.Content ?? default))
        {
            inode.Extents = Allocator.Allocate(inode.ContentBlocks);
            if (inode.Extents.Count > Ext4Inode.InlineExtentsMax)
                inode.ExtentBlocks = Allocator.Allocate((inode.Extents.Count + Ext4Inode.ExtentsPerBlock - 1) / Ext4Inode.ExtentsPerBlock);
        }
    }

    private static long ExtentBlocksMax(Ext4Inode inode)
    {
        long extents = (inode.ContentBlocks / GroupDataMin) + 2;
        return extents <= Ext4Inode.InlineExtentsMax ? 0 : (extents / Ext4Inode.ExtentsPerBlock) + 1;
    }
}
