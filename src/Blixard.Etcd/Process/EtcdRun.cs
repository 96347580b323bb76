using System.ComponentModel;
using System.Diagnostics;
using OsProcess = System.Diagnostics.Process;

namespace Blixard.Etcd.Process;

/// <summary>
/// One run of etcd as our child. It does not outlive us: beside it a small shell waits for the end of a pipe of which only we hold the other
/// side, and the kernel closes that however we end. Owned by one <see cref="EtcdServer"/>.
/// </summary>
internal sealed class EtcdRun : IDisposable
{
    /// <summary>
    /// $@ is etcd with its arguments; etcd takes the shell's place and so its process id, $$. It gets a session of its own, because Ctrl-C at
    /// our terminal is for us. The watcher ends only what has our working directory: by the time it acts, the id may be somebody else's.
    /// A line on the pipe asks etcd to stop; the end of the pipe means that we are gone.
    /// </summary>
    private const string Script = """
        umask 077
        exec 3<&0
        (
            trap '' HUP INT QUIT TERM
            while read -r request; do
                [ "/proc/$$/cwd" -ef . ] && kill -TERM $$
            done
            [ "/proc/$$/cwd" -ef . ] && kill -KILL $$
        ) <&3 >/dev/null 2>&1 &
        exec setsid "$@" </dev/null >&2 3<&-
        """;

    private readonly OsProcess _process;

    private EtcdRun(OsProcess process) => _process = process;

    /// <summary>etcd's process id.</summary>
    public int ProcessId => _process.Id;

    /// <summary>What etcd writes on stderr and stdout.</summary>
    public Stream Output => _process.StandardError.BaseStream;

    /// <summary>Starts etcd in <paramref name="directory"/>.</summary>
    /// <exception cref="Win32Exception">No process could be made.</exception>
    public static EtcdRun Start(string program, string directory, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo("/bin/sh")
        {
            ArgumentList = { "-c", Script, "etcd", program },
            WorkingDirectory = directory,
            RedirectStandardInput = true,
            RedirectStandardError = true,
        };
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        EtcdCommandLine.CleanEnvironment(start.Environment);
        return TimerSlack.Give(
            TimerSlack.OfEtcd, () => new EtcdRun(OsProcess.Start(start) ?? throw new Win32Exception("no process was started")));
    }

    /// <summary>The exit code, once it has ended; 128 + n if signal n ended it.</summary>
    public async Task<int> WaitForEndAsync()
    {
        await _process.WaitForExitAsync().ConfigureAwait(false);
        return _process.ExitCode;
    }

    /// <summary>Asks etcd to end in order (SIGTERM).</summary>
    public void RequestStop()
    {
        try
        {
            _process.StandardInput.Write("stop\n");
            _process.StandardInput.Flush();
        }
        catch (IOException)
        {
            // The watcher is gone: the time limit ends etcd.
        }
    }

    /// <summary>Ends it now. Does nothing if it is gone.</summary>
    public void Kill() => Kill(_process);

    /// <summary>Lets the watcher go. The process must have ended: one that has not is ended by the watcher.</summary>
    public void Dispose()
    {
        try
        {
            _process.StandardInput.Dispose();
        }
        catch (IOException)
        {
            // What was to be flushed found no reader.
        }

        _process.Dispose();
    }

    /// <summary>Ends a child of ours with SIGKILL. Does nothing if it is gone.</summary>
    internal static void Kill(OsProcess child)
    {
        try
        {
            child.Kill();
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // Gone already.
        }
    }
}
