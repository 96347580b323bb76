using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store.Backends;
using Iroh.Blobs.Store.Entries;
using Iroh.Blobs.Store.Trees;

namespace Iroh.Blobs.Store.Contents;

/// <summary>Reads the files of a blob and checks what it reads. See <see cref="IBlobContent"/>.</summary>
internal sealed class BlobContent : IBlobContent
{
    private readonly BlobStore _store;
    private readonly Entry _entry;
    private readonly OpenBlob _files;
    private readonly ulong _size;
    private GroupValues? _values;
    private int _disposed;

    private BlobContent(BlobStore store, Entry entry, OpenBlob files, ulong size)
    {
        _store = store;
        _entry = entry;
        _files = files;
        _size = size;
    }

    public BlobHash Hash => _entry.Hash;

    public long Size => (long)_size;

    public BlobBitfield Bitfield => _entry.Bitfield;

    public ChunkRanges Provable
    {
        get
        {
            BlobBitfield bitfield = _entry.Bitfield;
            return bitfield.Size != _size ? ChunkRanges.Empty : bitfield.IsComplete ? bitfield.Present : bitfield.Present.WholeGroups(_size);
        }
    }

    /// <summary>Opens what is here of a blob; null if nothing is.</summary>
    public static BlobContent? TryOpen(BlobStore store, BlobHash hash)
    {
        if (store.Table.TryUse(hash) is not { } entry)
            return null;
        BlobContent? content = null;
        try
        {
            return content = TryShare(store, entry) ?? OpenFiles(store, entry);
        }
        finally
        {
            if (content is null)
                store.Table.Release(entry);
        }
    }

    public async ValueTask<int> ReadGroupsAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNotEqual(offset % BaoTree.GroupLength, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Size);
        ArgumentOutOfRangeException.ThrowIfLessThan(destination.Length, (int)Math.Min(BaoTree.GroupLength, Size - offset), nameof(destination));
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        int length = ReadableLength(offset, destination.Length);
        if (length == 0)
            return 0;
        Memory<byte> content = destination[..length];
        int read = _files.Data.IsOnDevice
            ? await _files.Data.ReadAsync(offset, content, cancellationToken).ConfigureAwait(false)
            : _files.Data.Read(offset, content.Span);
        int good = CheckGroups(offset, content.Span[..read], out bool isOutboardWrong);
        if (good == length)
            return length;
        if (isOutboardWrong && await OutboardRepair.TryAsync(_store, _entry, _files, cancellationToken).ConfigureAwait(false))
        {
            good += CheckGroups(offset + good, content.Span[good..read], out isOutboardWrong);
            if (good == length)
                return length;
        }

