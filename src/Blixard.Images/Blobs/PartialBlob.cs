using System.Buffers;
using System.Buffers.Binary;
using Iroh.Blobs;
using Microsoft.Win32.SafeHandles;

namespace Blixard.Images.Blobs;

/// <summary>
/// A blob of which some groups are here. Only groups that match the group list are ever written, so the file holds nothing bad at any
/// moment. One owner at a time; disposed by it, after which the next one may go on.
/// </summary>
/// <remarks>
/// The bookkeeping file: 8 bytes of <see cref="Magic"/>, the size (8 bytes, little-endian), the group list, one byte for each group
/// (<see cref="Present"/> or not). Nothing in it is believed: the list must combine to the hash, and groups that are marked are hashed again
/// when the file is opened, since after a power cut a mark may have reached the disk before its group. So a torn or lost file, or a wrong mark,
/// costs fetching again and no more, and no write has to wait for the disk.
/// </remarks>
internal sealed class PartialBlob : IDisposable
{
    private const int HeaderLength = 16;
    private const byte Present = 0xA5;

    private readonly BlobStore _store;
    private readonly Action _leave;
    private readonly SafeFileHandle _data;
    private readonly IDisposable _reservation;
    private readonly bool[] _present;
    private byte[]? _list;
    private SafeFileHandle? _groups;

    private PartialBlob(BlobStore store, BlobHash hash, long size, SafeFileHandle data, IDisposable reservation, Action leave)
    {
        _store = store;
        _leave = leave;
        _data = data;
        _reservation = reservation;
        Hash = hash;
        Size = size;
        _present = new bool[ChunkGroups.Count(size)];
        // The only group's value is the hash of the blob.
        if (_present.Length == 1)
            _list = hash.ToArray();
    }

    public BlobHash Hash { get; }

    public long Size { get; }

    public int GroupCount => _present.Length;

    /// <summary>Whether the group list is known and checked.</summary>
    public bool HasGroupList => _list is not null;

    /// <summary>Bytes that are here.</summary>
    public long PresentBytes { get; private set; }

    private static ReadOnlySpan<byte> Magic => "blxgrp1\n"u8;

    private string DataPath => _store.PartialPath(Hash);

    private string GroupsPath => DataPath + ".groups";

