using System.ComponentModel;
using System.Runtime.CompilerServices;
using Blixard.Rpc.Sockets;
using Microsoft.Extensions.Logging;

namespace Blixard.Etcd.Process;

/// <summary>
/// A server's etcd: a child process that is started, watched, started again when it ends, and stopped with us. Starting → Serving;
/// either → BackingOff → Starting when it ends; → Removed when the cluster has removed it; → Stopped on disposal. Thread-safe.
/// </summary>
public sealed partial class EtcdServer : IAsyncDisposable
{
    private readonly EtcdServerOptions _options;
    private readonly EtcdStart _start;
    private readonly EtcdProgram _program;
    private readonly SocketDirectory _directory;
    private readonly EtcdLog _log;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource _changed = NewSignal();
    private EtcdServerStatus _status;
    private Task _supervision = Task.CompletedTask;
    private Task? _disposal;
    private bool _isStarted;
    // Only the supervision and what it awaits use it.
    private bool _hadData;

    private EtcdServer(
        EtcdServerOptions options, EtcdStart start, EtcdProgram program, SocketDirectory directory, ILoggerFactory loggers, TimeProvider time)
    {
        _options = options;
        _start = start;
        _program = program;
        _directory = directory;
        _logger = loggers.CreateLogger<EtcdServer>();
        _log = new EtcdLog(loggers.CreateLogger("etcd"));
        _time = time;
        _status = new EtcdServerStatus(EtcdServerState.Starting, time.GetUtcNow(), "", null, null, 0);
    }

    /// <summary>How etcd is now.</summary>
    public EtcdServerStatus Status
    {
        get
        {
            lock (_lock)
                return _status;
        }
    }

    /// <summary>The program that runs.</summary>
    public EtcdProgram Program => _program;

    /// <summary>The path, valid in this process, of the socket for etcd's clients. It is there, and answers, while the state is serving.</summary>
    public string ClientSocketPath => _directory.PathOf(EtcdCommandLine.ClientSocket);

    /// <summary>The path, valid in this process, of the socket to which other members' connections are carried.</summary>
    public string PeerSocketPath => _directory.PathOf(EtcdCommandLine.PeerSocket);

    /// <summary>Whether a directory (see <see cref="EtcdServerOptions.Directory"/>) holds data with which a member can go on.</summary>
    public static bool HasData(string directory) => EtcdData.Exists(directory);

    /// <summary>
    /// Finds etcd, prepares its directory, ends what a former run left in it, and lets etcd start. Whether and when it serves depends on the
    /// other members (<see cref="WaitUntilServingAsync"/>); from now on troubles are told by the status.
    /// </summary>
    /// <inheritdoc cref="PrepareAsync"/>
    public static async Task<EtcdServer> StartAsync(
        EtcdServerOptions options, EtcdStart start, ILoggerFactory loggers, TimeProvider time, CancellationToken cancellationToken = default)
    {
        EtcdServer server = await PrepareAsync(options, start, loggers, time, cancellationToken).ConfigureAwait(false);
        server.Start();
        return server;
    }

