using System.Buffers.Binary;

namespace Blixard.Containers.Archives;

/// <summary>
/// Reads a tar stream (ustar, pax, GNU long names) entry by entry. The class library's reader decodes names and attributes as UTF-8, which
/// damages those that are not, and allocates what a header asks for; this one keeps bytes and holds at most
/// <see cref="ContainerLimits.TarExtensionLengthMax"/>. Not thread-safe; the stream stays the caller's.
/// </summary>
internal sealed class TarReader(Stream stream)
{
    private const int BlockLength = 512;

    private readonly byte[] _block = new byte[BlockLength];
    private readonly PaxRecords _global = new();
    private long _position;
    private long _contentLeft;
    private long _padding;
    private bool _isEnded;

    /// <summary>Where the current entry's content begins in the stream, counted from where the reader began.</summary>
    public long ContentOffset { get; private set; }

    /// <summary>The next entry, after skipping what is left of the current one's content; null at the end.</summary>
    /// <exception cref="ContainerImageException">The stream is not a tar stream, is cut off, or exceeds a limit.</exception>
    public TarEntry? ReadNext()
    {
        if (_isEnded)
            return null;
        Skip(_contentLeft + _padding);
        PaxRecords local = new();
        string? longPath = null, longLink = null;
        while (ReadHeader())
        {
            byte type = _block[156];
            long size = ReadNumber(124, 12, "size");
            if (size < 0)
                throw Malformed("an entry has a negative size");
            switch (type)
            {
                case (byte)'x':
                    local.Read(ReadExtension(size), _position);
                    continue;
                case (byte)'g':
                    _global.Read(ReadExtension(size), _position);
                    continue;
                case (byte)'L':
                    longPath = ZeroEnded(ReadExtension(size));
                    continue;
                case (byte)'K':
                    longLink = ZeroEnded(ReadExtension(size));
                    continue;
                default:
                    return Enter(type, size, local, longPath, longLink);
            }
        }

        _isEnded = true;
        return null;
    }

    /// <summary>Reads content of the current entry; 0 at its end.</summary>
    public int ReadContent(Span<byte> buffer)
    {
        int wanted = (int)Math.Min(buffer.Length, _contentLeft);
        if (wanted == 0)
            return 0;
        int count = stream.Read(buffer[..wanted]);
        if (count == 0)
            throw Malformed("it is cut off inside a file");
        _contentLeft -= count;
        _position += count;
        return count;
    }

    private TarEntry Enter(byte type, long size, PaxRecords local, string? longPath, string? longLink)
    {
        string path = local.Path ?? longPath ?? _global.Path ?? HeaderPath();
        size = local.Size ?? _global.Size ?? size;
        TarEntryKind kind = type switch
        {
            0 or (byte)'0' or (byte)'7' => path.EndsWith('/') ? TarEntryKind.Directory : TarEntryKind.File,
            (byte)'1' => TarEntryKind.HardLink,
            (byte)'2' => TarEntryKind.SymbolicLink,
            (byte)'3' => TarEntryKind.CharacterDevice,
            (byte)'4' => TarEntryKind.BlockDevice,
            (byte)'5' => TarEntryKind.Directory,
            (byte)'6' => TarEntryKind.Fifo,
            (byte)'S' => throw ContainerImageException.Unsupported($"'{ByteText.Show(path)}' is a sparse file of GNU tar; pack it without --sparse"),
            _ => throw ContainerImageException.Unsupported($"'{ByteText.Show(path)}' is a tar entry of the unknown type 0x{type:x2}"),
        };
        if (local.IsSparse || _global.IsSparse)
            throw ContainerImageException.Unsupported($"'{ByteText.Show(path)}' is a sparse file of GNU tar; pack it without --sparse");
        if (path.Length == 0)
            throw Malformed("an entry has no name");
        // Only files bring content; some writers state the size of what a hard link leads to.
        _contentLeft = kind == TarEntryKind.File ? size : 0;
        _padding = (BlockLength - (_contentLeft % BlockLength)) % BlockLength;
        if (_contentLeft > ContainerLimits.LayerBytesMax)
            throw ContainerImageException.TooLarge($"'{ByteText.Show(path)}' claims {_contentLeft} bytes; {ContainerLimits.LayerBytesMax} are possible");
        ContentOffset = _position;
        (long seconds, int nanoseconds) = local.Modified ?? _global.Modified ?? (ReadNumber(136, 12, "time"), 0);
        return new TarEntry
        {
            Path = path,
            Kind = kind,
            Size = _contentLeft,
            LinkTarget = kind is TarEntryKind.HardLink or TarEntryKind.SymbolicLink ? local.LinkPath ?? longLink ?? _global.LinkPath ?? Text(157, 100) : "",
            Mode = (int)(ReadNumber(100, 8, "mode") & 0xFFF),
            UserId = Owner(local.UserId ?? _global.UserId ?? ReadNumber(108, 8, "user id"), path),
            GroupId = Owner(local.GroupId ?? _global.GroupId ?? ReadNumber(116, 8, "group id"), path),
            ModifiedSeconds = seconds,
            ModifiedNanoseconds = nanoseconds,
            Capabilities = local.Capabilities,
        };
    }

