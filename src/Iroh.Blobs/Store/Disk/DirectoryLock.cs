using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Iroh.Blobs.Store.Disk;

/// <summary>Keeps other processes out of a store. The system lets go of it when the process ends, however that is.</summary>
internal sealed class DirectoryLock : IDisposable
{
    private readonly SafeFileHandle _file;

    private DirectoryLock(SafeFileHandle file) => _file = file;

    /// <exception cref="BlobStoreInUseException">Another process, or this one, has the store open.</exception>
    public static DirectoryLock Take(StoreFiles files)
    {
        try
        {
            SafeFileHandle file = File.OpenHandle(files.Lock, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            File.WriteAllText(files.Process, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
            return new DirectoryLock(file);
        }
        catch (IOException e) when (e is not (DirectoryNotFoundException or PathTooLongException) && !Backends.DiskErrors.IsFull(e))
        {
            throw new BlobStoreInUseException(files.Root, ReadProcess(files.Process), e);
        }
    }

    public void Dispose() => _file.Dispose();

    private static int? ReadProcess(string path)
    {
        try
        {
            return int.TryParse(File.ReadAllText(path), CultureInfo.InvariantCulture, out int id) ? id : null;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
