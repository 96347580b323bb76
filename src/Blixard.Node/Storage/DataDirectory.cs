using System.Globalization;

namespace Blixard.Node.Storage;

/// <summary>A node's data directory, held by this process alone until it is disposed.</summary>
internal sealed class DataDirectory : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly FileStream _lock;

    private DataDirectory(string path, FileStream heldLock)
    {
        (Path, _lock) = (path, heldLock);
        KeyPath = In("key");
        NodeFilePath = In("node.json");
        MembersPath = In("members.pb");
        StorePath = In("store.db");
        EtcdPath = In("etcd");
        BlobsPath = In("blobs");
        ImageFilesPath = In("image-files");
        DocumentsPath = In("documents");
        VmsPath = In("vms");
        GuardPath = In("guard");
        ApiSocketPath = NodeDefaults.ApiSocketPath(path);
    }

    public string Path { get; }

    public string KeyPath { get; }

    public string NodeFilePath { get; }

    public string MembersPath { get; }

    public string StorePath { get; }

    public string EtcdPath { get; }

    /// <summary>The directory of the store of content.</summary>
    public string BlobsPath { get; }

    /// <summary>The directory of the documents in which catalogues travel.</summary>
    public string DocumentsPath { get; }

    /// <summary>The directory of files of images that are made again when they are wanted.</summary>
    public string ImageFilesPath { get; }

    public string VmsPath { get; }

    /// <summary>The directory of the guard of VMs that may move.</summary>
    public string GuardPath { get; }

    public string ApiSocketPath { get; }

    /// <summary>Makes the directory (mode 0700) if it is missing, takes it, and ends what a killed <c>store restore</c> or <c>store
    /// migrate</c> had decided.</summary>
    /// <exception cref="NodeStartException">It cannot be made or written, or another process has it.</exception>
    public static DataDirectory Open(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        try
        {
            if (!Directory.Exists(path))
                Create(path);
            // FileShare.None is flock(LOCK_EX), which the kernel ends with the process, however that ends.
            return Take(path, new FileStream(System.IO.Path.Combine(path, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException e) when (IsHeld(path) && Holder(path) is { } pid)
        {
            throw new NodeStartException(NodeStartFailure.Failed, $"Another blixard node (pid {pid}) already uses {path}.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new NodeStartException(NodeStartFailure.Failed, $"The data directory {path} cannot be used: {e.Message}", e);
        }
    }

    /// <summary>Puts the data of an etcd that is of no cluster any more aside, as <c>etcd.left-N</c>; nothing if there are none.</summary>
    public void PutEtcdAway()
    {
        if (!Directory.Exists(EtcdPath))
            return;
        int number = 1;
        while (Directory.Exists($"{EtcdPath}.left-{number}"))
            number++;
        Directory.Move(EtcdPath, $"{EtcdPath}.left-{number}");
    }

    public void Dispose() => _lock.Dispose();

    private static DataDirectory Take(string path, FileStream held)
    {
        try
        {
            File.WriteAllText(PidPath(path), Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
            StoreSwitch.Finish(path);
            return new DataDirectory(path, held);
        }
        catch (Exception)
        {
            held.Dispose();
            throw;
        }
    }

    private static void Create(string path)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path, OwnerOnly);
    }

    private static bool IsHeld(string path)
    {
        try
        {
            using FileStream free = new(System.IO.Path.Combine(path, "lock"), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return false;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private static string PidPath(string path) => System.IO.Path.Combine(path, "pid");

    // Who holds the lock, as it wrote beside it.
    private static int? Holder(string path)
    {
        try
        {
            return int.TryParse(File.ReadAllText(PidPath(path)), CultureInfo.InvariantCulture, out int pid) ? pid : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private string In(string name) => System.IO.Path.Combine(Path, name);
}
