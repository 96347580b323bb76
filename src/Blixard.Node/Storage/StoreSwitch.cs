namespace Blixard.Node.Storage;

/// <summary>
/// Puts another store in the place of the one in a data directory, so that after a kill or a power cut at any moment either the
/// old one is complete or the new one is. The old one is kept aside.
/// </summary>
/// <remarks>
/// The new store and its node.json are built and synced in <c>store.new/</c>. Renaming that to <c>store.next/</c> is the decision:
/// before it the old store is untouched, and <c>store.new/</c> is a leftover that the next switch removes; after it whoever opens
/// the data directory first ends the move, each step of which is one rename that is not done twice.
/// </remarks>
internal sealed class StoreSwitch : IDisposable
{
    private const string StagingName = "store.new";
    private const string DecidedName = "store.next";

    // In store.next: the name of the directory that takes the old store.
    private const string AsideName = "aside";
    private const string NodeFileName = "node.json";
    private const string SqliteName = "store.db";
    private const string EtcdName = "etcd";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    // What belongs to a store: both engines' files, and the list of the members that it held.
    private static readonly string[] s_parts = [SqliteName, SqliteName + "-wal", SqliteName + "-shm", EtcdName, "members.pb"];

    private readonly string _directory;
    private readonly Action<string> _onStep;

    private StoreSwitch(string directory, Action<string> onStep)
    {
        (_directory, _onStep) = (directory, onStep);
        Staging = Path.Combine(directory, StagingName);
    }

    /// <summary>Where the new store is built; anything may be in here until <see cref="Commit"/>.</summary>
    public string Staging { get; }

    /// <summary>Where a new SQLite store is built.</summary>
    public string SqlitePath => Path.Combine(Staging, SqliteName);

    /// <summary>Where a new etcd directory is built.</summary>
    public string EtcdPath => Path.Combine(Staging, EtcdName);

    /// <summary>Whether a data directory holds a store of either engine.</summary>
    public static bool HasStore(string directory) =>
        File.Exists(Path.Combine(directory, SqliteName)) || Directory.Exists(Path.Combine(directory, EtcdName));

    /// <summary>Begins a switch.</summary>
    /// <param name="directory">The data directory, which this process holds.</param>
    /// <param name="onStep">Told each step after it is done; for tests, which look at what a kill would leave.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static StoreSwitch Begin(DataDirectory directory, Action<string>? onStep = null)
    {
        var begun = new StoreSwitch(directory.Path, onStep ?? (static _ => { }));
        if (Directory.Exists(begun.Staging))
            Directory.Delete(begun.Staging, recursive: true);
        CreatePrivate(begun.Staging);
        begun._onStep("staged");
        return begun;
    }

    /// <summary>Makes a directory with mode 0700.</summary>
    public static void CreatePrivate(string path)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(path);
        else
            Directory.CreateDirectory(path, OwnerOnly);
    }

    /// <summary>Says that what <see cref="Staging"/> holds is the new store, and moves it into its place.</summary>
    /// <param name="file">What the node remembers from now on.</param>
    /// <param name="aside">The name of a directory, not there yet, for the old store; it is only made if there is one.</param>
    /// <exception cref="IOException">It cannot be written. Whether the switch happens is decided; the next opening of the directory ends it.</exception>
    public void Commit(NodeFile file, string aside)
    {
        file.Write(Path.Combine(Staging, NodeFileName));
        File.WriteAllText(Path.Combine(Staging, AsideName), aside);
        SyncTree(Staging);
        _onStep("synced");
        Directory.Move(Staging, Path.Combine(_directory, DecidedName));
        DurableFiles.FlushDirectory(_directory);
        _onStep("decided");
        Finish(_directory, _onStep);
    }

    /// <summary>Removes what was built, if it was not committed.</summary>
    public void Dispose()
    {
        if (Directory.Exists(Staging))
            Directory.Delete(Staging, recursive: true);
    }

    /// <summary>Ends a switch that was decided; nothing if there is none.</summary>
    /// <param name="directory">The data directory, which this process holds.</param>
    /// <param name="onStep">Told each step after it is done.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Finish(string directory, Action<string>? onStep = null)
    {
        string decided = Path.Combine(directory, DecidedName);
        if (!Directory.Exists(decided))
            return;
        onStep ??= static _ => { };
        string? part = new[] { SqliteName, EtcdName }.FirstOrDefault(name => Path.Exists(Path.Combine(decided, name)));
        if (part is not null)
        {
            // What stands in the store's place is still the old one.
            MoveAside(directory, File.ReadAllText(Path.Combine(decided, AsideName)), onStep);
            Directory.Move(Path.Combine(decided, part), Path.Combine(directory, part));
            onStep($"moved {part}");
        }

        string file = Path.Combine(decided, NodeFileName);
        if (File.Exists(file))
            File.Move(file, Path.Combine(directory, NodeFileName), overwrite: true);
        DurableFiles.FlushDirectory(directory);
        onStep("moved node.json");
        Directory.Delete(decided, recursive: true);
        DurableFiles.FlushDirectory(directory);
        onStep("done");
    }

    private static void MoveAside(string directory, string aside, Action<string> onStep)
    {
        // The name is one of ours; still, nothing outside of the data directory is touched.
        string target = Path.Combine(directory, Path.GetFileName(aside));
        foreach (string part in s_parts)
        {
            string path = Path.Combine(directory, part);
            if (!Path.Exists(path))
                continue;
            CreatePrivate(target);
            Directory.Move(path, Path.Combine(target, part));
            onStep($"set aside {part}");
        }

        if (Directory.Exists(target))
            DurableFiles.FlushDirectory(target);
        DurableFiles.FlushDirectory(directory);
    }

    // Files before the directories that name them.
    private static void SyncTree(string directory)
    {
        foreach (string path in Directory.EnumerateFiles(directory))
        {
            using Microsoft.Win32.SafeHandles.SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
            RandomAccess.FlushToDisk(file);
        }

        foreach (string path in Directory.EnumerateDirectories(directory))
            SyncTree(path);
        DurableFiles.FlushDirectory(directory);
    }
}