    /// <summary>
    /// Finds etcd, prepares its directory and ends what a former run left in it. etcd does not start before <see cref="Start"/>: it looks for
    /// the other members' sockets at once, and a member that joins gives up without them.
    /// </summary>
    /// <param name="options">Where and how.</param>
    /// <param name="start">As what.</param>
    /// <param name="loggers">Where etcd's own lines (category "etcd") and ours go.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Gives up before etcd is started.</param>
    /// <exception cref="EtcdServerException">There is no usable etcd, the directory cannot be used, or there are no data to go on with.</exception>
    /// <exception cref="IOException">The data that are there cannot be read.</exception>
    /// <exception cref="ArgumentException">An option is out of its range, or the list of members does not name this one.</exception>
    public static async Task<EtcdServer> PrepareAsync(
        EtcdServerOptions options, EtcdStart start, ILoggerFactory loggers, TimeProvider time, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(start);
        ArgumentNullException.ThrowIfNull(loggers);
        ArgumentNullException.ThrowIfNull(time);
        options.Validate();
        if (start is EtcdStart.Join join && !join.Members.Contains(options.Self))
            throw new ArgumentException("The members of a cluster that is joined include the one that joins.", nameof(start));
        EtcdProgram program = await EtcdProgram.FindAsync(options.Program, time, cancellationToken).ConfigureAwait(false);
        SocketDirectory directory = EtcdData.Prepare(options.Directory);
        try
        {
            IReadOnlyList<int> ended = await LeftOverEtcd.EndAsync(directory.FullPath, time, cancellationToken).ConfigureAwait(false);
            if (start is EtcdStart.Join || (start is EtcdStart.NewCluster && EtcdData.HoldsNothing(directory.FullPath)))
                EtcdData.Discard(directory.FullPath);
            if (start is EtcdStart.Continue)
                CheckData(directory.FullPath);
            var server = new EtcdServer(options, start, program, directory, loggers, time);
            foreach (int process in ended)
                server.LogLeftOver(process);
            return server;
        }
        catch (Exception)
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>Lets etcd start. Nothing if it was let before, or stopped.</summary>
    public void Start()
    {
        lock (_lock)
        {
            if (!_isStarted && _disposal is null)
                _supervision = SuperviseAsync();
            _isStarted = true;
        }
    }

    /// <summary>The state now, and each later one. Who is slow gets the latest and misses those between. Ends after stopped or removed.</summary>
    public async IAsyncEnumerable<EtcdServerStatus> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Task change;
            EtcdServerStatus status;
            lock (_lock)
            {
                status = _status;
                change = _changed.Task;
            }

            yield return status;
            if (status.State is EtcdServerState.Stopped or EtcdServerState.Removed)
                yield break;
            await change.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Returns when etcd serves, at once if it does.</summary>
    /// <exception cref="EtcdServerException">It was removed from the cluster, or stopped, meanwhile.</exception>
    public async Task WaitUntilServingAsync(CancellationToken cancellationToken = default)
    {
        await foreach (EtcdServerStatus status in WatchAsync(cancellationToken).ConfigureAwait(false))
        {
            if (status.State == EtcdServerState.Serving)
                return;
            if (status.State == EtcdServerState.Removed)
                throw new EtcdServerException(EtcdServerFailure.Removed, status.Reason);
        }

        throw new EtcdServerException(EtcdServerFailure.Stopped, "etcd was stopped");
    }

    /// <summary>Stops etcd in order, or with SIGKILL after <see cref="EtcdServerOptions.StopLimit"/>, and waits until it is gone.</summary>
    public ValueTask DisposeAsync()
    {
        lock (_lock)
            _disposal ??= StopAsync();
        return new ValueTask(_disposal);
    }

    private async Task StopAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _supervision.ConfigureAwait(false);
        // One that was never let start says so as well.
        Change(status => status.State == EtcdServerState.Removed ? status : status with { State = EtcdServerState.Stopped });
        await _log.DisposeAsync().ConfigureAwait(false);
        _directory.Dispose();
        _stopping.Dispose();
    }