    /// <param name="store">Where.</param>
    /// <param name="hash">Which.</param>
    /// <param name="size">How long it will be.</param>
    /// <param name="leave">Called when it is disposed; not when this throws.</param>
    public static PartialBlob Open(BlobStore store, BlobHash hash, long size, Action leave)
    {
        string path = store.PartialPath(hash);
        long here = File.Exists(path) ? Math.Min(size, new FileInfo(path).Length) : 0;
        IDisposable reservation = store.Reserve(size, size - here, $"blob {hash} ({size} bytes)");
        SafeFileHandle? data = null;
        try
        {
            data = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite, FileOptions.Asynchronous);
            return new PartialBlob(store, hash, size, data, reservation, leave);
        }
        catch
        {
            data?.Dispose();
            reservation.Dispose();
            throw;
        }
    }

    /// <summary>Finds out which groups an earlier owner left. To be called once, first.</summary>
    public async Task ResumeAsync(CancellationToken cancellationToken)
    {
        byte[] marks = ReadBookkeeping() ?? new byte[GroupCount];
        if (GroupCount == 1)
            marks[0] = Present;
        if (_list is null)
            return;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkGroups.GroupLength);
        try
        {
            for (int i = 0; i < GroupCount; i++)
            {
                if (marks[i] != Present)
                    continue;
                Memory<byte> group = buffer.AsMemory(0, ChunkGroups.LengthAt(Size, i));
                int count = await BlobContent.ReadFullAsync(_data, group, ChunkGroups.OffsetOf(i), cancellationToken).ConfigureAwait(false);
                if (count == group.Length && Matches(i, group.Span))
                    Note(i);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        if (GroupCount > 1)
            OpenBookkeeping();
    }

    /// <summary>Takes the group list, if it is the one of this blob.</summary>
    /// <returns>False if it does not combine to the hash; nothing is changed then.</returns>
    public bool TrySetGroupList(ReadOnlySpan<byte> list)
    {
        if (list.Length != GroupCount * BlobHash.Length || ChunkGroups.Combine(list) != Hash)
            return false;
        if (_list is null)
        {
            _list = list.ToArray();
            OpenBookkeeping();
        }
        return true;
    }

    public bool IsPresent(int index) => _present[index];

    /// <summary>Whether this is the content of a group.</summary>
    public bool Matches(int index, ReadOnlySpan<byte> group) =>
        ChunkGroups.Hash(group, index, isOnly: GroupCount == 1) == new BlobHash(_list.AsSpan(index * BlobHash.Length, BlobHash.Length));

    /// <summary>Writes a group that <see cref="Matches"/>.</summary>
    /// <exception cref="StoreFullException">There is no room; what is here stays, and more may be written later.</exception>
    public async Task WriteAsync(int index, ReadOnlyMemory<byte> group, CancellationToken cancellationToken)
    {
        try
        {
            await RandomAccess.WriteAsync(_data, group, ChunkGroups.OffsetOf(index), cancellationToken).ConfigureAwait(false);
            if (_groups is not null)
                RandomAccess.Write(_groups, [Present], HeaderLength + _list!.Length + index);
        }
        catch (IOException e) when (DurableFiles.IsFull(e))
        {
            throw _store.Full($"blob {Hash} ({Size} bytes)", e);
        }
        Note(index);
    }

    /// <summary>Makes the blob, all of whose groups are here, a finished one.</summary>
    /// <exception cref="StoreFullException">There is no room for what the system had not yet written.</exception>
    public void Finish()
    {
        try
        {
            RandomAccess.SetLength(_data, Size);
            RandomAccess.FlushToDisk(_data);
            _store.Publish(Hash, Size, DataPath, _list!);
        }
        catch (IOException e) when (DurableFiles.IsFull(e))
        {
            throw _store.Full($"blob {Hash} ({Size} bytes)", e);
        }
        _groups?.Dispose();
        _groups = null;
        File.Delete(GroupsPath);
    }

    public void Dispose()
    {
        _data.Dispose();
        _groups?.Dispose();
        _reservation.Dispose();
        _leave();
    }

    private void Note(int index)
    {
        if (_present[index])
            return;
        _present[index] = true;
        PresentBytes += ChunkGroups.LengthAt(Size, index);
    }

    // The marks, when the file is whole and its list is this blob's; the list is kept then.
    private byte[]? ReadBookkeeping()
    {
        int listLength = GroupCount * BlobHash.Length;
        var file = new FileInfo(GroupsPath);
        if (GroupCount == 1 || !file.Exists || file.Length != HeaderLength + listLength + GroupCount)
            return null;
        byte[] bytes = File.ReadAllBytes(GroupsPath);
        if (!bytes.AsSpan().StartsWith(Magic)
            || BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(Magic.Length)) != Size
            || ChunkGroups.Combine(bytes.AsSpan(HeaderLength, listLength)) != Hash)
            return null;
        _list = bytes[HeaderLength..(HeaderLength + listLength)];
        return bytes[(HeaderLength + listLength)..];
    }

    private void OpenBookkeeping()
    {
        try
        {
            var bytes = new byte[HeaderLength + _list!.Length + GroupCount];
            Magic.CopyTo(bytes);
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(Magic.Length), Size);
            _list.CopyTo(bytes, HeaderLength);
            for (int i = 0; i < GroupCount; i++)
                if (_present[i])
                    bytes[HeaderLength + _list.Length + i] = Present;
            _groups = File.OpenHandle(GroupsPath, FileMode.Create, FileAccess.Write);
            RandomAccess.Write(_groups, bytes, 0);
        }
        catch (IOException e) when (DurableFiles.IsFull(e))
        {
            throw _store.Full($"blob {Hash} ({Size} bytes)", e);
        }
    }
}
