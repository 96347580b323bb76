using System.Buffers.Binary;

namespace Blixard.Etcd.Database;

/// <summary>
/// Writes a bbolt database (file format version 2, as bbolt 1.3 and 1.4 read it) from its first to its last page, without
/// ever changing one: buckets in the order of their names, keys in the order of their bytes. Not thread-safe.
/// </summary>
/// <remarks>
/// The file is an array of pages: two meta pages, the (empty) list of free pages, then leaves and branches. A page begins with
/// its number, flags, count of elements and count of the pages that it flows over into. An element says where its key is,
/// counted from the element itself. A bucket is a tree of such pages; the root tree has one element a bucket, whose value
/// holds the number of the bucket's root page, or 0 and a leaf in place if the bucket is empty. All numbers are little-endian.
/// </remarks>
public sealed class BoltWriter
{
    /// <summary>Bytes of a page: what bbolt takes on machines with 4 KiB pages; elsewhere it reads the size from the file.</summary>
    public const int PageBytes = 4096;

    /// <summary>The longest key that bbolt takes (MaxKeySize).</summary>
    public const int KeyBytesMax = 32768;

    /// <summary>The longest value that is taken here: far above any row of the cluster store, far below bbolt's 2 GiB.</summary>
    public const int ValueBytesMax = 64 * 1024 * 1024;

    private const int PageHeaderBytes = 16;
    private const int ElementBytes = 16;
    private const int BucketHeaderBytes = 16;
    private const int MetaBytes = 64;
    private const ushort BranchFlag = 0x01;
    private const ushort LeafFlag = 0x02;
    private const ushort MetaFlag = 0x04;
    private const ushort FreeListFlag = 0x10;
    private const uint BucketElementFlag = 0x01;
    private const uint Magic = 0xED0CDAED;
    private const uint FormatVersion = 2;
    private const ulong FreeListPage = 2;
    private const ulong FirstDataPage = 3;

    private readonly Stream _file;
    private readonly List<Element> _leaf = [];
    private readonly List<Element> _buckets = [];
    private readonly List<Child> _leaves = [];
    private byte[] _page = new byte[PageBytes];
    private byte[] _lastKey = [];
    private byte[]? _bucket;
    private int _leafBytes = PageHeaderBytes;
    private ulong _nextPage = FirstDataPage;

    /// <summary>A writer that has written nothing yet.</summary>
    /// <param name="file">An empty stream that can seek; stays the caller's.</param>
    public BoltWriter(Stream file)
    {
        ArgumentNullException.ThrowIfNull(file);
        if (!file.CanSeek || file.Length != 0)
            throw new ArgumentException("A database is written into an empty stream that can seek.", nameof(file));
        _file = file;
        // The meta pages come last: they are what makes the file a database.
        file.SetLength((long)FirstDataPage * PageBytes);
        file.Position = file.Length;
    }

    /// <summary>Ends the bucket before and begins the next one.</summary>
    /// <exception cref="ArgumentException">The name is empty, too long, or not after the one before.</exception>
    public void BeginBucket(ReadOnlySpan<byte> name)
    {
        EndBucket();
        if (name.Length is 0 or > KeyBytesMax || (_buckets.Count > 0 && name.SequenceCompareTo(_buckets[^1].Key) <= 0))
            throw new ArgumentException("Buckets have names and come in their order.", nameof(name));
        _bucket = name.ToArray();
        _lastKey = [];
    }

