using Iroh.Blobs.Bao;
using Iroh.Blobs.Store.Backends;
using Iroh.Blobs.Store.Entries;

namespace Iroh.Blobs.Store.Writing;

/// <summary>Writes into the files of a partial blob. See <see cref="IBlobWriter"/>.</summary>
internal sealed class BlobWriter : IBlobWriter
{
    // Pairs that lie together and wait for the leaf below them: as many as the longest way from a root to a leaf and a run of leaves have,
    // so that they mostly go to the file in one piece.
    private const int PendingPairsMax = 64;

    private readonly BlobStore _store;
    private readonly Entry _entry;
    private readonly CancellationTokenSource _disposing = new();
    private readonly byte[] _pairs = new byte[PendingPairsMax * BaoTree.PairLength];
    private long _pairsOffset;
    private int _pairsLength;
    private OpenBlob? _files;
    private ulong _size;
    private SizeProof? _proof;
    private Task? _completed;
    private bool _disposed;

    /// <param name="store">Where.</param>
    /// <param name="entry">Used as a writer, which this ends.</param>
    public BlobWriter(BlobStore store, Entry entry)
    {
        _store = store;
        _entry = entry;
    }

    public BlobHash Hash => _entry.Hash;

    public BlobBitfield Bitfield => _entry.Bitfield;

    public Task Completed => _completed ??= WaitForCompletionAsync();

