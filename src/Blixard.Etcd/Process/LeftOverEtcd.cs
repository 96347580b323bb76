using System.ComponentModel;
using System.Globalization;
using System.Text;
using OsProcess = System.Diagnostics.Process;

namespace Blixard.Etcd.Process;

/// <summary>
/// Ends what a former run left in etcd's directory. A process is ours if it works in that very directory and listens, by its command line,
/// on our peer socket: both are read from the kernel, so neither a pid file that grew old nor a reused process id can name a stranger.
/// </summary>
public static class LeftOverEtcd
{
    /// <summary>How long a process may take to go after SIGKILL: it may wait for a slow disk.</summary>
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(10);

    /// <summary>How often it is looked at meanwhile: it is not our child, so that nobody tells us.</summary>
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(10);

    /// <summary>The processes of a former run in <paramref name="directory"/>, an absolute path without symbolic links.</summary>
    public static IReadOnlyList<int> Find(string directory)
    {
        var found = new List<int>();
        foreach (string entry in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(entry), NumberStyles.None, CultureInfo.InvariantCulture, out int pid) && IsOurs(pid, directory))
                found.Add(pid);
        }

        return found;
    }

    /// <summary>Ends them and waits until they are gone.</summary>
    /// <returns>The ids of those that were ended.</returns>
    /// <exception cref="EtcdServerException">One did not go.</exception>
    public static async Task<IReadOnlyList<int>> EndAsync(string directory, TimeProvider time, CancellationToken cancellationToken)
    {
        IReadOnlyList<int> found = Find(directory);
        foreach (int pid in found)
            Kill(pid);
        long started = time.GetTimestamp();
        IReadOnlyList<int> left = found;
        while ((left = [.. left.Where(pid => IsOurs(pid, directory))]).Count > 0)
        {
            if (time.GetElapsedTime(started) > EndLimit)
            {
                throw new EtcdServerException(
                    EtcdServerFailure.LeftOver, $"An etcd of a former run (process {left[0]}) still works in {directory} and does not end. End it, then start again.");
            }

            await Task.Delay(PollInterval, time, cancellationToken).ConfigureAwait(false);
        }

        return found;
    }

    private static void Kill(int pid)
    {
        try
        {
            using OsProcess process = OsProcess.GetProcessById(pid);
            process.Kill();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or Win32Exception)
        {
            // Gone already, or not to be ended by us: the wait says so.
        }
    }

    private static bool IsOurs(int pid, string directory)
    {
        try
        {
            // Both read as nothing for a dead process that its parent has not collected (proc(5)).
            string process = $"/proc/{pid.ToString(CultureInfo.InvariantCulture)}";
            return new FileInfo($"{process}/cwd").LinkTarget == directory
                && File.ReadAllBytes($"{process}/cmdline").AsSpan().IndexOf(Encoding.ASCII.GetBytes(EtcdCommandLine.Mark + "\0")) >= 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
