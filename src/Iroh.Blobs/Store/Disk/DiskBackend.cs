using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store.Backends;

namespace Iroh.Blobs.Store.Disk;

/// <summary>
/// Keeps things in a directory: an index for what is complete, small or named, files for the rest. docs/blobs.md says in which order, and why
/// a crash at any step is safe.
/// </summary>
internal sealed class DiskBackend : IBlobBackend
{
    // Complete blobs are read by all that run with them, and changed by nobody; whoever gets a file for himself may write to it.
    private const UnixFileMode CompleteMode = UnixFileMode.UserRead | UnixFileMode.GroupRead;
    private const UnixFileMode PartialMode = CompleteMode | UnixFileMode.UserWrite;

    private readonly DirectoryLock _lock;
    private readonly bool _isIndexNew;
    private long _imports;

    /// <param name="directory">The store's directory; made if there is none.</param>
    /// <param name="flushesToDisk">See <see cref="BlobStoreOptions.FlushesToDisk"/>.</param>
    /// <param name="step">Told before each change of the disk; a test throws there, as if the process died. Null = nobody is.</param>
    public DiskBackend(string directory, bool flushesToDisk, Action<string>? step)
    {
        Files = new StoreFiles(Path.GetFullPath(directory));
        FlushesToDisk = flushesToDisk;
        OnStep = step;
        Directory.CreateDirectory(Files.Root);
        _lock = DirectoryLock.Take(Files);
        try
        {
            foreach (string name in (string[])[Files.Temporary, Files.Partials, Files.Content])
                Directory.CreateDirectory(name);
            foreach (string file in Directory.GetFiles(Files.Temporary))
                File.Delete(file);
            _isIndexNew = !File.Exists(Files.Index);
            Index = new BlobIndex(Files.Index, flushesToDisk);
        }
        catch
        {
            _lock.Dispose();
            throw;
        }
    }

    /// <summary>Where things lie.</summary>
    public StoreFiles Files { get; }

    public BlobIndex Index { get; }

    /// <summary>See <see cref="BlobStoreOptions.FlushesToDisk"/>.</summary>
    public bool FlushesToDisk { get; }

    /// <summary>Told before each change of the disk; null = nobody is.</summary>
    public Action<string>? OnStep { get; }

    public IEnumerable<(BlobHash Hash, StoredBlob Blob)> LoadBlobs()
    {
        List<(BlobHash Hash, StoredBlob Blob)> blobs = Index.Read(BlobRows.ReadBlobs);
        FinishRemovals(blobs.Select(static blob => blob.Hash).ToHashSet());
        return blobs;
    }

    public IEnumerable<StoredPartial> LoadPartials()
    {
        var found = new HashSet<BlobHash>();
        if (_isIndexNew)
        {
            // The index was moved away: what has files is found again, by hashing.
            foreach ((string path, BlobHash? named) in Files.ListContent())
                if (named is { } hash && path == Files.Data(hash) && !File.Exists(Files.Record(hash)) && found.Add(hash))
                    WriteRecord(hash, (ulong)new FileInfo(path).Length, ChunkRanges.Empty, isClean: false, flush: false);
        }

        foreach (string path in Directory.GetFiles(Files.Partials))
        {
            if (!BlobHash.TryParse(Path.GetFileName(path), out BlobHash hash))
            {
                File.Delete(path); // a record that was being written
                continue;
            }

            var file = new FileInfo(path);
            (BlobBitfield Bitfield, bool IsClean)? record = file.Length <= PartialRecord.LengthMax
                ? PartialRecord.TryRead(File.ReadAllBytes(path))
                : null;
            yield return new StoredPartial(hash, record?.Bitfield, record?.IsClean ?? false, found.Contains(hash));
        }
    }

    public IEnumerable<BlobTag> LoadTags() => Index.Read(BlobRows.ReadTags);

    public long FreeBytes() => new DriveInfo(Files.Root).AvailableFreeSpace;

