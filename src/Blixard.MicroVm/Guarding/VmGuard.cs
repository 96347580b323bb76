using System.Diagnostics;
using System.Globalization;
using Blixard.MicroVm.Model;

namespace Blixard.MicroVm.Guarding;

/// <summary>
/// Ends VMs at a deadline although this process may be dead or stopped by then: a shell process of its own looks at the deadline four
/// times a second and kills the VMs that were started under it. It runs while there is a deadline ahead or a VM to end, and goes by itself.
/// One per data directory. Not thread-safe but for <see cref="Directory"/>; a start under the guard may happen at any time.
/// </summary>
public sealed class VmGuard
{
    // The guard notes its process id first thing; a machine that is short of everything takes its time.
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(10);

    private readonly string _deadlinePath;
    private readonly string _pidPath;
    private readonly string _watchedPath;

    private VmGuard(string directory)
    {
        Directory = directory;
        _deadlinePath = Path.Combine(directory, "deadline");
        _pidPath = Path.Combine(directory, "pid");
        _watchedPath = Path.Combine(directory, "watched");
    }

    /// <summary>Where the guard's files are (absolute).</summary>
    public string Directory { get; }

    /// <summary>The deadline that holds now; null if none was set since this machine was started.</summary>
    public GuardDeadline? Deadline { get; private set; }

    /// <summary>Opens the guard of a data directory; it may be at work already. Entries of an earlier run of the machine are dropped.</summary>
    /// <param name="directory">Made if it is missing.</param>
    /// <exception cref="IOException">It cannot be made or read.</exception>
    /// <exception cref="UnauthorizedAccessException">As well.</exception>
    public static VmGuard Open(string directory)
    {
        var guard = new VmGuard(Path.GetFullPath(directory));
        System.IO.Directory.CreateDirectory(guard._watchedPath);
        if (File.Exists(guard._deadlinePath)
            && GuardDeadline.TryParse(File.ReadAllText(guard._deadlinePath), BootClock.BootId, out GuardDeadline deadline))
        {
            guard.Deadline = deadline;
            return guard;
        }

        // No VM survives its machine, and the same numbers may be another process now.
        foreach (string entry in System.IO.Directory.EnumerateFiles(guard._watchedPath))
            File.Delete(entry);
        return guard;
    }

    /// <summary>Sets the deadline.</summary>
    /// <exception cref="IOException">The former one still holds.</exception>
    /// <exception cref="UnauthorizedAccessException">As well.</exception>
    public void Set(GuardDeadline deadline)
    {
        using (var file = new FileStream(_deadlinePath, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0))
        {
            byte[] line = System.Text.Encoding.ASCII.GetBytes(deadline.Format(BootClock.BootId));
            file.Write(line);
            file.SetLength(line.Length);
        }

        Deadline = deadline;
    }

    /// <summary>Starts the guard if it does not run. Call it after each <see cref="Set"/>: a guard whose work is done ends.</summary>
    /// <exception cref="VmException"><see cref="VmFailure.StartFailed"/>.</exception>
    public async Task EnsureRunningAsync(CancellationToken cancellationToken)
    {
        if (IsRunning())
            return;
        try
        {
            // In a session of its own, as VMs are: neither Ctrl-C at our terminal nor our end reaches it.
            var start = new ProcessStartInfo("/bin/sh")
            {
                WorkingDirectory = Directory,
                ArgumentList = { "-c", "umask 077; exec setsid /bin/sh -c \"$1\" \"$0\" </dev/null >>log 2>&1", Directory, GuardScript.Guard },
            };
            File.Delete(Path.Combine(Directory, "log"));
            File.Delete(_pidPath);
            using Process process = Process.Start(start) ?? throw new IOException("no process was started");
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limited.CancelAfter(StartLimit);
            while (!IsRunning())
            {
                // With the deadline behind it and nothing to end, it has done its work already.
                if (process.HasExited)
                {
                    if (process.ExitCode == 0)
                        return;
                    throw new IOException($"the shell ended with exit code {process.ExitCode}");
                }

                await Task.Delay(PollInterval, limited.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            string why = e is OperationCanceledException ? $"it did not come up within {StartLimit.TotalSeconds:0} s" : e.Message;
            throw new VmException(VmFailure.StartFailed, $"the guard of the VMs that may move could not be started: {why}", e);
        }
    }

    /// <summary>Whether the guard is there and not stopped.</summary>
    public bool IsRunning()
    {
        try
        {
            string[] fields = File.ReadAllText(_pidPath).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            return fields.Length == 2 && Identify(fields[0]) is { IsStopped: false } found && found.Start == fields[1];
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>The ids of the processes that are watched and alive.</summary>
    public IReadOnlyList<int> GetWatched() =>
    [
        .. System.IO.Directory.EnumerateFiles(_watchedPath).Select(path => Path.GetFileName(path).Split('-'))
            .Where(parts => parts.Length == 2 && Identify(parts[0]) is { } found && found.Start == parts[1])
            .Select(parts => int.Parse(parts[0], CultureInfo.InvariantCulture)),
    ];

    /// <summary>Kills all that is watched and returns when nothing of it is left. What the guard would do, at once.</summary>
    public async Task EndAllAsync(CancellationToken cancellationToken)
    {
        while (GetWatched() is { Count: > 0 } watched)
        {
            foreach (int pid in watched)
            {
                Mark(pid);
                Kill(pid);
            }

            await Task.Delay(PollInterval, cancellationToken).ConfigureAwait(false);
        }
    }

    private void Mark(int pid)
    {
        try
        {
            foreach (string entry in System.IO.Directory.EnumerateFiles(_watchedPath, $"{pid.ToString(CultureInfo.InvariantCulture)}-*"))
                File.WriteAllBytes(Path.Combine(File.ReadAllText(entry).TrimEnd('\n'), GuardScript.MarkName), []);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Without the mark the VM seems to have crashed; that it must end is what counts.
        }
    }

    private static void Kill(int pid)
    {
        try
        {
            using Process process = Process.GetProcessById(pid);
            process.Kill();
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or System.ComponentModel.Win32Exception)
        {
            // Gone already.
        }
    }

    // proc(5): "pid (name) state ppid …", the start time in field 22; the name may hold anything, so what follows its last ')' counts.
    private static ProcessIdentity? Identify(string pid)
    {
        if (!int.TryParse(pid, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            return null;
        try
        {
            string text = File.ReadAllText($"/proc/{pid}/stat");
            string[] fields = text[(text.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return fields.Length > 19 && fields[0] is not ("Z" or "X") ? new ProcessIdentity(fields[19], fields[0] is "T" or "t") : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    private sealed record ProcessIdentity(string Start, bool IsStopped);
}
