using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store.Backends;
using Iroh.Blobs.Store.Contents;
using Iroh.Blobs.Store.Entries;
using Iroh.Blobs.Store.Trees;

namespace Iroh.Blobs.Store.Checks;

/// <summary>Reads everything, says what is wrong, and puts it right if asked to. Used once.</summary>
internal sealed class StoreCheck(BlobStore store, bool repair, IProgress<CheckProgress>? progress)
{
    private readonly List<CheckFinding> _findings = [];
    private readonly byte[] _buffer = new byte[BaoTree.GroupLength];
    private long _checkedBytes;
    private long _totalBytes;

    public async Task<CheckReport> RunAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<Entry> entries = store.Table.Here;
        _totalBytes = entries.Sum(static entry => entry.Status.PresentBytes);
        foreach (Entry entry in entries)
            await CheckAsync(entry, cancellationToken).ConfigureAwait(false);
        foreach ((string path, BlobHash? hash) in store.Backend.ListFiles())
            await CheckFileAsync(path, hash, cancellationToken).ConfigureAwait(false);
        return new CheckReport(entries.Count, _checkedBytes, _findings);
    }

    // Under the gate nobody is about to give the file a blob.
    private async Task CheckFileAsync(string path, BlobHash? hash, CancellationToken cancellationToken)
    {
        Entry? entry = hash is { } named ? store.Table.Use(named) : null;
        try
        {
            if (entry is not null)
                await entry.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                if (!File.Exists(path)
                    || (entry is not null && store.Backend.Owns(path, entry.Hash, entry.Presence == BlobPresence.Partial, entry.Stored)))
                    return;
                if (repair)
                    store.Backend.RemoveOrphan(path);
                _findings.Add(new CheckFinding(StoreProblem.OrphanFile, null, $"{path} belongs to no blob" + (repair ? "; it was removed" : ""), 0, repair));
            }
            finally
            {
                entry?.Gate.Release();
            }
        }
        finally
        {
            if (entry is not null)
                store.Table.Release(entry);
        }
    }

    private async Task CheckAsync(Entry entry, CancellationToken cancellationToken)
    {
        if (store.Table.TryUse(entry.Hash) is not { } used)
            return; // removed meanwhile
        try
        {
            OpenBlob? files = await OpenAsync(used).ConfigureAwait(false);
            if (files is null)
                return;
            try
            {
                await CheckAsync(used, files, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                store.LetGo(used, files);
            }
        }
        finally
        {
            store.Table.Release(used);
        }
    }

    private async Task<OpenBlob?> OpenAsync(Entry entry)
    {
        await entry.Gate.WaitAsync().ConfigureAwait(false);
        try
        {
            lock (entry.Lock)
            {
                if (entry.Presence == BlobPresence.Absent)
                    return null;
                return entry.UseUnderLock(
                    entry.Files
                    ?? (entry.Stored is { } stored ? store.Backend.Open(entry.Hash, stored) : store.Backend.OpenPartial(entry.Hash, entry.Size)));
            }
        }
        catch (BlobDamagedException e) when (entry.Stored is { } stored)
        {
            if (repair)
            {
                await store.Backend.RemoveAsync(entry.Hash, stored).ConfigureAwait(false);
                store.BecomeAbsent(entry);
            }

            StoreProblem problem = stored.Content == ContentPlace.Reference ? StoreProblem.ChangedReference : StoreProblem.MissingContent;
            _findings.Add(new CheckFinding(problem, entry.Hash, e.Message + (repair ? "; the blob was forgotten" : ""), stored.Size, repair));
            return null;
        }
        finally
        {
            entry.Gate.Release();
        }
    }

    private async Task CheckAsync(Entry entry, OpenBlob files, CancellationToken cancellationToken)
    {
        (bool wasComplete, ulong size, bool isReference) = (entry.Presence == BlobPresence.Complete, entry.Size, entry.Stored?.Reference is not null);
        ChunkSet good = Prove(entry.Hash, size, files, out bool isOutboardWrong, cancellationToken);
        BlobBitfield now = entry.Bitfield;
        if (now.Size != size || entry.Files != files)
            return; // it was replaced meanwhile; what is new was checked when it came

        ChunkRanges blob = ChunkRanges.FromChunks(0, BaoTree.ChunkCount(size));
        ChunkRanges wrong = (now.IsComplete ? blob : now.Present.WholeGroups(size)).Except(good.ToRanges());
        if (wrong.IsEmpty || now.IsComplete != wasComplete)
            return; // sound; or completed while it was read, which a later check looks at
        if (now.IsComplete && isOutboardWrong && repair && await OutboardRepair.TryAsync(store, entry, files, cancellationToken).ConfigureAwait(false))
        {
            _findings.Add(new CheckFinding(StoreProblem.WrongOutboard, entry.Hash, "its tree of hashes was wrong or gone; it was made again", 0, true));
            return;
        }

        if (repair)
            await store.GiveUpAsync(entry, files, wrong).ConfigureAwait(false);
        _findings.Add(Describe(entry.Hash, size, now.IsComplete, isReference, isOutboardWrong, wrong));
    }

    private CheckFinding Describe(BlobHash hash, ulong size, bool isComplete, bool isReference, bool isOutboardWrong, ChunkRanges wrong)
    {
        StoreProblem problem = !isComplete ? StoreProblem.WrongBitfield
            : isReference ? StoreProblem.ChangedReference
            : isOutboardWrong ? StoreProblem.WrongOutboard
            : StoreProblem.WrongContent;
        string what = $"{wrong.CountBytes(size)} of {size} bytes {(isOutboardWrong ? "cannot be proven" : "are not what the hash says")}, "
            + $"from byte {wrong.Boundaries[0] * BaoTree.ChunkLength} on";

        // Of somebody else's file nothing can be given up but all.
        bool isForgotten = isComplete && isReference;
        return new CheckFinding(
            problem, hash,
            !repair ? what : isForgotten ? what + "; the blob was forgotten" : what + "; they were given up and can be fetched again",
            isForgotten ? (long)size : (long)wrong.CountBytes(size), repair);
    }

    // The groups whose content is right.
    private ChunkSet Prove(BlobHash hash, ulong size, OpenBlob files, out bool isOutboardWrong, CancellationToken cancellationToken)
    {
        var good = new ChunkSet();
        ulong known = 0;
        foreach (GroupValues run in GroupValues.ReadProven(hash, size, files.Outboard))
        {
            for (ulong group = run.FirstGroup; run.Covers(group); group++)
            {
                if (!run.Knows(group))
                    continue;
                cancellationToken.ThrowIfCancellationRequested();
                known++;
                long offset = (long)group * BaoTree.GroupLength;
                Span<byte> content = _buffer.AsSpan(0, BaoTree.GroupLengthAt(size, offset));
                ulong start = group * BaoTree.GroupChunks;
                if (TryRead(files.Data, offset, content) && run.Matches(group, content))
                    good.Add(start, Math.Min(start + BaoTree.GroupChunks, BaoTree.ChunkCount(size)));
                _checkedBytes += content.Length;
            }

            progress?.Report(new CheckProgress(_checkedBytes, _totalBytes));
        }

        isOutboardWrong = known < BaoTree.GroupCount(size);
        return good;
    }

    // What the disk cannot read is as wrong as what it reads wrongly.
    private static bool TryRead(IBlobFile file, long offset, Span<byte> content)
    {
        try
        {
            return file.Read(offset, content) == content.Length;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
