using System.Buffers.Binary;

namespace Blixard.Containers.Ext4;

/// <summary>Packs the entries of a directory into blocks (kernel documentation, filesystems/ext4, "Linear Directories").</summary>
internal ref struct Ext4Directory
{
    private readonly Span<byte> _blocks;
    private int _position;
    private int _last = -1;

    /// <summary>Writes into blocks.</summary>
    /// <param name="blocks">Whole blocks of zeros, as many as the entries need; empty to count only.</param>
    public Ext4Directory(Span<byte> blocks) => _blocks = blocks;

    /// <summary>Bytes up to the end of the last block that was begun.</summary>
    public readonly int Length => (_position + Ext4Geometry.BlockLength - 1) / Ext4Geometry.BlockLength * Ext4Geometry.BlockLength;

    /// <summary>Adds an entry.</summary>
    /// <param name="number">The inode.</param>
    /// <param name="type">1 file, 2 directory, 5 pipe, 7 symbolic link.</param>
    /// <param name="name">1 to 255 bytes.</param>
    public void Add(uint number, byte type, ReadOnlySpan<byte> name)
    {
        int length = (8 + name.Length + 3) & ~3;
        int left = Length - _position;
        if (left < length)
        {
            // The block's last entry reaches to its end.
            Stretch(left);
            _position = Length;
        }

        _last = _position;
        if (!_blocks.IsEmpty)
        {
            Span<byte> entry = _blocks[_position..];
            BinaryPrimitives.WriteUInt32LittleEndian(entry, number);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[4..], (ushort)length);
            entry[6] = (byte)name.Length;
            entry[7] = type;
            name.CopyTo(entry[8..]);
        }

        _position += length;
    }

    /// <summary>Ends the last block.</summary>
    public void Complete()
    {
        Stretch(Length - _position);
        _position = Length;
    }

    private readonly void Stretch(int by)
    {
        if (_blocks.IsEmpty || by == 0 || _last < 0)
            return;
        Span<byte> length = _blocks.Slice(_last + 4, 2);
        BinaryPrimitives.WriteUInt16LittleEndian(length, (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(length) + by));
    }
}