    // -1 is no owner but "unchanged" to the system calls that set owners.
    private static uint Owner(long value, string path) => value is >= 0 and < uint.MaxValue
        ? (uint)value
        : throw ContainerImageException.Malformed($"'{ByteText.Show(path)}' has the owner {value}, which is no user or group id");

    // False at the end: a block of zeros, or nothing more.
    private bool ReadHeader()
    {
        int have = stream.ReadAtLeast(_block, BlockLength, throwOnEndOfStream: false);
        if (have == 0)
            return false;
        if (have < BlockLength)
            throw Malformed("it is cut off inside a header");
        _position += BlockLength;
        if (!_block.AsSpan().ContainsAnyExcept((byte)0))
            return false;
        long unsigned = 0, signed = 0;
        for (int i = 0; i < BlockLength; i++)
        {
            byte value = i is >= 148 and < 156 ? (byte)' ' : _block[i];
            (unsigned, signed) = (unsigned + value, signed + (sbyte)value);
        }

        bool isNumber = !_block.AsSpan(148, 8).Trim(" \0"u8).ContainsAnyExceptInRange((byte)'0', (byte)'7');
        long stated = isNumber ? ReadNumber(148, 8, "checksum") : -1;
        return isNumber && (stated == unsigned || stated == signed) ? true : throw Malformed("a header's checksum is wrong; it is no tar archive, or it is damaged");
    }

    private byte[] ReadExtension(long size)
    {
        if (size > ContainerLimits.TarExtensionLengthMax)
            throw ContainerImageException.TooLarge($"a tar header extension of {size} bytes; {ContainerLimits.TarExtensionLengthMax} are possible");
        byte[] content = new byte[size];
        if (stream.ReadAtLeast(content, content.Length, throwOnEndOfStream: false) < content.Length)
            throw Malformed("it is cut off inside a header extension");
        _position += size;
        Skip((BlockLength - (size % BlockLength)) % BlockLength);
        return content;
    }

    private void Skip(long count)
    {
        (_contentLeft, _padding) = (0, 0);
        if (count == 0)
            return;
        _position += count;
        if (stream.CanSeek)
        {
            // The last padding may be missing where the archive ends.
            if (stream.Position + count - (BlockLength - 1) > stream.Length)
                throw Malformed("it is cut off inside a file");
            stream.Seek(count, SeekOrigin.Current);
            return;
        }

        Span<byte> waste = stackalloc byte[4096];
        while (count > 0)
        {
            int read = stream.Read(waste[..(int)Math.Min(waste.Length, count)]);
            if (read == 0)
                throw Malformed("it is cut off inside a file");
            count -= read;
        }
    }

    private string HeaderPath()
    {
        string name = Text(0, 100);
        // Old GNU headers ("ustar  ") have other fields where ustar has the prefix.
        bool hasPrefix = _block.AsSpan(257, 6).SequenceEqual("ustar\0"u8) && _block[345] != 0;
        return hasPrefix ? $"{Text(345, 155)}/{name}" : name;
    }

    private string Text(int offset, int length) => ZeroEnded(_block.AsSpan(offset, length));

    private static string ZeroEnded(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return ByteText.From(end < 0 ? bytes : bytes[..end]);
    }

    // Octal digits between spaces and zeros, or, with the highest bit set, a big-endian number (GNU).
    private long ReadNumber(int offset, int length, string what)
    {
        ReadOnlySpan<byte> field = _block.AsSpan(offset, length);
        if ((field[0] & 0x80) != 0)
        {
            Span<byte> wide = stackalloc byte[12];
            wide.Fill((field[0] & 0x40) != 0 ? (byte)0xFF : (byte)0);
            field.CopyTo(wide[(12 - length)..]);
            // The highest bit is the mark; the next one is the sign.
            wide[12 - length] = (byte)((field[0] & 0x40) != 0 ? field[0] : field[0] & 0x3F);
            if (BinaryPrimitives.ReadInt32BigEndian(wide) is not (0 or -1))
                throw Malformed($"an entry's {what} has more than 64 bits");
            return BinaryPrimitives.ReadInt64BigEndian(wide[4..]);
        }

        field = field.Trim(" \0"u8);
        long value = 0;
        foreach (byte digit in field)
        {
            if (digit is < (byte)'0' or > (byte)'7')
                throw Malformed($"an entry's {what} is no number");
            value = (value << 3) | (uint)(digit - '0');
        }

        return value;
    }

    private ContainerImageException Malformed(string what) => ContainerImageException.Malformed($"the tar archive is malformed at byte {_position}: {what}");
}
