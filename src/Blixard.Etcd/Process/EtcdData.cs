using Blixard.Rpc.Sockets;

namespace Blixard.Etcd.Process;

/// <summary>A member's data on the disk, as far as the server must know it before etcd starts.</summary>
internal static class EtcdData
{
    private const UnixFileMode OnlyOwner = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Data on their way out, so that a half-deleted log is never taken for a whole one.</summary>
    private const string Discarded = "data.discarded";

    /// <summary>Makes etcd's directory, or sets the mode of the one that is there, to 0700: it is all that keeps other users out.</summary>
    /// <exception cref="EtcdServerException">It cannot be made, or is not ours.</exception>
    public static SocketDirectory Prepare(string directory)
    {
        try
        {
            if (!OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(directory, OnlyOwner);
                File.SetUnixFileMode(directory, OnlyOwner);
            }

            Delete(Path.Combine(directory, Discarded));
            return SocketDirectory.Open(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new EtcdServerException(EtcdServerFailure.DirectoryUnusable, $"etcd's directory {directory} cannot be used: {e.Message}", e);
        }
    }

    /// <summary>Whether there is a write-ahead log, which is how etcd itself decides whether it is a member already.</summary>
    public static bool Exists(string directory) => Logs(directory).Length > 0;

    /// <summary>
    /// Whether there is a log in which nothing was ever committed: etcd was killed after it had made its log and before it had written that it
    /// is a voter. It would go on with that as a member of nothing and wait for ever. Says no in any doubt.
    /// </summary>
    public static bool HoldsNothing(string directory)
    {
        if (Logs(directory) is not [string only])
            return false;
        using FileStream file = new(only, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        byte[] head = new byte[WalHead.BytesMax];
        int length = file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        return WalHead.TryRead(head.AsSpan(0, length), out IReadOnlyList<WalRecord> records)
            && records.All(static record => record.Type != WalHead.HardState);
    }

    /// <summary>Deletes a member's data.</summary>
    /// <exception cref="EtcdServerException">They cannot be deleted.</exception>
    public static void Discard(string directory)
    {
        string data = Path.Combine(directory, EtcdCommandLine.DataDirectory);
        string discarded = Path.Combine(directory, Discarded);
        try
        {
            Delete(discarded);
            if (!Directory.Exists(data))
                return;
            Directory.Move(data, discarded);
            Delete(discarded);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new EtcdServerException(EtcdServerFailure.DirectoryUnusable, $"the former data in {data} cannot be deleted: {e.Message}", e);
        }
    }

    /// <summary>
    /// Deletes the sockets that an etcd which was killed left behind: the next one would find their names taken. Nobody listens on them; what a
    /// former run left was ended before.
    /// </summary>
    public static void DeleteSockets(string directory)
    {
        File.Delete(Path.Combine(directory, EtcdCommandLine.ClientSocket));
        File.Delete(Path.Combine(directory, EtcdCommandLine.PeerSocket));
    }

    private static string[] Logs(string directory)
    {
        string log = Path.Combine(directory, EtcdCommandLine.DataDirectory, "member", "wal");
        return Directory.Exists(log) ? Directory.GetFiles(log, "*.wal") : [];
    }

    private static void Delete(string directory)
    {
        if (Directory.Exists(directory))
            Directory.Delete(directory, recursive: true);
    }
}
