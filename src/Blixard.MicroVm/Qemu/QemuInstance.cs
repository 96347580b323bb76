using System.Net.Sockets;
using System.Text.Json;
using Blixard.MicroVm.Console;
using Blixard.MicroVm.Drivers;
using Blixard.MicroVm.Model;

namespace Blixard.MicroVm.Qemu;

/// <summary>A QEMU process that runs a guest, and the two tasks that look after it: one follows QMP until the end, one rotates the log.</summary>
internal sealed class QemuInstance : IVmInstance
{
    /// <summary>How often the power button is pressed: a guest that was still booting has missed the first time.</summary>
    private static readonly TimeSpan PowerButtonInterval = TimeSpan.FromSeconds(1);

    /// <summary>How long QEMU gets to carry out quit before it is killed. It takes milliseconds.</summary>
    private static readonly TimeSpan QuitLimit = TimeSpan.FromSeconds(3);

    /// <summary>How long a QEMU may live that has closed its control socket: it is ending, or it can no longer be controlled.</summary>
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(5);

    /// <summary>How often the log's length is looked at: a guest that floods its console overshoots the limit by this much of its output.</summary>
    private static readonly TimeSpan RotationInterval = TimeSpan.FromSeconds(1);

    private const string AskedDetail = "stopped: the guest powered off when asked";

    /// <summary>A log that does not grow for this long has settled: what is left is one character at most.</summary>
    private static readonly TimeSpan SettleInterval = TimeSpan.FromMilliseconds(10);

    /// <summary>The guest is not held up for longer than this many intervals.</summary>
    private const int SettleRoundsMax = 10;

    private readonly QemuProcess _process;
    private readonly QmpClient _qmp;
    private readonly QemuPaths _paths;
    private readonly ConsoleLog _log;
    private readonly CancellationTokenSource _released = new();
    private readonly TaskCompletionSource<VmExit> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Task _following;
    private readonly Task _rotating;
    private string? _stopDetail;
    private int _attached;

    public QemuInstance(QemuProcess process, QmpClient qmp, QemuPaths paths, ConsoleLog log, string acceleration)
    {
        _process = process;
        _qmp = qmp;
        _paths = paths;
        _log = log;
        Acceleration = acceleration;
        _following = FollowAsync();
        _rotating = RotateAsync();
    }

    /// <inheritdoc/>
    public int? Pid => _process.Id;

    /// <inheritdoc/>
    public string Acceleration { get; }

    /// <inheritdoc/>
    public Task<VmExit> Ended => _ended.Task;