    public OpenBlob Open(BlobHash hash, StoredBlob blob)
    {
        IBlobFile data = blob.Content switch
        {
            ContentPlace.Inline => new MemoryBlobFile(ReadContent(hash)),
            ContentPlace.Reference => DiskBlobFile.OpenReference(hash, blob.Reference!, blob.Size),
            _ => OpenOwned(hash, Files.Data(hash), FileAccess.Read, blob.Size),
        };
        try
        {
            if (data.Length != blob.Size)
                throw new BlobDamagedException(hash, 0, $"it has {data.Length} bytes and not {blob.Size}");
            IBlobFile? outboard = blob.Outboard switch
            {
                OutboardPlace.None => null,
                OutboardPlace.Inline => new MemoryBlobFile(ReadOutboard(hash)),
                _ => DiskBlobFile.Open(Files.Outboard(hash), FileMode.OpenOrCreate, step: OnStep),
            };
            return new OpenBlob(data, outboard);
        }
        catch
        {
            data.Dispose();
            throw;
        }
    }

    public OpenBlob OpenPartial(BlobHash hash, ulong size)
    {
        Step("begin partial: record");
        if (!File.Exists(Files.Record(hash)))
            WriteRecord(hash, size, ChunkRanges.Empty, isClean: false, flush: false);
        Step("begin partial: files");
        MakeFolder(hash);
        DiskBlobFile data = DiskBlobFile.Open(Files.Data(hash), FileMode.OpenOrCreate, step: OnStep);
        try
        {
            // The length tells the size that is claimed even if the record is lost; it takes no room.
            if (data.Length != (long)size)
                data.SetLength((long)size);
            return new OpenBlob(data, DiskBlobFile.Open(Files.Outboard(hash), FileMode.OpenOrCreate, step: OnStep));
        }
        catch
        {
            data.Dispose();
            throw;
        }
    }

    public OpenBlob? TryOpenPartial(BlobHash hash, out ulong size)
    {
        var data = new FileInfo(Files.Data(hash));
        size = data.Exists ? (ulong)data.Length : 0;
        if (size is <= BlobStoreOptions.InlineBytesMax or > BlobStoreOptions.BlobSizeMax)
            return null;
        SetMode(data.FullName, PartialMode); // it may have been complete
        return OpenPartial(hash, size);
    }

    public void MarkDirty(BlobHash hash)
    {
        Step("mark dirty");
        using Microsoft.Win32.SafeHandles.SafeFileHandle record = File.OpenHandle(Files.Record(hash), FileMode.Open, FileAccess.Write);
        RandomAccess.Write(record, [PartialRecord.Dirty], PartialRecord.StateOffset);
    }

    public void RecordPartial(BlobHash hash, ulong size, ChunkRanges present, bool isClean)
    {
        Step("record partial: names");
        FlushNames(Files.Folder(hash));
        WriteRecord(hash, size, present, isClean, FlushesToDisk);
        FlushNames(Files.Partials);
    }

    public async ValueTask<StoredBlob> CompletePartialAsync(BlobHash hash, long size, OpenBlob files)
    {
        long length = Bao.BaoTree.OutboardLength((ulong)size);
        byte[]? inline = length <= BlobStoreOptions.InlineBytesMax ? new byte[length] : null;
        if (inline is not null)
            files.Outboard!.Read(0, inline);
        return await CommitOwnedAsync(hash, size, inline).ConfigureAwait(false);
    }

    public async ValueTask<bool> DemoteAsync(BlobHash hash, StoredBlob blob, OpenBlob files, ChunkRanges present)
    {
        if (blob.Content != ContentPlace.Owned)
        {
            await RemoveAsync(hash, blob).ConfigureAwait(false);
            return false;
        }

        SetMode(Files.Data(hash), PartialMode);
        if (blob.Outboard == OutboardPlace.Inline)
        {
            Step("demote: outboard");
            await File.WriteAllBytesAsync(Files.Outboard(hash), ReadOutboard(hash)).ConfigureAwait(false);
        }

        // The record first: until the row is gone it counts for nothing, and then it says what is left.
        RecordPartial(hash, (ulong)blob.Size, present, isClean: true);
        Step("demote: row");
        await Index.ChangeAsync(index => BlobRows.ForgetBlob(index, hash)).ConfigureAwait(false);
        return true;
    }

    public void RemovePartial(BlobHash hash)
    {
        // The record last: until then another process finds what is left to remove.
        Step("remove partial: data");
        Remove(Files.Data(hash));
        Step("remove partial: outboard");
        Remove(Files.Outboard(hash));
        Step("remove partial: record");
        File.Delete(Files.Record(hash));
    }

