using System.Buffers.Binary;
using Blixard.Containers.Tree;

namespace Blixard.Containers.Ext4;

/// <summary>A file of the file system while it is planned and written.</summary>
internal sealed class Ext4Inode(TreeNode node, uint number)
{
    /// <summary>Extents that fit into the inode.</summary>
    public const int InlineExtentsMax = 4;

    /// <summary>Extents in one block of the tree.</summary>
    public const int ExtentsPerBlock = (Ext4Geometry.BlockLength - 12) / 12;

    // A target shorter than this is kept where other inodes have their extents.
    private const int InlineTargetLengthMax = 59;

    private const ushort ExtraLength = 32;

    private const int AttributesOffset = 128 + ExtraLength;

    public TreeNode Node { get; } = node;

    /// <summary>Inodes are counted from 1.</summary>
    public uint Number { get; } = number;

    /// <summary>The names that lead to it; for a directory also its own "." and the ".." of those in it.</summary>
    public int Links { get; set; }

    /// <summary>For a directory, the number of the one that it is in; the root is in itself.</summary>
    public uint Parent { get; set; } = number;

    /// <summary>Bytes of content.</summary>
    public long Size { get; init; }

    /// <summary>Where the content is.</summary>
    public List<Extent> Extents { get; set; } = [];

    /// <summary>Where the extents are, if they do not fit into the inode.</summary>
    public List<Extent> ExtentBlocks { get; set; } = [];

    /// <summary>Blocks that the content takes.</summary>
    public long ContentBlocks => IsInlineLink ? 0 : (Size + Ext4Geometry.BlockLength - 1) / Ext4Geometry.BlockLength;

    private bool IsInlineLink => Node.Kind == NodeKind.SymbolicLink && Size <= InlineTargetLengthMax;

    /// <summary>Writes the inode (kernel documentation, filesystems/ext4, "Index Nodes").</summary>
    /// <param name="target">256 bytes of zeros.</param>
    public void Write(Span<byte> target)
    {
        (int type, bool isDirectory) = Node.Kind switch
        {
            NodeKind.Directory => (0x4000, true),
            NodeKind.SymbolicLink => (0xA000, false),
            NodeKind.Fifo => (0x1000, false),
            _ => (0x8000, false),
        };
        U16(target, 0x00, (ushort)(type | Node.Mode));
        U16(target, 0x02, (ushort)Node.UserId);
        U16(target, 0x78, (ushort)(Node.UserId >> 16));
        U16(target, 0x18, (ushort)Node.GroupId);
        U16(target, 0x7A, (ushort)(Node.GroupId >> 16));
        U32(target, 0x04, (uint)Size);
        U32(target, 0x6C, (uint)(Size >> 32));
        // A directory with more entries than can be counted has the count 1 (feature dir_nlink).
        U16(target, 0x1A, (ushort)(isDirectory && Links >= ContainerLimits.HardLinksMax ? 1 : Links));
        const int SectorsPerBlock = Ext4Geometry.BlockLength / 512;
        U32(target, 0x1C, (uint)((ContentBlocks + ExtentBlocks.Sum(static extent => (long)extent.Length)) * SectorsPerBlock));
        U16(target, 0x80, ExtraLength);
        WriteTimes(target);
        if (IsInlineLink)
        {
            ByteText.ToBytes(Node.LinkTarget).CopyTo(target[0x28..]);
        }
        else if (Node.Kind != NodeKind.Fifo)
        {
            U32(target, 0x20, 0x80000);
            WriteExtentRoot(target.Slice(0x28, 60));
        }

        if (!Node.Capabilities.IsEmpty)
            WriteCapabilities(target[AttributesOffset..], Node.Capabilities.Span);
    }

    /// <summary>Writes a block of the extent tree.</summary>
    /// <param name="index">Which of <see cref="ExtentBlocks"/>, from 0.</param>
    /// <param name="target">A block of zeros.</param>
    public void WriteExtentBlock(int index, Span<byte> target)
    {
        int first = index * ExtentsPerBlock;
        List<Extent> extents = Extents.GetRange(first, Math.Min(ExtentsPerBlock, Extents.Count - first));
        WriteHeader(target, extents.Count, ExtentsPerBlock, depth: 0);
        WriteExtents(target[12..], extents, Extents.Take(first).Sum(static extent => (long)extent.Length));
    }

    private void WriteExtentRoot(Span<byte> target)
    {
        if (ExtentBlocks.Count == 0)
        {
            WriteHeader(target, Extents.Count, InlineExtentsMax, depth: 0);
            WriteExtents(target[12..], Extents, 0);
            return;
        }

        long[] leaves = [.. ExtentBlocks.SelectMany(static extent => Enumerable.Range(0, extent.Length).Select(i => extent.Start + i))];
        WriteHeader(target, leaves.Length, InlineExtentsMax, depth: 1);
        long block = 0;
        for (int i = 0; i < leaves.Length; i++)
        {
            Span<byte> entry = target.Slice(12 + (12 * i), 12);
            U32(entry, 0, (uint)block);
            U32(entry, 4, (uint)leaves[i]);
            U16(entry, 8, (ushort)(leaves[i] >> 32));
            block += Extents.Skip(i * ExtentsPerBlock).Take(ExtentsPerBlock).Sum(static extent => (long)extent.Length);
        }
    }

    private static void WriteHeader(Span<byte> target, int count, int countMax, ushort depth)
    {
        U16(target, 0, 0xF30A);
        U16(target, 2, (ushort)count);
        U16(target, 4, (ushort)countMax);
        U16(target, 6, depth);
    }

    private static void WriteExtents(Span<byte> target, List<Extent> extents, long block)
    {
        for (int i = 0; i < extents.Count; i++)
        {
            Span<byte> entry = target.Slice(12 * i, 12);
            U32(entry, 0, (uint)block);
            U16(entry, 4, (ushort)extents[i].Length);
            U16(entry, 6, (ushort)(extents[i].Start >> 32));
            U32(entry, 8, (uint)extents[i].Start);
            block += extents[i].Length;
        }
    }

    // 34 bits of seconds from -2^31, and nanoseconds above the two highest of them; what is outside is brought inside.
    private void WriteTimes(Span<byte> target)
    {
        long seconds = Math.Clamp(Node.ModifiedSeconds, int.MinValue, int.MaxValue + (3L << 32));
        uint low = (uint)seconds;
        uint extra = (uint)(((seconds - (int)low) >> 32) & 3) | ((uint)Node.ModifiedNanoseconds << 2);
        foreach ((int at, int extraAt) in (ReadOnlySpan<(int, int)>)[(0x08, 0x8C), (0x0C, 0x84), (0x10, 0x88), (0x90, 0x94)])
        {
            U32(target, at, low);
            U32(target, extraAt, extra);
        }
    }

    private static void WriteCapabilities(Span<byte> target, ReadOnlySpan<byte> value)
    {
        U32(target, 0, 0xEA020000);
        Span<byte> entries = target[4..];
        ReadOnlySpan<byte> name = "capability"u8;
        int valueOffset = entries.Length - ((value.Length + 3) & ~3);
        entries[0] = (byte)name.Length;
        // The namespace "security.".
        entries[1] = 6;
        U16(entries, 2, (ushort)valueOffset);
        U32(entries, 8, (uint)value.Length);
        name.CopyTo(entries[16..]);
        value.CopyTo(entries[valueOffset..]);
    }

    private static void U16(Span<byte> target, int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(target[offset..], value);

    private static void U32(Span<byte> target, int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(target[offset..], value);
}
