using Iroh.Blobs.Bao;
using Iroh.Blobs.Store.Backends;

namespace Iroh.Blobs.Store.Entries;

/// <summary>
/// What a store knows of one hash. States: absent (only used, observed or expected), partial, complete. It changes its state under the gate,
/// with input and output; what others see of it changes under its lock, without.
/// </summary>
/// <remarks>
/// absent → partial (first write of a size) → complete (all chunks here, flushed, in the index); absent → complete (import);
/// complete → partial (damage found) or absent (removed; damage without files of its own); partial → absent (removed), partial (another size
/// proven).
/// </remarks>
internal sealed class Entry(BlobHash hash)
{
    private SemaphoreSlim? _gate;
    private TaskCompletionSource? _changed;

    public BlobHash Hash { get; } = hash;

    /// <summary>Held by whoever changes the state. Taken before all locks.</summary>
    public SemaphoreSlim Gate
    {
        get
        {
            if (_gate is null)
                Interlocked.CompareExchange(ref _gate, new SemaphoreSlim(1, 1), null);
            return _gate;
        }
    }

    /// <summary>Protects all below, but what says otherwise. The innermost lock.</summary>
    public Lock Lock { get; } = new();

    public BlobPresence Presence { get; private set; }

    /// <summary>The size; of a partial blob a claim until it is verified.</summary>
    public ulong Size { get; private set; }

    /// <summary>Where a complete blob is.</summary>
    public StoredBlob? Stored { get; private set; }

    /// <summary>The chunks of a partial blob.</summary>
    public ChunkSet? Present { get; private set; }

    /// <summary>The open files, while anybody has them.</summary>
    public OpenBlob? Files { get; set; }

    /// <summary>Bytes that it counts for in the quota.</summary>
    public long Charged { get; set; }

    /// <summary>Whether the record of a partial blob on the disk says that nothing was written after it.</summary>
    public bool IsRecordedClean { get; set; }

    /// <summary>Bytes written since the last record.</summary>
    public long UnrecordedBytes { get; set; }

    /// <summary>Contents and writers that are open. Under the store's lock.</summary>
    public int Users { get; set; }

    /// <summary>Those who want to know when something comes. Under the store's lock.</summary>
    public int Observers { get; set; }

    /// <summary>Writers that are open. Under the store's lock.</summary>
    public int Writers { get; set; }

    /// <summary>The collection before which it was last written or held. Under the store's lock.</summary>
    public long Epoch { get; set; }

    /// <summary>The record that is being written beside the writers.</summary>
    public Task Checkpoint { get; set; } = Task.CompletedTask;

    public bool IsSizeVerified =>
        Presence == BlobPresence.Complete || (Present is { IsEmpty: false } present && present.Contains(BaoTree.LastChunk(Size), BaoTree.ChunkCount(Size)));

    public long PresentBytes => Presence switch
    {
        BlobPresence.Complete => (long)Size,
        BlobPresence.Partial => Present!.CountBytes(Size),
        _ => 0,
    };

    public BlobStatus Status
    {
        get
        {
            lock (Lock)
                return new BlobStatus(Presence, IsSizeVerified ? (long)Size : null, PresentBytes);
        }
    }

    public BlobBitfield Bitfield
    {
        get
        {
            lock (Lock)
                return BitfieldUnderLock;
        }
    }

    /// <summary>Ends when the entry changes after this was read; read it before the state.</summary>
    public Task Changed
    {
        get
        {
            lock (Lock)
                return (_changed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
        }
    }

    private BlobBitfield BitfieldUnderLock => Presence switch
    {
        BlobPresence.Complete => BlobBitfield.Complete(Size),
        BlobPresence.Partial => new BlobBitfield(Size, IsSizeVerified, Present!.ToRanges()),
        _ => BlobBitfield.Nothing,
    };

    public void BecomeComplete(StoredBlob blob)
    {
        lock (Lock)
        {
            (Presence, Size, Stored, Present) = (BlobPresence.Complete, (ulong)blob.Size, blob, null);
            (IsRecordedClean, UnrecordedBytes) = (false, 0);
            SignalUnderLock();
        }
    }

    public void BecomePartial(ulong size, ChunkSet present, bool isRecordedClean)
    {
        lock (Lock)
        {
            (Presence, Size, Stored, Present) = (BlobPresence.Partial, size, null, present);
            (IsRecordedClean, UnrecordedBytes) = (isRecordedClean, 0);
            SignalUnderLock();
        }
    }

    public void BecomeAbsent()
    {
        lock (Lock)
        {
            (Presence, Size, Stored, Present) = (BlobPresence.Absent, 0, null, null);
            (IsRecordedClean, UnrecordedBytes, Files) = (false, 0, null);
            SignalUnderLock();
        }
    }

    /// <summary>Tells those who wait for <see cref="Changed"/>. Under the lock.</summary>
    public void SignalUnderLock()
    {
        _changed?.SetResult();
        _changed = null;
    }

    /// <summary>Shares the open files. Under the lock.</summary>
    public OpenBlob UseUnderLock(OpenBlob files)
    {
        files.Users++;
        Files = files;
        return files;
    }
}
