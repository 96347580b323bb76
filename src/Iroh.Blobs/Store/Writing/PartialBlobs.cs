using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store.Backends;
using Iroh.Blobs.Store.Contents;
using Iroh.Blobs.Store.Entries;
using Iroh.Blobs.Store.Trees;

namespace Iroh.Blobs.Store.Writing;

/// <summary>The ways of a partial blob: begun, taken up after a restart, recorded, completed.</summary>
internal sealed class PartialBlobs(BlobStore store)
{
    private IBlobBackend Backend => store.Backend;

    /// <summary>Takes up what an earlier process left: its record if that is the last word, else what the outboard proves.</summary>
    public void TakeUp(StoredPartial partial)
    {
        Entry entry = store.Table.Use(partial.Hash);
        try
        {
            if (entry.Presence == BlobPresence.Complete)
            {
                Backend.TidyCompleted(partial.Hash, entry.Stored!); // the process died before it could
                return;
            }

            using OpenFiles? files = OpenFiles.TryOpen(Backend, partial.Hash, out ulong size);
            if (files is null)
            {
                Backend.RemovePartial(partial.Hash);
                return;
            }

            if (partial.MayBeWhole)
                OutboardRepair.TryMake(partial.Hash, size, files.Blob);
            BlobBitfield? record = partial.Bitfield?.Size == size ? partial.Bitfield : null;
            ChunkSet present = record is not null && partial.IsClean
                ? new ChunkSet(record.Present)
                : Prove(partial.Hash, size, files.Blob, record?.Present ?? ChunkRanges.Empty);
            if (present.IsEmpty)
            {
                Backend.RemovePartial(partial.Hash);
                return;
            }

            entry.BecomePartial(size, present, TryRecord(partial.Hash, size, present));
            store.SetCharge(entry, entry.PresentBytes);
            if (present.Contains(0, BaoTree.ChunkCount(size)))
            {
                lock (entry.Lock)
                    entry.UseUnderLock(files.Blob);
                FinishAsync(entry, files.Blob).GetAwaiter().GetResult();
                lock (entry.Lock)
                    entry.Files = null;
            }
        }
        finally
        {
            store.Table.Release(entry);
        }
    }

    /// <summary>The open files of a partial blob, made if need be; the caller lets go of them. Under the gate.</summary>
    /// <returns>Null if the blob is complete, with this size.</returns>
    /// <exception cref="BlobSizeConflictException">Another size is claimed or proven.</exception>
    public OpenBlob? Prepare(Entry entry, ulong size)
    {
        lock (entry.Lock)
        {
            if (entry.Presence != BlobPresence.Absent && entry.Size != size)
                throw new BlobSizeConflictException(entry.Hash, entry.Size, size, entry.IsSizeVerified);
            if (entry.Presence == BlobPresence.Complete)
                return null;
            if (entry.Presence == BlobPresence.Absent)
            {
                OpenBlob begun = size <= BlobStoreOptions.InlineBytesMax
                    ? new OpenBlob(new MemoryBlobFile(), null)
                    : Backend.OpenPartial(entry.Hash, size);
                entry.BecomePartial(size, new ChunkSet(), isRecordedClean: false);
                return entry.UseUnderLock(begun);
            }

            if (entry.IsRecordedClean)
                Backend.MarkDirty(entry.Hash);
            entry.IsRecordedClean = false;
            return entry.UseUnderLock(entry.Files ?? Backend.OpenPartial(entry.Hash, size));
        }
    }

    /// <summary>Forgets what came under a claim that is now proven wrong. Under the gate.</summary>
    public void Abandon(Entry entry)
    {
        if (entry.Size > BlobStoreOptions.InlineBytesMax)
            Backend.RemovePartial(entry.Hash);
        store.BecomeAbsent(entry); // writers that still have the old files write into nothing
    }

    /// <summary>Takes chunks out that turned out wrong. Under the gate.</summary>
    public void TakeOut(Entry entry, ChunkRanges wrong)
    {
        ChunkRanges present;
        lock (entry.Lock)
        {
            for (int i = 0; i + 1 < wrong.Boundaries.Length; i += 2)
                entry.Present!.Remove(wrong.Boundaries[i], wrong.Boundaries[i + 1]);
            present = entry.Present!.ToRanges();
            entry.SignalUnderLock();
        }

        if (entry.Size > BlobStoreOptions.InlineBytesMax)
            Backend.RecordPartial(entry.Hash, entry.Size, present, isClean: false);
    }

    /// <summary>Flushes what is here and records it.</summary>
    /// <param name="entry">The blob.</param>
    /// <param name="isLast">Whether the writers are gone, so that the record is the last word, and a blob of which nothing came is forgotten.
    /// </param>
    public async Task RecordAsync(Entry entry, bool isLast)
    {
        await entry.Gate.WaitAsync().ConfigureAwait(false);
        try
        {
            if (entry.Presence != BlobPresence.Partial || (isLast && (entry.IsRecordedClean || store.Table.HasWriters(entry))))
                return;
            ChunkRanges present;
            OpenBlob files;
            lock (entry.Lock)
            {
                present = entry.Present!.ToRanges();
                if (entry.Size <= BlobStoreOptions.InlineBytesMax)
                    return;
                entry.UnrecordedBytes = 0;
                if (!isLast || !present.IsEmpty)
                    entry.UseUnderLock(entry.Files ?? Backend.OpenPartial(entry.Hash, entry.Size));
                files = entry.Files!;
            }

            if (present.IsEmpty && isLast)
            {
                Abandon(entry);
                return;
            }

            try
            {
                await FlushAsync(files).ConfigureAwait(false);
                Backend.RecordPartial(entry.Hash, entry.Size, present, isLast);
                entry.IsRecordedClean = isLast;
                if (isLast)
                    store.SetCharge(entry, entry.PresentBytes);
            }
            finally
            {
                store.LetGo(entry, files);
            }
        }
        finally
        {
            entry.Gate.Release();
        }
    }