    public void TidyCompleted(BlobHash hash, StoredBlob blob)
    {
        Step("tidy: data");
        if (blob.Content == ContentPlace.Owned)
            SetMode(Files.Data(hash), CompleteMode);
        else
            Remove(Files.Data(hash));

        if (blob.Outboard != OutboardPlace.Owned)
        {
            Step("tidy: outboard");
            Remove(Files.Outboard(hash));
        }

        Step("tidy: record");
        File.Delete(Files.Record(hash));
    }

    public async ValueTask RemoveAsync(BlobHash hash, StoredBlob blob)
    {
        bool hasFiles = blob.Content == ContentPlace.Owned || blob.Outboard == OutboardPlace.Owned;
        Step("remove: row");
        await Index.ChangeAsync(index =>
        {
            BlobRows.ForgetBlob(index, hash);
            if (hasFiles)
                BlobRows.WriteRemoval(index, hash);
        }).ConfigureAwait(false);
        if (!hasFiles)
            return;
        RemoveFiles(hash);

        // Nobody waits for this: if it is lost, the next process finds no files and forgets the removal.
        _ = Index.ChangeAsync(index => BlobRows.ForgetRemoval(index, hash))
            .ContinueWith(static failed => _ = failed.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    public async ValueTask<StoredBlob> AddInlineAsync(BlobHash hash, ReadOnlyMemory<byte> content)
    {
        byte[] bytes = content.ToArray();
        var blob = new StoredBlob(bytes.Length, ContentPlace.Inline, OutboardPlace.None, null);
        Step("add inline");
        await Index.ChangeAsync(index =>
        {
            BlobRows.WriteBlob(index, hash, blob);
            BlobRows.WriteContent(index, hash, bytes);
        }).ConfigureAwait(false);
        return blob;
    }

    public IBlobImport BeginImport(FileReference? reference) =>
        new DiskImport(this, Path.Combine(Files.Temporary, $"{Interlocked.Increment(ref _imports)}"), reference);

    public async ValueTask SaveOutboardAsync(BlobHash hash, StoredBlob blob, OpenBlob files)
    {
        Step("save outboard");
        if (blob.Outboard == OutboardPlace.Inline)
        {
            var bytes = new byte[Bao.BaoTree.OutboardLength((ulong)blob.Size)];
            files.Outboard!.Read(0, bytes);
            await Index.ChangeAsync(index => BlobRows.WriteOutboard(index, hash, bytes)).ConfigureAwait(false);
        }
        else if (FlushesToDisk)
        {
            files.Outboard!.Flush();
        }
    }

    public async ValueTask<StoredBlob?> TryMoveOutAsync(BlobHash hash, StoredBlob blob, string path)
    {
        // The file has both names while the row is changed, so that one of them is right whenever the process dies.
        Step("move out: link");
        if (!DurableNames.TryLink(Files.Data(hash), path))
            return null;
        SetMode(path, PartialMode);
        FlushNames(Path.GetDirectoryName(path)!);
        StoredBlob moved = blob with
        {
            Content = ContentPlace.Reference,
            Reference = new FileReference(path, File.GetLastWriteTimeUtc(path).Ticks),
        };
        Step("move out: row");
        await Index.ChangeAsync(index => BlobRows.WriteBlob(index, hash, moved)).ConfigureAwait(false);
        Step("move out: unlink");
        Remove(Files.Data(hash));
        return moved;
    }

    public void WriteTags(IReadOnlyList<(string Name, HashAndFormat? Content)> changes)
    {
        Step("write tags");
        Index.ChangeAsync(index =>
        {
            foreach ((string name, HashAndFormat? content) in changes)
                BlobRows.WriteTag(index, name, content);
        }).GetAwaiter().GetResult();
    }

    public IReadOnlyList<(string Path, BlobHash? Hash)> ListFiles() => [.. Files.ListContent()];

    public bool Owns(string path, BlobHash hash, bool isPartial, StoredBlob? stored) =>
        (path == Files.Data(hash) && (isPartial || stored?.Content == ContentPlace.Owned))
        || (path == Files.Outboard(hash) && (isPartial || stored?.Outboard == OutboardPlace.Owned));

    public void RemoveOrphan(string path) => Remove(path);

    public void Dispose()
    {
        Index.Dispose();
        _lock.Dispose();
    }

    private static DiskBlobFile OpenOwned(BlobHash hash, string path, FileAccess access, long size)
    {
        try
        {
            return DiskBlobFile.Open(path, FileMode.Open, access);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BlobDamagedException(hash, 0, $"its file {path} ({size} bytes) is gone", e);
        }
    }

    /// <summary>Says that the disk is about to be changed.</summary>
    public void Step(string what) => OnStep?.Invoke(what);

    private static void SetMode(string path, UnixFileMode mode)
    {
        if (!OperatingSystem.IsWindows() && File.Exists(path))
            File.SetUnixFileMode(path, mode);
    }

    // Also when its folder was never made.
    private static void Remove(string path)
    {
        if (File.Exists(path))
            File.Delete(path);
    }

    /// <summary>Makes the folder of a blob, and its name durable.</summary>
    public void MakeFolder(BlobHash hash)
    {
        if (Directory.Exists(Files.Folder(hash)))
            return;
        Directory.CreateDirectory(Files.Folder(hash));
        FlushNames(Files.Content);
    }

    /// <summary>Makes the names in a folder durable.</summary>
    public void FlushNames(string directory)
    {
        if (FlushesToDisk)
            DurableNames.Flush(directory);
    }

    private byte[] ReadContent(BlobHash hash) =>
        Index.Read(index => BlobRows.ReadContent(index, hash)) ?? throw new BlobDamagedException(hash, 0, "its content is not in the index");

    // A lost one is made again from the content when it is missed.
    private byte[] ReadOutboard(BlobHash hash) => Index.Read(index => BlobRows.ReadOutboard(index, hash)) ?? [];

    /// <summary>Replaces the record of a partial blob.</summary>
    public void WriteRecord(BlobHash hash, ulong size, ChunkRanges present, bool isClean, bool flush)
    {
        string path = Files.Record(hash), temporary = path + ".new";
        try
        {
            Step("write record");
            using (Microsoft.Win32.SafeHandles.SafeFileHandle record = File.OpenHandle(temporary, FileMode.Create, FileAccess.Write))
            {
                RandomAccess.Write(record, PartialRecord.Write(size, present, isClean), 0);
                if (flush)
                    RandomAccess.FlushToDisk(record);
            }

            Step("name record");
            File.Move(temporary, path, overwrite: true);
        }
        catch (IOException e) when (DiskErrors.IsFull(e))
        {
            throw new StoreFullException($"no room for {path}: its disk is full; free some space, then go on", e);
        }
    }

    /// <summary>Makes a blob complete whose content and outboard have their names and are on the disk.</summary>
    /// <param name="outboard">A small one, for the index; null = it stays in its file.</param>
    public async ValueTask<StoredBlob> CommitOwnedAsync(BlobHash hash, long size, byte[]? outboard)
    {
        var blob = new StoredBlob(size, ContentPlace.Owned, outboard is null ? OutboardPlace.Owned : OutboardPlace.Inline, null);
        FlushNames(Files.Folder(hash));
        Step("complete: row");
        await Index.ChangeAsync(index =>
        {
            BlobRows.WriteBlob(index, hash, blob);
            if (outboard is not null)
                BlobRows.WriteOutboard(index, hash, outboard);
        }).ConfigureAwait(false);
        TidyCompleted(hash, blob);
        return blob;
    }

    private void RemoveFiles(BlobHash hash)
    {
        Step("remove: data");
        Remove(Files.Data(hash));
        Step("remove: outboard");
        Remove(Files.Outboard(hash));
    }

    // Goes on with removals that an earlier process began, unless the blob came again meanwhile.
    private void FinishRemovals(HashSet<BlobHash> here)
    {
        List<BlobHash> removals = Index.Read(BlobRows.ReadRemovals);
        foreach (BlobHash hash in removals)
            if (!here.Contains(hash) && !File.Exists(Files.Record(hash)))
                RemoveFiles(hash);
        if (removals.Count > 0)
            Index.ChangeAsync(index => removals.ForEach(hash => BlobRows.ForgetRemoval(index, hash))).GetAwaiter().GetResult();
    }
}