    /// <inheritdoc/>
    public async ValueTask<VmExit> StopAsync(TimeSpan grace, CancellationToken cancellationToken)
    {
        _stopDetail = AskedDetail;
        if (grace > TimeSpan.Zero && await AskGuestAsync(grace, cancellationToken).ConfigureAwait(false))
            return await Ended.ConfigureAwait(false);
        string why = grace > TimeSpan.Zero ? $"the guest did not power off within {grace.TotalSeconds:0.#} s" : "the guest was not asked";
        _stopDetail = $"stopped by force: {why}, QEMU quit";
        await TryExecuteAsync("quit", QuitLimit, cancellationToken).ConfigureAwait(false);
        if (await EndsWithinAsync(QuitLimit, cancellationToken).ConfigureAwait(false))
            return await Ended.ConfigureAwait(false);
        _stopDetail = $"stopped by force: {why}, and QEMU had to be killed";
        _process.Kill();
        return await Ended.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<ConsoleConnection> AttachConsoleAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _attached, 1) != 0)
            throw new VmException(VmFailure.ConsoleInUse, "somebody else is attached to the console");
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(_paths.ConsoleSocket), cancellationToken).ConfigureAwait(false);
            return new ConsoleConnection(new NetworkStream(socket, ownsSocket: true), () => Interlocked.Exchange(ref _attached, 0));
        }
        catch (Exception e)
        {
            socket.Dispose();
            Interlocked.Exchange(ref _attached, 0);
            if (e is SocketException)
                throw new VmException(VmFailure.NotRunning, "the VM's console cannot be reached: " + e.Message, e);
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _released.CancelAsync().ConfigureAwait(false);
        await _rotating.ConfigureAwait(false);
        await _qmp.DisposeAsync().ConfigureAwait(false);
        await _following.ConfigureAwait(false);
        _process.Dispose();
        _released.Dispose();
    }

    private async Task<bool> AskGuestAsync(TimeSpan grace, CancellationToken cancellationToken)
    {
        long deadline = Environment.TickCount64 + (long)grace.TotalMilliseconds;
        while (Environment.TickCount64 < deadline)
        {
            TimeSpan left = TimeSpan.FromMilliseconds(deadline - Environment.TickCount64);
            await TryExecuteAsync("system_powerdown", left, cancellationToken).ConfigureAwait(false);
            if (await EndsWithinAsync(left < PowerButtonInterval ? left : PowerButtonInterval, cancellationToken).ConfigureAwait(false))
                return true;
        }

        return false;
    }

    private async Task TryExecuteAsync(string command, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(limit);
        try
        {
            await _qmp.ExecuteAsync(command, null, limited.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is QmpException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // Refused or unanswered: the next, harder step follows anyway.
        }
    }

    private async Task<bool> EndsWithinAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        try
        {
            await Ended.WaitAsync(limit, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private async Task FollowAsync()
    {
        try
        {
            string? shutdown = null;
            await foreach (QmpMessage.Event happened in _qmp.ReadEventsAsync(_released.Token).ConfigureAwait(false))
            {
                if (happened.Name == "SHUTDOWN")
                    shutdown = ReasonOf(happened.Data);
            }

            _released.Token.ThrowIfCancellationRequested();
            using (var limited = CancellationTokenSource.CreateLinkedTokenSource(_released.Token))
            {
                limited.CancelAfter(EndLimit);
                try
                {
                    await _process.WaitForEndAsync(limited.Token).ConfigureAwait(false);
                }
                catch (OperationCanceledException) when (!_released.IsCancellationRequested)
                {
                    _process.Kill();
                    await _process.WaitForEndAsync(_released.Token).ConfigureAwait(false);
                }
            }

            _ended.TrySetResult(Explain(shutdown));
        }
        catch (OperationCanceledException)
        {
            // Let go of; the instance goes on without us.
        }
    }

    private VmExit Explain(string? shutdown)
    {
        int? exitCode = _process.ExitCode;
        if (_stopDetail == AskedDetail && shutdown != "guest-shutdown")
            return new VmExit(VmExitKind.Stopped, "stopped: " + DescribeCrash(exitCode, shutdown) + " while the guest was asked to power off", exitCode);
        if (_stopDetail is { } stopped)
            return new VmExit(VmExitKind.Stopped, stopped, exitCode);
        return shutdown switch
        {
            "guest-shutdown" => new VmExit(VmExitKind.GuestPoweredOff, "the guest powered off", exitCode),
            "guest-reset" => new VmExit(VmExitKind.GuestReset, "the guest reset its machine (a reboot or a kernel panic; the console log shows which)", exitCode),
            "host-qmp-quit" => new VmExit(VmExitKind.Crashed, "somebody else told QEMU to quit", exitCode),
            _ => new VmExit(VmExitKind.Crashed, DescribeCrash(exitCode, shutdown), exitCode),
        };
    }

    private string DescribeCrash(int? exitCode, string? shutdown)
    {
        string how = exitCode switch
        {
            > 128 => $"QEMU was killed by signal {exitCode - 128}",
            null => "the QEMU process is gone",
            _ => $"QEMU ended with exit code {exitCode}",
        };
        if (shutdown is not null)
            how += $" ({shutdown})";
        string said = QemuProcess.ReadErrorTail(_paths.ErrorLog);
        return said.Length == 0 ? how : $"{how}: {said}";
    }

    private async Task RotateAsync()
    {
        try
        {
            using var timer = new PeriodicTimer(RotationInterval);
            do
            {
                if (!_log.IsRotationDue)
                    continue;
                // The guest stands still while the file is copied and cut, so that no byte falls between the two.
                try
                {
                    await TryExecuteAsync("stop", QuitLimit, _released.Token).ConfigureAwait(false);
                    await SettleLogAsync().ConfigureAwait(false);
                    _log.Rotate();
                }
                catch (IOException)
                {
                    // A full disk: tried again at the next tick.
                }
                finally
                {
                    await TryExecuteAsync("cont", QuitLimit, CancellationToken.None).ConfigureAwait(false);
                }
            }
            while (await timer.WaitForNextTickAsync(_released.Token).ConfigureAwait(false) && !Ended.IsCompleted);
        }
        catch (OperationCanceledException)
        {
            // Let go of.
        }
    }

    /// <summary>
    /// Waits for the character that the serial port may still hold for a console reader who was slow: it reaches the log when that reader
    /// goes on, paused guest or not.
    /// </summary>
    private async Task SettleLogAsync()
    {
        long before = -1;
        for (int i = 0; i < SettleRoundsMax && _log.End != before; i++)
        {
            before = _log.End;
            await Task.Delay(SettleInterval, _released.Token).ConfigureAwait(false);
        }
    }

    private static string? ReasonOf(JsonElement data) =>
        data.ValueKind == JsonValueKind.Object && data.TryGetProperty("reason", out JsonElement reason) ? reason.GetString() : null;
}
