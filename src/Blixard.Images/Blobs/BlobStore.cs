using Iroh.Blobs;
using Microsoft.Win32.SafeHandles;

namespace Blixard.Images.Blobs;

/// <summary>
/// Content on the disk, named by its hash. A file below <c>blobs/</c> is complete and was checked, whatever happened before: content is
/// written elsewhere, checked, flushed and then renamed. Thread-safe; one process at a time has a directory open.
/// </summary>
/// <remarks>
/// <c>blobs/HASH</c> the content; <c>groups/HASH</c> its group list, made again when it is missing or wrong; <c>partial/HASH</c> and
/// <c>partial/HASH.groups</c> a fetch that is not finished (<see cref="PartialBlob"/>); <c>temp/</c> files that are being packed, of no use
/// to a later process.
/// </remarks>
public sealed class BlobStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<BlobHash, long> _blobs = [];
    private readonly Dictionary<BlobHash, int> _pins = [];
    private readonly Dictionary<BlobHash, PartialTurn> _partials = [];
    private readonly long? _quota;
    private long _reserved;
    private long _temporaryNumber;

    private BlobStore(string directory, BlobStoreOptions options)
    {
        Root = directory;
        _quota = options.QuotaBytes;
    }

    /// <summary>The directory.</summary>
    public string Root { get; }

    /// <summary>Bytes of the finished blobs.</summary>
    public long UsedBytes
    {
        get
        {
            lock (_lock)
                return _blobs.Values.Sum();
        }
    }

    /// <summary>The finished blobs, ordered.</summary>
    public IReadOnlyList<BlobHash> Blobs
    {
        get
        {
            lock (_lock)
                return [.. _blobs.Keys.Order()];
        }
    }

    /// <summary>Opens a store, and makes it if there is none. What an earlier process left half done is removed, except fetches, which go on.</summary>
    /// <param name="directory">Its directory, nobody else's.</param>
    /// <param name="options">Null = the defaults.</param>
    /// <exception cref="IOException">The directory cannot be used.</exception>
    public static BlobStore Open(string directory, BlobStoreOptions? options = null)
    {
        options ??= new BlobStoreOptions();
        if (options.Check() is { } wrong)
            throw new ArgumentException(wrong, nameof(options));
        var store = new BlobStore(Path.GetFullPath(directory), options);
        foreach (string name in (string[])["blobs", "groups", "partial", "temp"])
            Directory.CreateDirectory(Path.Combine(store.Root, name));
        store.Load();
        return store;
    }

    /// <summary>Whether the blob is here, complete.</summary>
    public bool Contains(BlobHash hash) => TryGetSize(hash, out _);

    /// <summary>The size of a blob that is here, in bytes.</summary>
    public bool TryGetSize(BlobHash hash, out long size)
    {
        lock (_lock)
            return _blobs.TryGetValue(hash, out size);
    }

    /// <summary>Where the blob's file is, if it is here and still as long as it was. The file is read-only and shared by all VMs: whoever needs
    /// to write makes a copy or an overlay. It stays while it is pinned.</summary>
    public bool TryGetPath(BlobHash hash, out string path)
    {
        path = BlobPath(hash);
        if (!TryGetSize(hash, out long size))
            return false;
        var file = new FileInfo(path);
        if (file.Exists && file.Length == size)
            return true;

        // Somebody tampered with the directory: it counts as gone, and is fetched again.
        Discard(hash);
        return false;
    }

    /// <summary>Keeps a blob, here or still to come, from being collected until the result is disposed. Pins count.</summary>
    public IDisposable Pin(BlobHash hash) => Pin([hash]);

    /// <inheritdoc cref="Pin(BlobHash)"/>
    public IDisposable Pin(IEnumerable<BlobHash> hashes)
    {
        BlobHash[] pinned = [.. hashes];
        lock (_lock)
        {
            foreach (BlobHash hash in pinned)
                _pins[hash] = _pins.GetValueOrDefault(hash) + 1;
        }
        return new PinHandle(this, pinned);
    }

    /// <summary>Whether anything pins the blob.</summary>
    public bool IsPinned(BlobHash hash)
    {
        lock (_lock)
            return _pins.ContainsKey(hash);
    }

    /// <summary>Copies a file into the store, hashing on the way.</summary>
    /// <param name="path">The file; one byte to <see cref="ChunkGroups.BlobSizeMax"/>.</param>
    /// <param name="progress">Told of all bytes copied so far, after each group; null = nobody is.</param>
    /// <param name="cancellationToken">Leaves nothing behind.</param>
    /// <returns>What the content is called here, and a pin that the caller disposes when something else holds the blob.</returns>
    /// <exception cref="StoreFullException">There is no room.</exception>
    /// <exception cref="IOException">The file cannot be read, or its length is out of range.</exception>
    public async Task<AddedBlob> AddFileAsync(string path, Action<long>? progress, CancellationToken cancellationToken)
    {
        using SafeFileHandle source = File.OpenHandle(path, options: FileOptions.Asynchronous | FileOptions.SequentialScan);
        long expected = RandomAccess.GetLength(source);
        if (expected is < 1 or > ChunkGroups.BlobSizeMax)
            throw new IOException($"{path} has {expected} bytes; 1 to {ChunkGroups.BlobSizeMax} are possible");
        using IDisposable reservation = Reserve(expected, expected, $"{path} ({expected} bytes)");
        string temporary = Path.Combine(Root, "temp", $"{Environment.ProcessId}-{Interlocked.Increment(ref _temporaryNumber)}");
        try
        {
            var list = new byte[ChunkGroups.Count(expected) * BlobHash.Length];
            BlobHash hash;
            using (SafeFileHandle copy = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write, options: FileOptions.Asynchronous))
            {
                hash = await BlobContent.CopyAsync(source, expected, path, copy, list, progress, cancellationToken).ConfigureAwait(false);
                RandomAccess.FlushToDisk(copy);
            }

            IDisposable pin = Pin(hash);
            try
            {
                if (!TryGetPath(hash, out _))
                    Publish(hash, expected, temporary, list);
            }
            catch
            {
                pin.Dispose();
                throw;
            }
            return new AddedBlob(hash, expected, pin);
        }
        catch (IOException e) when (DurableFiles.IsFull(e))
        {
            throw Full($"{path} ({expected} bytes)", e);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>Stores content that is in memory.</summary>
    /// <param name="content">At least one byte and at most one group.</param>
    /// <returns>As <see cref="AddFileAsync"/>.</returns>
    /// <exception cref="StoreFullException">There is no room.</exception>
    public AddedBlob Add(ReadOnlySpan<byte> content)
    {
        ArgumentOutOfRangeException.ThrowIfZero(content.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(content.Length, ChunkGroups.GroupLength);
        BlobHash hash = BlobHash.Of(content);
        IDisposable pin = Pin(hash);
        string temporary = Path.Combine(Root, "temp", $"{Environment.ProcessId}-{Interlocked.Increment(ref _temporaryNumber)}");
        try
        {
            if (TryGetPath(hash, out _))
                return new AddedBlob(hash, content.Length, pin);
            using IDisposable reservation = Reserve(content.Length, content.Length, $"{content.Length} bytes");
            using (SafeFileHandle file = File.OpenHandle(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                RandomAccess.Write(file, content, 0);
                RandomAccess.FlushToDisk(file);
            }
            Publish(hash, content.Length, temporary, hash.ToArray());
            return new AddedBlob(hash, content.Length, pin);
        }
        catch (Exception e)
        {
            pin.Dispose();
            if (e is IOException io && DurableFiles.IsFull(io))
                throw Full($"{content.Length} bytes", e);
            throw;
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>Opens a blob for reading. Deletion does not disturb who has it open.</summary>
    /// <returns>Null if it is not here.</returns>
    /// <exception cref="DamagedBlobException">Its length is no longer right.</exception>
    public SafeFileHandle? TryOpen(BlobHash hash, out long size)
    {
        if (!TryGetSize(hash, out size))
            return null;
        try
        {
            SafeFileHandle file = File.OpenHandle(BlobPath(hash), options: FileOptions.Asynchronous);
            long length = RandomAccess.GetLength(file);
            if (length == size)
                return file;
            file.Dispose();
            throw new DamagedBlobException(hash, $"it has {length} bytes and not {size}");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>The group list of a blob that is here; computed from the content if the stored list is missing or wrong.</summary>
    /// <returns>Null if the blob is not here.</returns>
    /// <exception cref="DamagedBlobException">The content does not have the hash that it is stored under.</exception>
    public async Task<byte[]?> GetGroupListAsync(BlobHash hash, CancellationToken cancellationToken)
    {
        using SafeFileHandle? file = TryOpen(hash, out long size);
        if (file is null)
            return null;
        if (ChunkGroups.Count(size) == 1)
            return hash.ToArray();
        byte[]? stored = ReadSmall(GroupsPath(hash), ChunkGroups.Count(size) * BlobHash.Length);
        if (stored is not null && ChunkGroups.Combine(stored) == hash)
            return stored;
        byte[] list = await BlobContent.HashAsync(file, size, cancellationToken).ConfigureAwait(false);
        if (ChunkGroups.Combine(list) != hash)
            throw new DamagedBlobException(hash, "its content has another hash");
        WriteGroups(hash, list);
        return list;
    }

    /// <summary>Reads a blob from the disk and hashes it.</summary>
    /// <param name="hash">Which.</param>
    /// <param name="cancellationToken">Ends it early.</param>
    /// <returns>Null if the blob is not here, else whether it is what its name says.</returns>
    public async Task<bool?> VerifyAsync(BlobHash hash, CancellationToken cancellationToken)
    {
        try
        {
            using SafeFileHandle? file = TryOpen(hash, out long size);
            if (file is null)
                return null;
            byte[] list = await BlobContent.HashAsync(file, size, cancellationToken).ConfigureAwait(false);
            return BlobContent.RootOf(list) == hash;
        }
        catch (DamagedBlobException)
        {
            return false;
        }
    }

    /// <summary>Removes a blob, although it may be pinned: for one that was found damaged. The file that a VM has open stays readable to it.</summary>
    public void Discard(BlobHash hash)
    {
        lock (_lock)
        {
            _blobs.Remove(hash);
            File.Delete(GroupsPath(hash));
            File.Delete(BlobPath(hash));
        }
    }

    /// <summary>Removes the blobs that nothing pins.</summary>
    /// <param name="isReferenced">What else holds a blob; asked under the store's lock, it must be quick and must not call the store.</param>
    /// <param name="withUnfinished">Also fetches that are not finished and not running.</param>
    /// <returns>Bytes that became free.</returns>
    public long Collect(Func<BlobHash, bool> isReferenced, bool withUnfinished)
    {
        ArgumentNullException.ThrowIfNull(isReferenced);
        long freed = 0;
        lock (_lock)
        {
            foreach ((BlobHash hash, long size) in _blobs.Where(entry => !IsHeld(entry.Key, isReferenced)).ToArray())
            {
                Discard(hash);
                freed += size;
            }

            if (!withUnfinished)
                return freed;
            foreach (string file in Directory.GetFiles(Path.Combine(Root, "partial")))
            {
                if (!BlobHash.TryParse(Path.GetFileNameWithoutExtension(file), out BlobHash hash)
                    || (!_partials.ContainsKey(hash) && !IsHeld(hash, isReferenced)))
                {
                    freed += new FileInfo(file).Length;
                    File.Delete(file);
                }
            }
        }
        return freed;
    }

    /// <summary>Waits for the turn to fetch a blob, as one at a time may, and opens what is here of it.</summary>
    /// <param name="hash">The blob.</param>
    /// <param name="size">Its size in bytes, 1 to <see cref="ChunkGroups.BlobSizeMax"/>.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>The unfinished blob; null if it is here by now, complete.</returns>
    /// <exception cref="StoreFullException">There is no room for the rest of it.</exception>
    internal async Task<PartialBlob?> OpenPartialAsync(BlobHash hash, long size, CancellationToken cancellationToken)
    {
        PartialTurn turn;
        lock (_lock)
        {
            if (!_partials.TryGetValue(hash, out turn!))
                _partials.Add(hash, turn = new PartialTurn());
            turn.Users++;
        }

        try
        {
            await turn.Semaphore.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            Leave(hash, turn, hadTurn: false);
            throw;
        }

        try
        {
            if (TryGetPath(hash, out _))
            {
                Leave(hash, turn, hadTurn: true);
                return null;
            }
            return PartialBlob.Open(this, hash, size, () => Leave(hash, turn, hadTurn: true));
        }
        catch (IOException e) when (DurableFiles.IsFull(e))
        {
            Leave(hash, turn, hadTurn: true);
            throw Full($"blob {hash} ({size} bytes)", e);
        }
        catch
        {
            Leave(hash, turn, hadTurn: true);
            throw;
        }
    }

    /// <summary>Sets room aside until the result is disposed; by then the blob counts itself, or is given up.</summary>
    /// <param name="bytes">What counts for the quota.</param>
    /// <param name="bytesToWrite">What the disk must still have.</param>
    /// <param name="what">What it is for, for people.</param>
    internal IDisposable Reserve(long bytes, long bytesToWrite, string what)
    {
        lock (_lock)
        {
            long taken = _blobs.Values.Sum() + _reserved + IdlePartialBytes();
            if (_quota is { } quota && bytes > quota - taken)
                throw new StoreFullException($"no room for {what}: {taken} of the image store's {quota} bytes are taken (quota)");
            long free = new DriveInfo(Root).AvailableFreeSpace;
            if (bytesToWrite > free)
                throw new StoreFullException($"no room for {what}: the disk of {Root} has {free} bytes free");
            _reserved += bytes;
        }
        return new Reservation(this, bytes);
    }

    /// <summary>Makes checked and flushed content a blob.</summary>
    internal void Publish(BlobHash hash, long size, string file, byte[] groupList)
    {
        lock (_lock)
        {
            if (size > ChunkGroups.GroupLength)
                WriteGroups(hash, groupList);
            DurableFiles.Publish(file, BlobPath(hash));
            _blobs[hash] = size;
        }
    }

    internal StoreFullException Full(string what, Exception inner)
    {
        long free = 0;
        try
        {
            free = new DriveInfo(Root).AvailableFreeSpace;
        }
        catch (IOException)
        {
            // The number is only for the text.
        }
        return new StoreFullException($"no room for {what}: the disk of {Root} is full ({free} bytes free)", inner);
    }

    internal string PartialPath(BlobHash hash) => Path.Combine(Root, "partial", hash.ToString());

    private static byte[]? ReadSmall(string path, int length)
    {
        try
        {
            using SafeFileHandle file = File.OpenHandle(path);
            if (RandomAccess.GetLength(file) != length)
                return null;
            var bytes = new byte[length];
            return RandomAccess.Read(file, bytes, 0) == length ? bytes : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private string BlobPath(BlobHash hash) => Path.Combine(Root, "blobs", hash.ToString());

    private string GroupsPath(BlobHash hash) => Path.Combine(Root, "groups", hash.ToString());

    // A list can be made again, and is checked when it is read: it need not be durable, and not even be there.
    private void WriteGroups(BlobHash hash, byte[] list)
    {
        try
        {
            File.WriteAllBytes(GroupsPath(hash), list);
        }
        catch (IOException)
        {
            // A full disk, or two who write it at once, must not keep content from being used.
        }
    }

    private bool IsHeld(BlobHash hash, Func<BlobHash, bool> isReferenced) => _pins.ContainsKey(hash) || isReferenced(hash);

    // Fetches that go on reserve all they need; those that wait to be asked for again take what they have.
    private long IdlePartialBytes() => new DirectoryInfo(Path.Combine(Root, "partial")).EnumerateFiles()
        .Where(file => BlobHash.TryParse(file.Name, out BlobHash hash) && !_partials.ContainsKey(hash))
        .Sum(static file => file.Length);

    private void Load()
    {
        foreach (string file in Directory.GetFiles(Path.Combine(Root, "temp")))
            File.Delete(file);
        foreach (FileInfo file in new DirectoryInfo(Path.Combine(Root, "blobs")).EnumerateFiles())
            if (BlobHash.TryParse(file.Name, out BlobHash hash))
                _blobs.Add(hash, file.Length);
        foreach (string file in Directory.GetFiles(Path.Combine(Root, "groups")))
            if (!BlobHash.TryParse(Path.GetFileName(file), out BlobHash hash) || !_blobs.ContainsKey(hash))
                File.Delete(file);

        // A crash between a fetch's last step, the renaming, and its tidying leaves the bookkeeping behind.
        foreach (string file in Directory.GetFiles(Path.Combine(Root, "partial")))
            if (!BlobHash.TryParse(Path.GetFileNameWithoutExtension(file), out BlobHash hash) || _blobs.ContainsKey(hash))
                File.Delete(file);
    }

    private void Leave(BlobHash hash, PartialTurn turn, bool hadTurn)
    {
        lock (_lock)
        {
            if (--turn.Users == 0)
                _partials.Remove(hash);
            if (hadTurn)
                turn.Semaphore.Release();
        }
    }

    private void Unpin(BlobHash[] hashes)
    {
        lock (_lock)
        {
            foreach (BlobHash hash in hashes)
                if (_pins[hash] > 1)
                    _pins[hash]--;
                else
                    _pins.Remove(hash);
        }
    }

    private void Release(long bytes)
    {
        lock (_lock)
            _reserved -= bytes;
    }

    private sealed class PartialTurn
    {
        public SemaphoreSlim Semaphore { get; } = new(1, 1);

        public int Users { get; set; }
    }

    private sealed class PinHandle(BlobStore store, BlobHash[] hashes) : IDisposable
    {
        private BlobHash[]? _hashes = hashes;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _hashes, null) is { } pinned)
                store.Unpin(pinned);
        }
    }

    private sealed class Reservation(BlobStore store, long bytes) : IDisposable
    {
        private long _bytes = bytes;

        public void Dispose() => store.Release(Interlocked.Exchange(ref _bytes, 0));
    }
}
