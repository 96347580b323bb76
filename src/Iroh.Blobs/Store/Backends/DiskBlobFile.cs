using Microsoft.Win32.SafeHandles;

namespace Iroh.Blobs.Store.Backends;

/// <summary>A file on the disk.</summary>
/// <remarks>
/// Writes and short reads are made by the caller's thread: they go to the page cache in microseconds, less than it takes to hand them to
/// another thread.
/// </remarks>
internal sealed class DiskBlobFile : IBlobFile
{
    private readonly SafeFileHandle _handle;
    private readonly string _path;
    private readonly Action<string>? _step;

    private DiskBlobFile(SafeFileHandle handle, string path, Action<string>? step)
    {
        _handle = handle;
        _path = path;
        _step = step;
    }

    public bool IsOnDevice => true;

    public long Length => RandomAccess.GetLength(_handle);

    /// <summary>Opens a file of the store.</summary>
    /// <param name="step">Told before each write; see <see cref="Disk.DiskBackend"/>.</param>
    /// <exception cref="FileNotFoundException">There is none, and none is to be made.</exception>
    public static DiskBlobFile Open(string path, FileMode mode, FileAccess access = FileAccess.ReadWrite, Action<string>? step = null) =>
        // Exports, imports of the same file and other stores may read it at the same time; writers coordinate through the entry.
        new(File.OpenHandle(path, mode, access, FileShare.ReadWrite | FileShare.Delete), path, step);

    /// <summary>Opens somebody else's file, if it is still the one that was hashed.</summary>
    /// <exception cref="BlobDamagedException">It is gone or has changed.</exception>
    public static DiskBlobFile OpenReference(BlobHash hash, FileReference reference, long size)
    {
        try
        {
            DiskBlobFile file = Open(reference.Path, FileMode.Open, FileAccess.Read);
            if (file.Length == size && File.GetLastWriteTimeUtc(reference.Path).Ticks == reference.ModifiedTicks)
                return file;
            file.Dispose();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BlobDamagedException(hash, 0, $"the file that it was added from, {reference.Path}, cannot be read: {e.Message}", e);
        }

        throw new BlobDamagedException(hash, 0, $"the file that it was added from, {reference.Path}, has changed since");
    }

    public int Read(long offset, Span<byte> destination)
    {
        int total = 0;
        while (total < destination.Length)
        {
            int count = RandomAccess.Read(_handle, destination[total..], offset + total);
            if (count == 0)
                break;
            total += count;
        }

        return total;
    }

    public async ValueTask<int> ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellationToken)
    {
        int total = 0;
        while (total < destination.Length)
        {
            int count = await RandomAccess.ReadAsync(_handle, destination[total..], offset + total, cancellationToken).ConfigureAwait(false);
            if (count == 0)
                break;
            total += count;
        }

        return total;
    }

    public void Write(long offset, ReadOnlySpan<byte> content)
    {
        _step?.Invoke("write");
        try
        {
            RandomAccess.Write(_handle, content, offset);
        }
        catch (IOException e) when (DiskErrors.IsFull(e))
        {
            throw Full(e);
        }
    }

    public void SetLength(long length)
    {
        try
        {
            RandomAccess.SetLength(_handle, length);
        }
        catch (IOException e) when (DiskErrors.IsFull(e))
        {
            throw Full(e);
        }
    }

    public void Flush()
    {
        try
        {
            RandomAccess.FlushToDisk(_handle);
        }
        catch (IOException e) when (DiskErrors.IsFull(e))
        {
            throw Full(e);
        }
    }

    public void Dispose() => _handle.Dispose();

    private StoreFullException Full(IOException e) => new($"no room for {_path}: its disk is full; free some space, then go on", e);
}
