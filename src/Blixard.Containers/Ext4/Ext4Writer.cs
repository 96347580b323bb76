using System.Buffers.Binary;
using Blixard.Containers.Tree;
using Microsoft.Win32.SafeHandles;

namespace Blixard.Containers.Ext4;

/// <summary>Writes a planned file system into a new file: first all but the files' content, then the content as it comes.</summary>
internal sealed class Ext4Writer(Ext4Plan plan, SafeFileHandle file)
{
    private const int SuperblockLength = 1024;

    private readonly Ext4Geometry _geometry = plan.Geometry;

    /// <summary>Writes everything but the files' content. What is not written is a hole, and reads as zeros.</summary>
    /// <param name="identity">16 bytes, the UUID.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public void WriteStructure(ReadOnlySpan<byte> identity, CancellationToken cancellationToken)
    {
        RandomAccess.SetLength(file, _geometry.BlockCount * Ext4Geometry.BlockLength);
        WriteGroups(identity);
        WriteInodes(cancellationToken);
        foreach (Ext4Inode inode in plan.Inodes)
        {
            cancellationToken.ThrowIfCancellationRequested();
            WriteExtentBlocks(inode);
            if (inode.Node.Kind == NodeKind.Directory)
                WriteContent(inode, 0, DirectoryOf(inode));
            else if (inode.Node.Kind == NodeKind.SymbolicLink && inode.Extents.Count > 0)
                WriteContent(inode, 0, ByteText.ToBytes(inode.Node.LinkTarget));
        }

        WriteExtentBlocks(plan.Journal);
        WriteJournal(identity);
    }

    /// <summary>Writes content of a file.</summary>
    /// <param name="inode">Which.</param>
    /// <param name="offset">Where in the file; the content ends within its size.</param>
    /// <param name="content">What.</param>
    public void WriteContent(Ext4Inode inode, long offset, ReadOnlySpan<byte> content)
    {
        foreach (Extent extent in inode.Extents)
        {
            if (content.IsEmpty)
                return;
            long length = (long)extent.Length * Ext4Geometry.BlockLength;
            if (offset >= length)
            {
                offset -= length;
                continue;
            }

            ReadOnlySpan<byte> part = content[..(int)Math.Min(content.Length, length - offset)];
            // Zeros are there already; a bomb of them takes no room.
            if (part.ContainsAnyExcept((byte)0))
                RandomAccess.Write(file, part, (extent.Start * Ext4Geometry.BlockLength) + offset);
            content = content[part.Length..];
            offset = 0;
        }
    }

    private void WriteGroups(ReadOnlySpan<byte> identity)
    {
        byte[] descriptors = new byte[_geometry.DescriptorBlocks * Ext4Geometry.BlockLength];
        int[] directories = new int[_geometry.GroupCount];
        foreach (Ext4Inode inode in plan.Inodes)
            directories[(inode.Number - 1) / _geometry.InodesPerGroup] += inode.Node.Kind == NodeKind.Directory ? 1 : 0;
        long freeBlocks = 0;
        for (int group = 0; group < _geometry.GroupCount; group++)
            freeBlocks += WriteGroup(group, directories[group], descriptors.AsSpan(group * Ext4Geometry.DescriptorLength, Ext4Geometry.DescriptorLength));
        byte[] superblock = new byte[SuperblockLength];
        FillSuperblock(superblock, identity, freeBlocks);
        for (int group = 0; group < _geometry.GroupCount; group++)
        {
            if (!Ext4Geometry.HasSuperblock(group))
                continue;
            BinaryPrimitives.WriteUInt16LittleEndian(superblock.AsSpan(0x5A), (ushort)group);
            long start = Ext4Geometry.GroupStart(group) * Ext4Geometry.BlockLength;
            // The first kilobyte of the disk is for a boot loader.
            RandomAccess.Write(file, superblock, group == 0 ? SuperblockLength : start);
            RandomAccess.Write(file, descriptors, start + Ext4Geometry.BlockLength);
        }
    }