    /// <summary>Adds a key to the bucket.</summary>
    /// <param name="key">1 to <see cref="KeyBytesMax"/> bytes, after the key before.</param>
    /// <param name="value">At most <see cref="ValueBytesMax"/> bytes.</param>
    /// <exception cref="ArgumentException">A length or the order is not kept.</exception>
    /// <exception cref="InvalidOperationException">No bucket was begun.</exception>
    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        if (_bucket is null)
            throw new InvalidOperationException("A key belongs to a bucket.");
        if (key.Length is 0 or > KeyBytesMax || value.Length > ValueBytesMax || key.SequenceCompareTo(_lastKey) <= 0)
            throw new ArgumentException("Keys have 1 to 32768 bytes and come in their order; values have a limit.", nameof(key));
        int bytes = ElementBytes + key.Length + value.Length;
        if (_leaf.Count > 0 && _leafBytes + bytes > PageBytes)
            FlushLeaf();
        _lastKey = key.ToArray();
        _leaf.Add(new Element(_lastKey, value.ToArray(), 0));
        _leafBytes += bytes;
    }

    /// <summary>Ends the last bucket and makes the file a database. Nothing may be written afterwards; the stream is not flushed.</summary>
    public void Complete()
    {
        EndBucket();
        ulong root = WriteTree(_buckets);
        ulong end = _nextPage;
        BeginPage(FreeListPage, FreeListFlag, 0, PageBytes);
        WriteAt(FreeListPage);
        for (ulong meta = 0; meta < FreeListPage; meta++)
        {
            WriteMeta(meta, root, end);
            WriteAt(meta);
        }
    }

    private void EndBucket()
    {
        if (_bucket is not { } name)
            return;
        _bucket = null;
        byte[] value;
        if (_leaf.Count == 0 && _leaves.Count == 0)
        {
            // An empty bucket lives in its parent: root page 0, then the header of a leaf without elements.
            value = new byte[BucketHeaderBytes + PageHeaderBytes];
            BinaryPrimitives.WriteUInt16LittleEndian(value.AsSpan(BucketHeaderBytes + 8), LeafFlag);
        }
        else
        {
            FlushLeaf();
            value = new byte[BucketHeaderBytes];
            BinaryPrimitives.WriteUInt64LittleEndian(value, WriteBranches());
        }

        _buckets.Add(new Element(name, value, BucketElementFlag));
    }

    // The root tree: its elements are few, but their names could be long.
    private ulong WriteTree(List<Element> elements)
    {
        foreach (Element element in elements)
        {
            int bytes = ElementBytes + element.Key.Length + element.Value.Length;
            if (_leaf.Count > 0 && _leafBytes + bytes > PageBytes)
                FlushLeaf();
            _leaf.Add(element);
            _leafBytes += bytes;
        }

        FlushLeaf();
        return WriteBranches();
    }

    private void FlushLeaf()
    {
        if (_leaf.Count == 0 && _leaves.Count > 0)
            return;
        _leaves.Add(new Child(_leaf.Count > 0 ? _leaf[0].Key : [], _nextPage));
        BeginPage(_nextPage, LeafFlag, _leaf.Count, _leafBytes);
        int position = PageHeaderBytes + (ElementBytes * _leaf.Count);
        for (int i = 0; i < _leaf.Count; i++)
        {
            Element element = _leaf[i];
            int start = PageHeaderBytes + (ElementBytes * i);
            Span<byte> header = _page.AsSpan(start, ElementBytes);
            BinaryPrimitives.WriteUInt32LittleEndian(header, element.Flags);
            BinaryPrimitives.WriteInt32LittleEndian(header[4..], position - start);
            BinaryPrimitives.WriteInt32LittleEndian(header[8..], element.Key.Length);
            BinaryPrimitives.WriteInt32LittleEndian(header[12..], element.Value.Length);
            element.Key.CopyTo(_page, position);
            element.Value.CopyTo(_page, position + element.Key.Length);
            position += element.Key.Length + element.Value.Length;
        }

        AppendPage();
        _leaf.Clear();
        _leafBytes = PageHeaderBytes;
    }

    // Puts branches over the leaves, level by level, until one page is left: the root.
    private ulong WriteBranches()
    {
        List<Child> level = [.. _leaves];
        _leaves.Clear();
        while (level.Count > 1)
        {
            var above = new List<Child>();
            for (int first = 0; first < level.Count;)
            {
                int bytes = PageHeaderBytes, end = first;
                // At least two, or levels would not end; a key is short enough for that in pages that flow over.
                while (end < level.Count && (end - first < 2 || bytes + ElementBytes + level[end].Key.Length <= PageBytes))
                    bytes += ElementBytes + level[end++].Key.Length;
                above.Add(new Child(level[first].Key, _nextPage));
                WriteBranch(level.GetRange(first, end - first), bytes);
                first = end;
            }

            level = above;
        }

        return level[0].Page;
    }

    private void WriteBranch(List<Child> children, int bytes)
    {
        BeginPage(_nextPage, BranchFlag, children.Count, bytes);
        int position = PageHeaderBytes + (ElementBytes * children.Count);
        for (int i = 0; i < children.Count; i++)
        {
            int start = PageHeaderBytes + (ElementBytes * i);
            Span<byte> header = _page.AsSpan(start, ElementBytes);
            BinaryPrimitives.WriteInt32LittleEndian(header, position - start);
            BinaryPrimitives.WriteInt32LittleEndian(header[4..], children[i].Key.Length);
            BinaryPrimitives.WriteUInt64LittleEndian(header[8..], children[i].Page);
            children[i].Key.CopyTo(_page, position);
            position += children[i].Key.Length;
        }

        AppendPage();
    }

    // Prepares _page for as many pages as the bytes need.
    private void BeginPage(ulong page, ushort flags, int count, int bytes)
    {
        int pages = (bytes + PageBytes - 1) / PageBytes;
        if (_page.Length != pages * PageBytes)
            _page = new byte[pages * PageBytes];
        else
            Array.Clear(_page);
        BinaryPrimitives.WriteUInt64LittleEndian(_page, page);
        BinaryPrimitives.WriteUInt16LittleEndian(_page.AsSpan(8), flags);
        BinaryPrimitives.WriteUInt16LittleEndian(_page.AsSpan(10), checked((ushort)count));
        BinaryPrimitives.WriteInt32LittleEndian(_page.AsSpan(12), pages - 1);
    }

    private void AppendPage()
    {
        _file.Write(_page);
        _nextPage += (ulong)(_page.Length / PageBytes);
    }

    private void WriteAt(ulong page)
    {
        _file.Position = (long)page * PageBytes;
        _file.Write(_page);
    }

    private void WriteMeta(ulong transaction, ulong root, ulong end)
    {
        BeginPage(transaction, MetaFlag, 0, PageBytes);
        Span<byte> meta = _page.AsSpan(PageHeaderBytes, MetaBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(meta, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(meta[4..], FormatVersion);
        BinaryPrimitives.WriteUInt32LittleEndian(meta[8..], PageBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(meta[16..], root);
        BinaryPrimitives.WriteUInt64LittleEndian(meta[32..], FreeListPage);
        BinaryPrimitives.WriteUInt64LittleEndian(meta[40..], end);
        BinaryPrimitives.WriteUInt64LittleEndian(meta[48..], transaction);
        BinaryPrimitives.WriteUInt64LittleEndian(meta[56..], Fnv1A(meta[..56]));
    }

    // FNV-1a, 64 bits (draft-eastlake-fnv).
    private static ulong Fnv1A(ReadOnlySpan<byte> bytes)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (byte value in bytes)
            hash = (hash ^ value) * 0x100000001B3;
        return hash;
    }

    private readonly record struct Element(byte[] Key, byte[] Value, uint Flags);

    private readonly record struct Child(byte[] Key, ulong Page);
}