        await GiveUpAsync(offset + good).ConfigureAwait(false);
        throw new BlobDamagedException(
            Hash, offset + good, isOutboardWrong ? $"its tree of hashes is wrong for byte {offset + good}" : $"the group at byte {offset + good} has another hash");
    }

    public async ValueTask ReadPairsAsync(long outboardOffset, Memory<byte> destination, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(outboardOffset);
        ArgumentOutOfRangeException.ThrowIfNotEqual(outboardOffset % BaoTree.PairLength, 0);
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length % BaoTree.PairLength, 0, nameof(destination));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(outboardOffset + destination.Length, BaoTree.OutboardLength(_size));
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        int read = _files.Outboard is { } outboard
            ? await outboard.ReadAsync(outboardOffset, destination, cancellationToken).ConfigureAwait(false)
            : 0;
        destination[read..].Span.Clear();
        if (read < destination.Length && _entry.Presence == BlobPresence.Complete)
            throw new BlobDamagedException(Hash, 0, $"its outboard ends at byte {outboardOffset + read}");
    }

    public async ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (offset >= Size || destination.IsEmpty)
            return 0;
        long group = offset / BaoTree.GroupLength * BaoTree.GroupLength;
        if (offset == group && (destination.Length >= BaoTree.GroupLength || destination.Length >= Size - offset))
            return await ReadGroupsAsync(offset, destination, cancellationToken).ConfigureAwait(false) is > 0 and var run ? run : throw Missing(offset);

        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(BaoTree.GroupLength);
        try
        {
            int length = await ReadGroupsAsync(group, buffer.AsMemory(0, BaoTree.GroupLength), cancellationToken).ConfigureAwait(false);
            int start = (int)(offset - group);
            if (length <= start)
                throw Missing(offset);
            int count = Math.Min(length - start, destination.Length);
            buffer.AsSpan(start, count).CopyTo(destination.Span);
            return count;
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public Stream OpenStream() => new BlobStream(this);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        _store.LetGo(_entry, _files);
        _store.Table.Release(_entry);
    }

    private static BlobContent? TryShare(BlobStore store, Entry entry)
    {
        lock (entry.Lock)
            return entry.Files is { } files && entry.Presence != BlobPresence.Absent
                ? new BlobContent(store, entry, entry.UseUnderLock(files), entry.Size)
                : null;
    }

    // Under the gate nobody moves the files.
    private static BlobContent? OpenFiles(BlobStore store, Entry entry)
    {
        entry.Gate.Wait();
        try
        {
            lock (entry.Lock)
            {
                if (entry.Presence == BlobPresence.Absent)
                    return null;
                OpenBlob files = entry.Files
                    ?? (entry.Hash.IsEmpty ? new OpenBlob(new MemoryBlobFile(), null)
                    : entry.Stored is { } stored ? store.Backend.Open(entry.Hash, stored) : store.Backend.OpenPartial(entry.Hash, entry.Size));
                return new BlobContent(store, entry, entry.UseUnderLock(files), entry.Size);
            }
        }
        catch (BlobDamagedException) when (entry.Stored is { } stored)
        {
            store.Backend.RemoveAsync(entry.Hash, stored).AsTask().GetAwaiter().GetResult();
            store.BecomeAbsent(entry);
            throw;
        }
        finally
        {
            entry.Gate.Release();
        }
    }

    // How much of what was asked for is here, in whole groups.
    private int ReadableLength(long offset, int wanted)
    {
        long end = Math.Min(Size, offset + wanted);
        lock (_entry.Lock)
        {
            if (_entry.Presence == BlobPresence.Absent || _entry.Size != _size)
                return 0;
            if (_entry.Present is { } present)
                end = Math.Min(end, (long)Math.Min(present.NextMissing((ulong)offset / BaoTree.ChunkLength) * BaoTree.ChunkLength, _size));
        }

        return (int)((end == Size ? end : end / BaoTree.GroupLength * BaoTree.GroupLength) - offset);
    }

    // How many bytes from the front are right, in whole groups.
    private int CheckGroups(long offset, ReadOnlySpan<byte> content, out bool isOutboardWrong)
    {
        isOutboardWrong = false;
        int good = 0;

        // A file that is too short may end in the middle of a group.
        int whole = offset + content.Length == Size ? content.Length : content.Length / BaoTree.GroupLength * BaoTree.GroupLength;
        while (good < whole)
        {
            ulong group = (ulong)(offset + good) / BaoTree.GroupLength;
            GroupValues values = ValuesOf(group);
            if (!values.Knows(group))
            {
                isOutboardWrong = true;
                return good;
            }

            int run = (int)Math.Min(whole - good, (long)((values.FirstGroup + (uint)values.Count) * BaoTree.GroupLength) - offset - good);
            int matching = Math.Min(values.CountMatching(group, content.Slice(good, run)) * BaoTree.GroupLength, run);
            good += matching;
            if (matching < run && values.Knows((ulong)(offset + good) / BaoTree.GroupLength))
                return good;
        }

        return good;
    }

    private GroupValues ValuesOf(ulong group)
    {
        GroupValues? values = _values;
        if (values is null || !values.Covers(group) || !values.Knows(group))
            _values = values = GroupValues.Read(Hash, _size, _files.Outboard, group);
        return values;
    }

    private Task GiveUpAsync(long offset)
    {
        ulong start = (ulong)offset / BaoTree.ChunkLength;
        ulong end = Math.Min(start + BaoTree.GroupChunks, BaoTree.ChunkCount(_size));
        return _store.GiveUpAsync(_entry, _files, ChunkRanges.FromChunks(start, end));
    }

    private BlobMissingException Missing(long offset) => new(Hash, $"byte {offset} is not here, or not in a group that is here as a whole");
}
