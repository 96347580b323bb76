using System.Diagnostics;
using System.Globalization;
using System.Text;
using Blixard.MicroVm.Guarding;

namespace Blixard.MicroVm.Qemu;

/// <summary>
/// A QEMU process of ours: one that we started, or one that an earlier process left running. It is recognised by its command line, which
/// carries the VM's UUID, so that a process id which was given to somebody else in the meantime is never touched. Thread-safe.
/// </summary>
internal sealed class QemuProcess : IDisposable
{
    /// <summary>How much of QEMU's stderr goes into a reason.</summary>
    private const int ErrorTailMax = 2048;

    /// <summary>How often a process that is not our child is looked at while its end is awaited: it has closed its sockets by then.</summary>
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(20);

    private readonly Process? _child;
    private readonly Guid _uuid;

    private QemuProcess(int pid, Guid uuid, Process? child)
    {
        Id = pid;
        _uuid = uuid;
        _child = child;
    }

    /// <summary>The process id.</summary>
    public int Id { get; }

    /// <summary>
    /// Whether the process is there and is ours. A dead process that nobody has waited for yet is not there. The command line of our own
    /// child is not asked: it reads empty while the shell turns into setsid and QEMU.
    /// </summary>
    public bool IsAlive => _child is not null ? !_child.HasExited : IsOurs(Id, _uuid);

    /// <summary>The exit code; null unless it has ended as our child.</summary>
    public int? ExitCode => _child is { HasExited: true } ? _child.ExitCode : null;

    /// <summary>
    /// Starts QEMU in a session of its own, so that neither Ctrl-C at our terminal nor our end reaches it, with its output in
    /// <paramref name="errorLog"/>, because a pipe to us would end with us.
    /// </summary>
    /// <param name="qemuPath">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="uuid">The VM's.</param>
    /// <param name="workingDirectory">The VM's directory.</param>
    /// <param name="errorLog">The file for its output.</param>
    /// <param name="watch">The guard that ends it at its deadline, from before its first instruction on; null if none does.</param>
    /// <exception cref="System.ComponentModel.Win32Exception">There is no /bin/sh.</exception>
    public static QemuProcess Start(
        string qemuPath, IReadOnlyList<string> arguments, Guid uuid, string workingDirectory, string errorLog, QemuWatch? watch)
    {
        var start = new ProcessStartInfo("/bin/sh") { WorkingDirectory = workingDirectory };
        // What QEMU creates (sockets, pid file, logs) is for this user only.
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(watch is null ? "umask 077; exec setsid \"$@\" </dev/null >\"$0\" 2>&1" : GuardScript.Launch);
        start.ArgumentList.Add(errorLog);
        if (watch is not null)
        {
            start.ArgumentList.Add(watch.GuardDirectory);
            start.ArgumentList.Add(watch.Generation.ToString(CultureInfo.InvariantCulture));
            start.ArgumentList.Add(workingDirectory);
        }

        start.ArgumentList.Add(qemuPath);
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        Process child = Process.Start(start) ?? throw new InvalidOperationException("no process was started");
        return new QemuProcess(child.Id, uuid, child);
    }

    /// <summary>
    /// Finds the process of the VM with <paramref name="uuid"/>: the one in the pid file, or, when we were killed before QEMU wrote that,
    /// any with the UUID on its command line.
    /// </summary>
    public static QemuProcess? Find(Guid uuid, string pidFile)
    {
        if (ReadPid(pidFile) is { } written && IsOurs(written, uuid))
            return new QemuProcess(written, uuid, child: null);
        foreach (string directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out int pid) && IsOurs(pid, uuid))
                return new QemuProcess(pid, uuid, child: null);
        }

        return null;
    }

    /// <summary>Waits until the process is gone.</summary>
    public async Task WaitForEndAsync(CancellationToken cancellationToken)
    {
        if (_child is not null)
        {
            await _child.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            return;
        }

        while (IsAlive)
            await Task.Delay(PollInterval, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Ends the process with SIGKILL. Does nothing if it is gone.</summary>
    public void Kill()
    {
        try
        {
            if (_child is not null)
            {
                _child.Kill();
                return;
            }

            if (!IsAlive)
                return;
            using Process process = Process.GetProcessById(Id);
            process.Kill();
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or System.ComponentModel.Win32Exception)
        {
            // Gone already.
        }
    }

    /// <summary>The end of what QEMU wrote to <paramref name="errorLog"/>, in one line.</summary>
    public static string ReadErrorTail(string errorLog)
    {
        try
        {
            using FileStream file = new(errorLog, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            file.Seek(-Math.Min(ErrorTailMax, file.Length), SeekOrigin.End);
            byte[] tail = new byte[ErrorTailMax];
            int count = file.ReadAtLeast(tail, tail.Length, throwOnEndOfStream: false);
            string[] lines = Encoding.UTF8.GetString(tail, 0, count)
                .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            return string.Join("; ", lines.TakeLast(3).Select(static line => line.Replace("qemu-system-x86_64: ", "", StringComparison.Ordinal)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _child?.Dispose();

    private static int? ReadPid(string pidFile)
    {
        try
        {
            return int.TryParse(File.ReadAllText(pidFile).AsSpan().Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out int pid) && pid > 0
                ? pid
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool IsOurs(int pid, Guid uuid)
    {
        try
        {
            // Empty for a dead process that its parent has not collected (proc(5)).
            byte[] commandLine = File.ReadAllBytes($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/cmdline");
            return commandLine.AsSpan().IndexOf(Encoding.ASCII.GetBytes($"\0-uuid\0{uuid:D}\0")) >= 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}

/// <summary>Under which guard a process is started.</summary>
/// <param name="GuardDirectory">The guard's directory.</param>
/// <param name="Generation">The generation under which the start was allowed.</param>
internal sealed record QemuWatch(string GuardDirectory, long Generation);