    public async ValueTask WritePairAsync(
        ulong size, long outboardOffset, ReadOnlyMemory<byte> pair, CancellationToken cancellationToken = default)
    {
        Check(size);
        ArgumentOutOfRangeException.ThrowIfNotEqual(pair.Length, BaoTree.PairLength);
        ArgumentOutOfRangeException.ThrowIfNegative(outboardOffset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(outboardOffset, BaoTree.OutboardLength(size) - BaoTree.PairLength);
        ArgumentOutOfRangeException.ThrowIfNotEqual(outboardOffset % BaoTree.PairLength, 0);
        try
        {
            if (!IsPrepared(size) && !await PrepareAsync(size, cancellationToken).ConfigureAwait(false))
                return;
        }
        catch (BlobSizeConflictException e) when (!e.IsVerified)
        {
            if (_proof?.Size != size)
                _proof = new SizeProof(size);
            if (!_proof.TryKeep(outboardOffset, pair.Span))
                throw;
            return;
        }

        KeepPair(outboardOffset, pair.Span);
    }

    public async ValueTask WriteLeafAsync(ulong size, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        Check(size);
        if (content.IsEmpty && size == 0)
            return;
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfZero(content.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)offset, size);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)content.Length, size - (ulong)offset);
        ulong end = (ulong)offset + (ulong)content.Length;
        if (offset % BaoTree.ChunkLength != 0 || (content.Length % BaoTree.ChunkLength != 0 && end != size))
            throw new ArgumentException($"leaves are whole chunks; these are {content.Length} bytes at {offset}", nameof(content));
        try
        {
            if (!IsPrepared(size) && !await PrepareAsync(size, cancellationToken).ConfigureAwait(false))
                return;
        }
        catch (BlobSizeConflictException e) when (!e.IsVerified && end == size)
        {
            if (_proof?.Size != size)
                _proof = new SizeProof(size);
            if (!_proof.IsLastGroup(offset))
                throw;
            if (!await AdoptAsync(size, cancellationToken).ConfigureAwait(false))
                return;
        }

        if (await WriteInTurnAsync(size, offset, content, cancellationToken).ConfigureAwait(false))
            await _store.Partials.TryCompleteAsync(_entry).ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        await _disposing.CancelAsync().ConfigureAwait(false);
        try
        {
            await _entry.Checkpoint.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_files is not null && _pairsLength > 0 && _entry.Files == _files)
                FlushPairs(_files);
        }
        catch (IOException)
        {
            // Pairs without a leaf prove nothing that is here.
        }
        finally
        {
            // Recorded while the files are open; the entry stays this one's until then.
            if (_store.Table.EndWriting(_entry))
                await TryRecordAsync(isLast: true).ConfigureAwait(false);
            if (_files is not null)
                _store.LetGo(_entry, _files);
            _store.Table.Release(_entry);
            _disposing.Dispose();
        }
    }

    private void Check(ulong size)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (size > BlobStoreOptions.BlobSizeMax || (size == 0 && !Hash.IsEmpty))
            throw new ArgumentOutOfRangeException(nameof(size), size, $"a blob has 1 to {BlobStoreOptions.BlobSizeMax} bytes");
    }

    private bool IsPrepared(ulong size) => _files is not null && _size == size && _entry.Files == _files && _entry.Presence == BlobPresence.Partial;

    private async ValueTask<bool> PrepareAsync(ulong size, CancellationToken cancellationToken)
    {
        await _entry.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return Prepare(size);
        }
        finally
        {
            _entry.Gate.Release();
        }
    }

    // The claim that was here falls: this writer has the last chunk of a blob of another size.
    private async ValueTask<bool> AdoptAsync(ulong size, CancellationToken cancellationToken)
    {
        await _entry.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_entry.Presence == BlobPresence.Partial && _entry.Size != size && !_entry.IsSizeVerified)
                _store.Partials.Abandon(_entry);
            if (!Prepare(size))
                return false;
        }
        finally
        {
            _entry.Gate.Release();
        }

        foreach ((long offset, byte[] pair) in _proof!.Pairs)
            KeepPair(offset, pair);
        _proof = null;
        return true;
    }

    private bool Prepare(ulong size)
    {
        OpenBlob? before = _files;
        (_files, _size) = (_store.Partials.Prepare(_entry, size), size);
        if (before is not null)
        {
            _store.LetGo(_entry, before);
            _pairsLength = before == _files ? _pairsLength : 0;
        }

        return _files is not null;
    }

    private void KeepPair(long offset, ReadOnlySpan<byte> pair)
    {
        if (_pairsLength == _pairs.Length || (_pairsLength > 0 && offset != _pairsOffset + _pairsLength))
            FlushPairs(_files!);
        if (_pairsLength == 0)
            _pairsOffset = offset;
        pair.CopyTo(_pairs.AsSpan(_pairsLength));
        _pairsLength += pair.Length;
    }

    private void FlushPairs(OpenBlob files)
    {
        files.Outboard!.Write(_pairsOffset, _pairs.AsSpan(0, _pairsLength));
        _pairsLength = 0;
    }

    private async ValueTask<bool> WriteInTurnAsync(ulong size, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        SemaphoreSlim turn = _files!.WriteTurn;
        await turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return Write(size, offset, content.Span);
        }
        finally
        {
            turn.Release();
        }
    }

    // Pairs, then content, then the word that it is here: whoever reads meanwhile, and whoever comes after a crash, finds nothing that is not
    // there. Returns whether the blob is all here.
    private bool Write(ulong size, long offset, ReadOnlySpan<byte> content)
    {
        OpenBlob files = _files!;
        if (_pairsLength > 0)
            FlushPairs(files);
        TakeSpace(size, content.Length);
        files.Data.Write(offset, content);
        ulong start = (ulong)offset / BaoTree.ChunkLength;
        ulong end = BaoTree.LastChunk((ulong)offset + (ulong)content.Length) + 1;
        lock (_entry.Lock)
        {
            if (_entry.Files != files || _entry.Presence != BlobPresence.Partial)
            {
                return _entry.Presence == BlobPresence.Complete
                    ? false
                    : throw new BlobSizeConflictException(Hash, _entry.Size, size, _entry.IsSizeVerified);
            }

            if (_entry.Present!.Add(start, end) > 0)
                _entry.SignalUnderLock();
            _entry.UnrecordedBytes += content.Length;
            if (_entry.UnrecordedBytes >= _store.Options.CheckpointBytes && _entry.Checkpoint.IsCompleted)
                _entry.Checkpoint = Task.Run(() => TryRecordAsync(isLast: false));
            return _entry.Present.Contains(0, BaoTree.ChunkCount(size));
        }
    }

    // What comes is counted; the whole blob as soon as its size is more than a claim.
    private void TakeSpace(ulong size, int length)
    {
        lock (_entry.Lock)
        {
            if (_entry.Charged >= (long)size)
                return;
            bool isVerified = _entry.IsSizeVerified;
            long charge = isVerified ? (long)size : Math.Min((long)size, _entry.Charged + length);
            long more = charge - _entry.Charged;
            if (isVerified && more > length && _store.Backend.FreeBytes() is var free && (long)size - _entry.PresentBytes > free)
            {
                throw new StoreFullException(
                    $"no room for blob {Hash}: it has {size} bytes, of which {_entry.PresentBytes} are here; {free} are free");
            }

            _store.Space.Take(more, Hash);
            _entry.Charged = charge;
        }
    }

    // A record only saves hashing after a crash: where it cannot be made, the next one is.
    private async Task TryRecordAsync(bool isLast)
    {
        try
        {
            await _store.Partials.RecordAsync(_entry, isLast).ConfigureAwait(false);
        }
        catch (IOException)
        {
        }
    }

    private async Task WaitForCompletionAsync()
    {
        CancellationToken disposing = _disposing.Token;
        while (true)
        {
            Task changed = _entry.Changed;
            if (_entry.Presence == BlobPresence.Complete)
                return;
            await changed.WaitAsync(disposing).ConfigureAwait(false);
        }
    }
}
