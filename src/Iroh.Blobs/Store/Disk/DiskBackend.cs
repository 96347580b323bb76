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

    private readonly StoreFiles _files;
    private readonly BlobIndex _index;
    private readonly DirectoryLock _lock;
    private readonly bool _flushes;
    private readonly Action<string>? _step;
    private readonly bool _isIndexNew;
    private long _imports;

    /// <param name="directory">The store's directory; made if there is none.</param>
    /// <param name="flushesToDisk">See <see cref="BlobStoreOptions.FlushesToDisk"/>.</param>
    /// <param name="step">Told before each change of the disk; a test throws there, as if the process died. Null = nobody is.</param>
    public DiskBackend(string directory, bool flushesToDisk, Action<string>? step)
    {
        _files = new StoreFiles(Path.GetFullPath(directory));
        _flushes = flushesToDisk;
        _step = step;
        Directory.CreateDirectory(_files.Root);
        _lock = DirectoryLock.Take(_files);
        try
        {
            foreach (string name in (string[])[_files.Temporary, _files.Partials, _files.Content])
                Directory.CreateDirectory(name);
            foreach (string file in Directory.GetFiles(_files.Temporary))
                File.Delete(file);
            _isIndexNew = !File.Exists(_files.Index);
            _index = new BlobIndex(_files.Index, flushesToDisk);
        }
        catch
        {
            _lock.Dispose();
            throw;
        }
    }

    private static object? Nothing => null;

    public IEnumerable<(BlobHash Hash, StoredBlob Blob)> LoadBlobs()
    {
        List<(BlobHash Hash, StoredBlob Blob)> blobs = _index.Read(static index => index.Query(
            "SELECT hash, size, content, outboard, path, modified FROM blobs",
            static row => (
                new BlobHash(row.GetFieldValue<byte[]>(0)),
                new StoredBlob(
                    row.GetInt64(1), (ContentPlace)row.GetInt32(2), (OutboardPlace)row.GetInt32(3),
                    row.IsDBNull(4) ? null : new FileReference(row.GetString(4), row.GetInt64(5))))));
        FinishRemovals(blobs.Select(static blob => blob.Hash).ToHashSet());
        return blobs;
    }

    public IEnumerable<StoredPartial> LoadPartials()
    {
        var found = new HashSet<BlobHash>();
        if (_isIndexNew)
        {
            // The index was moved away: what has files is found again, by hashing.
            foreach ((string path, BlobHash? named) in _files.ListContent())
                if (named is { } hash && path == _files.Data(hash) && !File.Exists(_files.Record(hash)) && found.Add(hash))
                    WriteRecord(hash, (ulong)new FileInfo(path).Length, ChunkRanges.Empty, isClean: false, flush: false);
        }

        foreach (string path in Directory.GetFiles(_files.Partials))
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

    public IEnumerable<BlobTag> LoadTags() => _index.Read(static index => index.Query(
        "SELECT name, hash, format FROM tags",
        static row => new BlobTag(row.GetString(0), new HashAndFormat(new BlobHash(row.GetFieldValue<byte[]>(1)), (BlobFormat)row.GetInt32(2)))));

    public long FreeBytes() => new DriveInfo(_files.Root).AvailableFreeSpace;

    public OpenBlob Open(BlobHash hash, StoredBlob blob)
    {
        IBlobFile data = blob.Content switch
        {
            ContentPlace.Inline => new MemoryBlobFile(ReadInline("contents", hash)),
            ContentPlace.Reference => DiskBlobFile.OpenReference(hash, blob.Reference!, blob.Size),
            _ => OpenOwned(hash, _files.Data(hash), FileAccess.Read, blob.Size),
        };
        try
        {
            if (data.Length != blob.Size)
                throw new BlobDamagedException(hash, 0, $"it has {data.Length} bytes and not {blob.Size}");
            IBlobFile? outboard = blob.Outboard switch
            {
                OutboardPlace.None => null,
                OutboardPlace.Inline => new MemoryBlobFile(ReadInline("outboards", hash)),

                // A lost one is made again from the content when it is missed.
                _ => DiskBlobFile.Open(_files.Outboard(hash), FileMode.OpenOrCreate, step: _step),
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
        if (!File.Exists(_files.Record(hash)))
            WriteRecord(hash, size, ChunkRanges.Empty, isClean: false, flush: false);
        Step("begin partial: files");
        MakeFolder(hash);
        DiskBlobFile data = DiskBlobFile.Open(_files.Data(hash), FileMode.OpenOrCreate, step: _step);
        try
        {
            // The length tells the size that is claimed even if the record is lost; it takes no room.
            if (data.Length != (long)size)
                data.SetLength((long)size);
            return new OpenBlob(data, DiskBlobFile.Open(_files.Outboard(hash), FileMode.OpenOrCreate, step: _step));
        }
        catch
        {
            data.Dispose();
            throw;
        }
    }

    public OpenBlob? TryOpenPartial(BlobHash hash, out ulong size)
    {
        var data = new FileInfo(_files.Data(hash));
        size = data.Exists ? (ulong)data.Length : 0;
        return size is <= BlobStoreOptions.InlineBytesMax or > BlobStoreOptions.BlobSizeMax ? null : OpenPartial(hash, size);
    }

    public void MarkDirty(BlobHash hash)
    {
        Step("mark dirty");
        using Microsoft.Win32.SafeHandles.SafeFileHandle record = File.OpenHandle(_files.Record(hash), FileMode.Open, FileAccess.Write);
        RandomAccess.Write(record, [PartialRecord.Dirty], PartialRecord.StateOffset);
    }

    public void RecordPartial(BlobHash hash, ulong size, ChunkRanges present, bool isClean)
    {
        Step("record partial: names");
        FlushNames(_files.Folder(hash));
        WriteRecord(hash, size, present, isClean, _flushes);
        FlushNames(_files.Partials);
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

        SetMode(_files.Data(hash), PartialMode);
        if (blob.Outboard == OutboardPlace.Inline)
        {
            Step("demote: outboard");
            await File.WriteAllBytesAsync(_files.Outboard(hash), ReadInline("outboards", hash)).ConfigureAwait(false);
        }

        // The record first: until the row is gone it counts for nothing, and then it says what is left.
        RecordPartial(hash, (ulong)blob.Size, present, isClean: true);
        Step("demote: row");
        await _index.ChangeAsync(index => ForgetRows(index, hash)).ConfigureAwait(false);
        return true;
    }

    public void RemovePartial(BlobHash hash)
    {
        // The record last: until then another process finds what is left to remove.
        Step("remove partial: data");
        Remove(_files.Data(hash));
        Step("remove partial: outboard");
        Remove(_files.Outboard(hash));
        Step("remove partial: record");
        File.Delete(_files.Record(hash));
    }

    public void TidyCompleted(BlobHash hash, StoredBlob blob)
    {
        Step("tidy: data");
        if (blob.Content == ContentPlace.Owned)
            SetMode(_files.Data(hash), CompleteMode);
        else
            Remove(_files.Data(hash));

        if (blob.Outboard != OutboardPlace.Owned)
        {
            Step("tidy: outboard");
            Remove(_files.Outboard(hash));
        }

        Step("tidy: record");
        File.Delete(_files.Record(hash));
    }

    public async ValueTask RemoveAsync(BlobHash hash, StoredBlob blob)
    {
        bool hasFiles = blob.Content == ContentPlace.Owned || blob.Outboard == OutboardPlace.Owned;
        Step("remove: row");
        await _index.ChangeAsync(index =>
        {
            ForgetRows(index, hash);
            if (hasFiles)
                index.Run("INSERT OR IGNORE INTO removals VALUES ($1)", hash.ToArray());
        }).ConfigureAwait(false);
        if (!hasFiles)
            return;
        RemoveFiles(hash);

        // Nobody waits for this: if it is lost, the next process finds no files and forgets the removal.
        _ = _index.ChangeAsync(index => index.Run("DELETE FROM removals WHERE hash = $1", hash.ToArray()))
            .ContinueWith(static failed => _ = failed.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
    }

    public async ValueTask<StoredBlob> AddInlineAsync(BlobHash hash, ReadOnlyMemory<byte> content)
    {
        byte[] bytes = content.ToArray();
        var blob = new StoredBlob(bytes.Length, ContentPlace.Inline, OutboardPlace.None, null);
        Step("add inline");
        await _index.ChangeAsync(index =>
        {
            WriteRow(index, hash, blob);
            index.Run("INSERT OR REPLACE INTO contents VALUES ($1, $2)", hash.ToArray(), bytes);
        }).ConfigureAwait(false);
        return blob;
    }

    public IBlobImport BeginImport(FileReference? reference) =>
        new DiskImport(this, Path.Combine(_files.Temporary, $"{Interlocked.Increment(ref _imports)}"), reference);

    public async ValueTask SaveOutboardAsync(BlobHash hash, StoredBlob blob, OpenBlob files)
    {
        Step("save outboard");
        if (blob.Outboard == OutboardPlace.Inline)
        {
            var bytes = new byte[Bao.BaoTree.OutboardLength((ulong)blob.Size)];
            files.Outboard!.Read(0, bytes);
            await _index.ChangeAsync(index => WriteOutboard(index, hash, bytes)).ConfigureAwait(false);
        }
        else if (_flushes)
        {
            files.Outboard!.Flush();
        }
    }

    public async ValueTask<StoredBlob?> TryMoveOutAsync(BlobHash hash, StoredBlob blob, string path)
    {
        // The file has both names while the row is changed, so that one of them is right whenever the process dies.
        Step("move out: link");
        if (!DurableNames.TryLink(_files.Data(hash), path))
            return null;
        SetMode(path, PartialMode);
        FlushNames(Path.GetDirectoryName(path)!);
        StoredBlob moved = blob with
        {
            Content = ContentPlace.Reference,
            Reference = new FileReference(path, File.GetLastWriteTimeUtc(path).Ticks),
        };
        Step("move out: row");
        await _index.ChangeAsync(index => WriteRow(index, hash, moved)).ConfigureAwait(false);
        Step("move out: unlink");
        Remove(_files.Data(hash));
        return moved;
    }

    public void WriteTags(IReadOnlyList<(string Name, HashAndFormat? Content)> changes)
    {
        Step("write tags");
        _index.ChangeAsync(index =>
        {
            foreach ((string name, HashAndFormat? content) in changes)
            {
                if (content is { } kept)
                    index.Run("INSERT OR REPLACE INTO tags VALUES ($1, $2, $3)", name, kept.Hash.ToArray(), (int)kept.Format);
                else
                    index.Run("DELETE FROM tags WHERE name = $1", name);
            }
        }).GetAwaiter().GetResult();
    }

    public IReadOnlyList<string> FindOrphans(Func<BlobHash, bool> isKnown, bool remove)
    {
        string[] orphans = [.. _files.ListContent().Where(file => file.Hash is not { } hash || !isKnown(hash)).Select(static file => file.Path)];
        if (remove)
        {
            foreach (string orphan in orphans)
                File.Delete(orphan);
        }

        return orphans;
    }

    public void Dispose()
    {
        _index.Dispose();
        _lock.Dispose();
    }

    private static void ForgetRows(IndexConnection index, BlobHash hash)
    {
        foreach (string table in (string[])["blobs", "contents", "outboards"])
            index.Run($"DELETE FROM {table} WHERE hash = $1", hash.ToArray());
    }

    private static void WriteRow(IndexConnection index, BlobHash hash, StoredBlob blob) => index.Run(
        "INSERT OR REPLACE INTO blobs VALUES ($1, $2, $3, $4, $5, $6)",
        hash.ToArray(), blob.Size, (int)blob.Content, (int)blob.Outboard, blob.Reference?.Path ?? Nothing, blob.Reference?.ModifiedTicks ?? Nothing);

    private static void WriteOutboard(IndexConnection index, BlobHash hash, byte[] bytes) =>
        index.Run("INSERT OR REPLACE INTO outboards VALUES ($1, $2)", hash.ToArray(), bytes);

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

    private void Step(string what) => _step?.Invoke(what);

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

    private void MakeFolder(BlobHash hash)
    {
        if (Directory.Exists(_files.Folder(hash)))
            return;
        Directory.CreateDirectory(_files.Folder(hash));
        FlushNames(_files.Content);
    }

    private void FlushNames(string directory)
    {
        if (_flushes)
            DurableNames.Flush(directory);
    }

    private byte[] ReadInline(string table, BlobHash hash) => _index.Read(index => index.Query(
        $"SELECT bytes FROM {table} WHERE hash = $1", static row => row.GetFieldValue<byte[]>(0), hash.ToArray())) switch
    {
        [byte[] bytes] => bytes,
        _ => throw new BlobDamagedException(hash, 0, $"it is missing in the {table} of the index"),
    };

    private void WriteRecord(BlobHash hash, ulong size, ChunkRanges present, bool isClean, bool flush)
    {
        string path = _files.Record(hash), temporary = path + ".new";
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

    // The content and the outboard have their names and are on the disk.
    private async ValueTask<StoredBlob> CommitOwnedAsync(BlobHash hash, long size, byte[]? outboard)
    {
        var blob = new StoredBlob(size, ContentPlace.Owned, outboard is null ? OutboardPlace.Owned : OutboardPlace.Inline, null);
        FlushNames(_files.Folder(hash));
        Step("complete: row");
        await _index.ChangeAsync(index =>
        {
            WriteRow(index, hash, blob);
            if (outboard is not null)
                WriteOutboard(index, hash, outboard);
        }).ConfigureAwait(false);
        TidyCompleted(hash, blob);
        return blob;
    }

    private void RemoveFiles(BlobHash hash)
    {
        Step("remove: data");
        Remove(_files.Data(hash));
        Step("remove: outboard");
        Remove(_files.Outboard(hash));
    }

    // Goes on with removals that an earlier process began, unless the blob came again meanwhile.
    private void FinishRemovals(HashSet<BlobHash> here)
    {
        List<BlobHash> removals = _index.Read(static index => index.Query("SELECT hash FROM removals", static row => new BlobHash(row.GetFieldValue<byte[]>(0))));
        foreach (BlobHash hash in removals)
            if (!here.Contains(hash) && !File.Exists(_files.Record(hash)))
                RemoveFiles(hash);
        if (removals.Count > 0)
            _index.ChangeAsync(static index => index.Run("DELETE FROM removals")).GetAwaiter().GetResult();
    }

    private sealed class DiskImport(DiskBackend backend, string path, FileReference? reference) : IBlobImport
    {
        private readonly List<(string Path, IBlobFile File)> _open = [];
        private DiskBlobFile? _data;
        private DiskBlobFile? _outboard;
        private DiskBlobFile? _pairs;

        public IBlobFile Data => _data ??= Make("data");

        public IBlobFile Outboard => _outboard ??= Make("outboard");

        public IBlobFile Pairs => _pairs ??= Make("pairs");

        public async ValueTask<StoredBlob> PublishAsync(BlobHash hash, long size)
        {
            if (backend._flushes)
            {
                await Task.Run(() =>
                {
                    _data?.Flush();
                    Outboard.Flush();
                }).ConfigureAwait(false);
            }

            long length = Outboard.Length;
            byte[]? inline = length <= BlobStoreOptions.InlineBytesMax ? new byte[length] : null;
            if (inline is not null)
                Outboard.Read(0, inline);
            backend.MakeFolder(hash);
            if (reference is not null)
                return await PublishReferenceAsync(hash, size, inline).ConfigureAwait(false);

            // The record makes a partial blob of what has its name already, if the process dies before the row is there.
            backend.WriteRecord(hash, (ulong)size, ChunkRanges.Empty, isClean: false, flush: false);
            backend.Step("publish: outboard");
            File.Move(path + ".outboard", backend._files.Outboard(hash), overwrite: true);
            backend.Step("publish: data");
            File.Move(path + ".data", backend._files.Data(hash), overwrite: true);
            return await backend.CommitOwnedAsync(hash, size, inline).ConfigureAwait(false);
        }

        public void Dispose()
        {
            foreach ((string name, IBlobFile file) in _open)
            {
                file.Dispose();
                File.Delete(name);
            }
        }

        private async ValueTask<StoredBlob> PublishReferenceAsync(BlobHash hash, long size, byte[]? inline)
        {
            var blob = new StoredBlob(size, ContentPlace.Reference, inline is null ? OutboardPlace.Owned : OutboardPlace.Inline, reference);
            if (inline is null)
            {
                backend.Step("publish: outboard");
                File.Move(path + ".outboard", backend._files.Outboard(hash), overwrite: true);
                backend.FlushNames(backend._files.Folder(hash));
            }

            backend.Step("publish: row");
            await backend._index.ChangeAsync(index =>
            {
                WriteRow(index, hash, blob);
                if (inline is not null)
                    WriteOutboard(index, hash, inline);
            }).ConfigureAwait(false);
            backend.TidyCompleted(hash, blob);
            return blob;
        }

        private DiskBlobFile Make(string ending)
        {
            DiskBlobFile file = DiskBlobFile.Open($"{path}.{ending}", FileMode.Create, step: backend._step);
            _open.Add(($"{path}.{ending}", file));
            return file;
        }
    }
}
