namespace Blixard.Containers.Ext4;

/// <summary>
/// How a file system of a given size is divided: groups of 32768 blocks of 4096 bytes, each with its bitmaps and its part of the inode
/// table at its start (kernel documentation, filesystems/ext4, "Layout"). Pure.
/// </summary>
internal sealed class Ext4Geometry
{
    public const int BlockLength = 4096;

    /// <summary>Bits in a bitmap of one block.</summary>
    public const int BlocksPerGroup = 8 * BlockLength;

    public const int InodeLength = 256;

    public const int InodesPerBlock = BlockLength / InodeLength;

    public const int DescriptorLength = 32;

    // One inode for each 16 KiB, as mke2fs has it, so that the guest can create files.
    private const int BlocksPerInode = 4;

    // A last group smaller than this beyond its own tables would be all administration.
    private const int LastGroupDataMin = 64;

    private Ext4Geometry(long blockCount, int groupCount, int inodesPerGroup) =>
        (BlockCount, GroupCount, InodesPerGroup) = (blockCount, groupCount, inodesPerGroup);

    public long BlockCount { get; }

    public int GroupCount { get; }

    public int InodesPerGroup { get; }

    public long InodeCount => (long)InodesPerGroup * GroupCount;

    public int InodeTableBlocks => InodesPerGroup / InodesPerBlock;

    public int DescriptorBlocks => ((GroupCount * DescriptorLength) + BlockLength - 1) / BlockLength;

    /// <summary>Blocks that no group needs for itself.</summary>
    public long DataBlocks => Enumerable.Range(0, GroupCount).Sum(group => (long)GroupBlocks(group) - MetadataBlocks(group));

    /// <summary>The smallest file system, at least as large as asked for, that holds so much; the size is a multiple of 1 MiB.</summary>
    /// <param name="dataBlocks">Blocks for content.</param>
    /// <param name="inodes">Inodes that are used.</param>
    /// <param name="blocksMin">The least size in blocks.</param>
    public static Ext4Geometry Fit(long dataBlocks, long inodes, long blocksMin)
    {
        const int BlocksPerMiB = (1 << 20) / BlockLength;
        long blocks = Math.Max(dataBlocks, blocksMin);
        while (true)
        {
            blocks = (blocks + BlocksPerMiB - 1) / BlocksPerMiB * BlocksPerMiB;
            int groups = (int)((blocks + BlocksPerGroup - 1) / BlocksPerGroup);
            // A tenth more than are used, and some, for a guest that creates small files only.
            long wanted = Math.Max(inodes + (inodes / 10) + 1024, blocks / BlocksPerInode);
            long perGroup = ((wanted / groups / InodesPerBlock) + 1) * InodesPerBlock;
            if (perGroup <= BlocksPerGroup)
            {
                var geometry = new Ext4Geometry(blocks, groups, (int)perGroup);
                int last = groups - 1;
                bool isLastWorthIt = geometry.GroupBlocks(last) >= geometry.MetadataBlocks(last) + LastGroupDataMin;
                long missing = dataBlocks - geometry.DataBlocks;
                if (isLastWorthIt && missing <= 0)
                    return geometry;
                blocks += isLastWorthIt ? missing : BlocksPerMiB;
            }
            else
            {
                blocks += BlocksPerGroup;
            }
        }
    }

    /// <summary>Whether a group has a copy of the superblock: 0, 1 and the powers of 3, 5 and 7.</summary>
    public static bool HasSuperblock(int group)
    {
        if (group <= 1)
            return true;
        foreach (int root in (ReadOnlySpan<int>)[3, 5, 7])
        {
            long power = root;
            while (power < group)
                power *= root;
            if (power == group)
                return true;
        }

        return false;
    }

    /// <summary>The first block of a group.</summary>
    public static long GroupStart(int group) => (long)group * BlocksPerGroup;

    public int GroupBlocks(int group) => (int)Math.Min(BlocksPerGroup, BlockCount - GroupStart(group));

    /// <summary>Blocks at a group's start: superblock and descriptors where it has copies, two bitmaps, its inode table.</summary>
    public int MetadataBlocks(int group) => BitmapOffset(group) + 2 + InodeTableBlocks;

    /// <summary>The block of the group in which its block bitmap is; the inode bitmap and the inode table follow.</summary>
    public int BitmapOffset(int group) => HasSuperblock(group) ? 1 + DescriptorBlocks : 0;
}