    // Writes the bitmaps and the descriptor; returns the group's free blocks.
    private int WriteGroup(int group, int directories, Span<byte> descriptor)
    {
        long bitmap = Ext4Geometry.GroupStart(group) + _geometry.BitmapOffset(group);
        int blocks = _geometry.GroupBlocks(group), usedBlocks = plan.Allocator.UsedBlocks(group);
        long firstInode = ((long)group * _geometry.InodesPerGroup) + 1;
        int usedInodes = (int)Math.Clamp(plan.UsedInodes - firstInode + 1, 0, _geometry.InodesPerGroup);
        // Bits for what is not there are set.
        WriteBitmap(bitmap, usedBlocks, blocks);
        WriteBitmap(bitmap + 1, usedInodes, _geometry.InodesPerGroup);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor, (uint)bitmap);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor[4..], (uint)bitmap + 1);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor[8..], (uint)bitmap + 2);
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor[12..], (ushort)(blocks - usedBlocks));
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor[14..], (ushort)(_geometry.InodesPerGroup - usedInodes));
        BinaryPrimitives.WriteUInt16LittleEndian(descriptor[16..], (ushort)directories);
        return blocks - usedBlocks;
    }

    private void WriteBitmap(long block, int used, int count)
    {
        byte[] bits = new byte[Ext4Geometry.BlockLength];
        SetBits(bits, 0, used);
        SetBits(bits, count, Ext4Geometry.BlocksPerGroup);
        RandomAccess.Write(file, bits, block * Ext4Geometry.BlockLength);

        static void SetBits(byte[] bits, int from, int to)
        {
            for (int i = from; i < to; i++)
                bits[i >> 3] |= (byte)(1 << (i & 7));
        }
    }

    private void FillSuperblock(Span<byte> target, ReadOnlySpan<byte> identity, long freeBlocks)
    {
        U32(target, 0x00, (uint)_geometry.InodeCount);
        U32(target, 0x04, (uint)_geometry.BlockCount);
        U32(target, 0x0C, (uint)freeBlocks);
        U32(target, 0x10, (uint)(_geometry.InodeCount - plan.UsedInodes));
        // Blocks (and clusters) of 2^(10 + 2) bytes.
        U32(target, 0x18, 2);
        U32(target, 0x1C, 2);
        U32(target, 0x20, Ext4Geometry.BlocksPerGroup);
        U32(target, 0x24, Ext4Geometry.BlocksPerGroup);
        U32(target, 0x28, (uint)_geometry.InodesPerGroup);
        // No check is due after a number of mounts.
        U16(target, 0x36, ushort.MaxValue);
        U16(target, 0x38, 0xEF53);
        // Clean; errors are remembered and work goes on; revision 1.
        U16(target, 0x3A, 1);
        U16(target, 0x3C, 1);
        U32(target, 0x4C, 1);
        U32(target, 0x54, Ext4Plan.FirstNumber);
        U16(target, 0x58, Ext4Geometry.InodeLength);
        // has_journal, ext_attr; filetype, extents; sparse_super, large_file, dir_nlink, extra_isize.
        U32(target, 0x5C, 0x04 | 0x08);
        U32(target, 0x60, 0x02 | 0x40);
        U32(target, 0x64, 0x01 | 0x02 | 0x20 | 0x40);
        identity.CopyTo(target[0x68..]);
        "container"u8.CopyTo(target[0x78..]);
        U32(target, 0xE0, plan.Journal.Number);
        U16(target, 0x15C, 32);
        U16(target, 0x15E, 32);
        // A copy of the journal's extents and size, from which fsck finds it when the inode is lost.
        target[0xFD] = 1;
        Span<byte> journal = stackalloc byte[Ext4Geometry.InodeLength];
        journal.Clear();
        plan.Journal.Write(journal);
        journal.Slice(0x28, 60).CopyTo(target[0x10C..]);
        U32(target, 0x10C + 60, (uint)(plan.Journal.Size >> 32));
        U32(target, 0x10C + 64, (uint)plan.Journal.Size);
    }

    private void WriteInodes(CancellationToken cancellationToken)
    {
        int tableLength = _geometry.InodeTableBlocks * Ext4Geometry.BlockLength;
        IEnumerable<IGrouping<long, Ext4Inode>> groups = plan.Inodes.Append(plan.Journal)
            .GroupBy(inode => (inode.Number - 1L) / _geometry.InodesPerGroup);
        foreach (IGrouping<long, Ext4Inode> group in groups)
        {
            cancellationToken.ThrowIfCancellationRequested();
            byte[] table = new byte[tableLength];
            foreach (Ext4Inode inode in group)
            {
                int index = (int)((inode.Number - 1L) % _geometry.InodesPerGroup);
                inode.Write(table.AsSpan(index * Ext4Geometry.InodeLength, Ext4Geometry.InodeLength));
            }

            int number = (int)group.Key;
            long start = Ext4Geometry.GroupStart(number) + _geometry.BitmapOffset(number) + 2;
            int end = table.AsSpan().LastIndexOfAnyExcept((byte)0) + 1;
            RandomAccess.Write(file, table.AsSpan(0, end), start * Ext4Geometry.BlockLength);
        }
    }

    private void WriteExtentBlocks(Ext4Inode inode)
    {
        int index = 0;
        foreach (Extent extent in inode.ExtentBlocks)
        {
            for (int i = 0; i < extent.Length; i++)
            {
                byte[] block = new byte[Ext4Geometry.BlockLength];
                inode.WriteExtentBlock(index++, block);
                RandomAccess.Write(file, block, (extent.Start + i) * Ext4Geometry.BlockLength);
            }
        }
    }

    private byte[] DirectoryOf(Ext4Inode inode)
    {
        byte[] blocks = new byte[inode.Size];
        var directory = new Ext4Directory(blocks);
        directory.Add(inode.Number, 2, "."u8);
        directory.Add(inode.Parent, 2, ".."u8);
        foreach ((string name, TreeEntry entry) in inode.Node.Children)
        {
            byte type = entry.Node.Kind switch
            {
                NodeKind.Directory => 2,
                NodeKind.SymbolicLink => 7,
                NodeKind.Fifo => 5,
                _ => 1,
            };
            directory.Add(plan.InodeOf(entry.Node).Number, type, ByteText.ToBytes(name));
        }

        directory.Complete();
        return blocks;
    }

    // An empty journal (kernel documentation, filesystems/ext4, "Journal (jbd2)"): its superblock, big-endian, and zeros.
    private void WriteJournal(ReadOnlySpan<byte> identity)
    {
        byte[] superblock = new byte[SuperblockLength];
        Span<byte> target = superblock;
        BinaryPrimitives.WriteUInt32BigEndian(target, 0xC03B3998);
        BinaryPrimitives.WriteUInt32BigEndian(target[0x04..], 4);
        BinaryPrimitives.WriteUInt32BigEndian(target[0x0C..], Ext4Geometry.BlockLength);
        BinaryPrimitives.WriteUInt32BigEndian(target[0x10..], (uint)plan.Journal.ContentBlocks);
        BinaryPrimitives.WriteUInt32BigEndian(target[0x14..], 1);
        BinaryPrimitives.WriteUInt32BigEndian(target[0x18..], 1);
        identity.CopyTo(target[0x30..]);
        BinaryPrimitives.WriteUInt32BigEndian(target[0x40..], 1);
        WriteContent(plan.Journal, 0, superblock);
    }

    private static void U16(Span<byte> target, int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(target[offset..], value);

    private static void U32(Span<byte> target, int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(target[offset..], value);
}