    private async Task SuperviseAsync()
    {
        var pauses = new RestartPause();
        for (int starts = 1; ; starts++)
        {
            RunEnd end = await RunAsync(starts).ConfigureAwait(false);
            if (end.Removed)
            {
                LogRemoved(end.Reason);
                Change(status => status with { State = EtcdServerState.Removed, Reason = end.Reason, ExitCode = end.ExitCode, ProcessId = null });
                return;
            }

            if (!_stopping.IsCancellationRequested)
            {
                TimeSpan pause = pauses.After(end.Served);
                long milliseconds = (long)pause.TotalMilliseconds;
                LogEnded(milliseconds, end.Reason);
                Change(status => status with { State = EtcdServerState.BackingOff, Reason = end.Reason, ExitCode = end.ExitCode, ProcessId = null });
                await Task.Delay(pause, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            if (_stopping.IsCancellationRequested)
            {
                LogStopped();
                Change(status => status with { State = EtcdServerState.Stopped, Reason = "", ExitCode = end.ExitCode ?? status.ExitCode, ProcessId = null });
                return;
            }
        }
    }

    private async Task<RunEnd> RunAsync(int starts)
    {
        // Off the caller's thread, and after StartAsync has returned: making a process takes a while.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        string directory = _directory.FullPath;
        EtcdRun run;
        try
        {
            bool hasData = EtcdData.Exists(directory);
            // Data that were there and are gone (a disk that is not mounted?) are not replaced by a new cluster.
            if (_hadData || _start is EtcdStart.Continue)
                CheckData(directory);
            _hadData |= hasData;
            EtcdData.DeleteSockets(directory);
            run = EtcdRun.Start(_program.Path, directory, EtcdCommandLine.Arguments(_options, hasData ? new EtcdStart.Continue() : _start));
        }
        catch (Exception e) when (e is Win32Exception or IOException or UnauthorizedAccessException or EtcdServerException)
        {
            return new RunEnd(null, $"etcd could not be started: {e.Message}", TimeSpan.Zero, Removed: false);
        }

        using (run)
        {
            LogStarted(_program.Version, directory, run.ProcessId);
            Change(status => status with { State = EtcdServerState.Starting, Reason = "", ProcessId = run.ProcessId, Starts = starts });
            return await WatchRunAsync(run).ConfigureAwait(false);
        }
    }

    private async Task<RunEnd> WatchRunAsync(EtcdRun run)
    {
        long started = _time.GetTimestamp();
        var trouble = new EtcdTrouble();
        Task<int> ended = run.WaitForEndAsync();
        Task reading = ReadOutputAsync(run, trouble);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        Task<long?> serving = ProbeAsync(started, over.Token);
        await ((Task)ended).WaitAsync(_stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!ended.IsCompleted)
            await EndRunAsync(run, ended).ConfigureAwait(false);
        int exitCode = await ended.ConfigureAwait(false);
        await over.CancelAsync().ConfigureAwait(false);
        long? servingSince = await serving.ConfigureAwait(false);
        // Nobody but etcd holds the other side of its output, so this ends with it.
        await reading.ConfigureAwait(false);
        TimeSpan served = servingSince is { } since ? _time.GetElapsedTime(since) : TimeSpan.Zero;
        return new RunEnd(exitCode, trouble.Describe(exitCode, _directory.FullPath), served, trouble.Removed);
    }

    private async Task EndRunAsync(EtcdRun run, Task<int> ended)
    {
        run.RequestStop();
        try
        {
            await ended.WaitAsync(_options.StopLimit, _time).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            long milliseconds = (long)_options.StopLimit.TotalMilliseconds;
            LogKilled(milliseconds);
            run.Kill();
        }
    }

    private async Task ReadOutputAsync(EtcdRun run, EtcdTrouble trouble)
    {
        await foreach (EtcdLogLine line in EtcdOutput.ReadAsync(run.Output).ConfigureAwait(false))
        {
            trouble.Add(line);
            _log.Write(line);
            if (line.IsTrouble)
                Change(status => status.State == EtcdServerState.Starting ? status with { Reason = EtcdTrouble.Explain(line) } : status);
        }
    }

    /// <summary>Waits until etcd answers its clients; when that was, null if it ended before.</summary>
    private async Task<long?> ProbeAsync(long started, CancellationToken cancellationToken)
    {
        try
        {
            while (!await EtcdProbe.AnswersAsync(ClientSocketPath, cancellationToken).ConfigureAwait(false))
                await Task.Delay(EtcdProbe.Interval, _time, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return null;
        }

        long milliseconds = (long)_time.GetElapsedTime(started).TotalMilliseconds;
        LogServing(milliseconds);
        _hadData = true;
        Change(static status => status with { State = EtcdServerState.Serving, Reason = "" });
        return _time.GetTimestamp();
    }

    private void Change(Func<EtcdServerStatus, EtcdServerStatus> change)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            EtcdServerStatus next = change(_status);
            if (next == _status)
                return;
            if (next.State != _status.State)
                next = next with { Since = _time.GetUtcNow() };
            _status = next;
            changed = _changed;
            _changed = NewSignal();
        }

        changed.SetResult();
    }

    private static void CheckData(string directory)
    {
        if (!EtcdData.Exists(directory))
        {
            throw new EtcdServerException(
                EtcdServerFailure.DataMissing,
                $"{directory}/{EtcdCommandLine.DataDirectory} holds no etcd data to go on with. If the cluster has other servers, remove this one there and "
                + "join again; else restore a backup.");
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed record RunEnd(int? ExitCode, string Reason, TimeSpan Served, bool Removed);
}