    /// <summary>Makes a blob complete if all of its chunks are here.</summary>
    public async Task TryCompleteAsync(Entry entry)
    {
        await entry.Gate.WaitAsync().ConfigureAwait(false);
        try
        {
            OpenBlob? files;
            lock (entry.Lock)
            {
                if (entry.Presence != BlobPresence.Partial || !entry.Present!.Contains(0, BaoTree.ChunkCount(entry.Size)))
                    return;
                files = entry.Files;
            }

            if (files is not null)
                await FinishAsync(entry, files).ConfigureAwait(false);
        }
        finally
        {
            entry.Gate.Release();
        }
    }

    // Under the gate, or before anybody knows the entry.
    private async Task FinishAsync(Entry entry, OpenBlob files)
    {
        ulong size = entry.Size;
        if (size <= BlobStoreOptions.InlineBytesMax)
        {
            var content = new byte[size];
            files.Data.Read(0, content);
            if (BlobHash.Of(content) != entry.Hash)
            {
                TakeOut(entry, ChunkRanges.FromChunks(0, BaoTree.ChunkCount(size)));
                throw new BlobDamagedException(entry.Hash, 0, "what was written does not have this hash");
            }

            store.BecomeComplete(entry, await Backend.AddInlineAsync(entry.Hash, content).ConfigureAwait(false));
            return;
        }

        // A leaf without the pairs above it could never be proven to anybody.
        var proven = new ChunkSet();
        foreach (GroupValues run in GroupValues.ReadProven(entry.Hash, size, files.Outboard))
            for (ulong group = run.FirstGroup; run.Covers(group); group++)
                if (run.Knows(group))
                    proven.Add(group * BaoTree.GroupChunks, Math.Min((group + 1) * BaoTree.GroupChunks, BaoTree.ChunkCount(size)));
        if (!proven.Contains(0, BaoTree.ChunkCount(size)))
        {
            TakeOut(entry, ChunkRanges.FromChunks(0, BaoTree.ChunkCount(size)).Except(proven.ToRanges()));
            throw new BlobDamagedException(
                entry.Hash, (long)proven.NextMissing(0) * BaoTree.ChunkLength, "pairs of its tree are missing; its leaves must be fetched again");
        }

        await FlushAsync(files).ConfigureAwait(false);
        store.BecomeComplete(entry, await Backend.CompletePartialAsync(entry.Hash, (long)size, files).ConfigureAwait(false));
    }

    // On a full disk the old record stays, and tells less.
    private bool TryRecord(BlobHash hash, ulong size, ChunkSet present)
    {
        try
        {
            Backend.RecordPartial(hash, size, present.ToRanges(), isClean: true);
            return true;
        }
        catch (StoreFullException)
        {
            return false;
        }
    }

    private Task FlushAsync(OpenBlob files)
    {
        if (!store.Options.FlushesToDisk || !files.Data.IsOnDevice)
            return Task.CompletedTask;
        return Task.Run(() =>
        {
            files.Data.Flush();
            files.Outboard?.Flush();
        });
    }

    // Reads the groups that the outboard proves and nobody vouches for, and keeps those that are what it says.
    private static ChunkSet Prove(BlobHash hash, ulong size, OpenBlob files, ChunkRanges recorded)
    {
        var present = new ChunkSet(recorded);
        var buffer = new byte[BaoTree.GroupLength];
        foreach (GroupValues run in GroupValues.ReadProven(hash, size, files.Outboard))
        {
            for (ulong group = run.FirstGroup; run.Covers(group); group++)
            {
                ulong start = group * BaoTree.GroupChunks;
                ulong end = Math.Min(start + BaoTree.GroupChunks, BaoTree.ChunkCount(size));
                if (!run.Knows(group) || present.Contains(start, end))
                    continue;
                long offset = (long)group * BaoTree.GroupLength;
                Span<byte> content = buffer.AsSpan(0, BaoTree.GroupLengthAt(size, offset));
                if (files.Data.Read(offset, content) == content.Length && run.Matches(group, content))
                    present.Add(start, end);
            }
        }

        return present;
    }

    // The files of a partial blob before anybody knows its entry.
    private sealed class OpenFiles(OpenBlob blob) : IDisposable
    {
        public OpenBlob Blob { get; } = blob;

        public static OpenFiles? TryOpen(IBlobBackend backend, BlobHash hash, out ulong size) =>
            backend.TryOpenPartial(hash, out size) is { } blob ? new OpenFiles(blob) : null;

        public void Dispose() => Blob.Close();
    }
}
