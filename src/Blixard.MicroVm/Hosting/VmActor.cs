using System.Threading.Channels;
using Blixard.MicroVm.Console;
using Blixard.MicroVm.Drivers;
using Blixard.MicroVm.Guarding;
using Blixard.MicroVm.Model;
using Blixard.MicroVm.Reconciliation;

namespace Blixard.MicroVm.Hosting;

/// <summary>
/// Owns one VM: its directory, its record and its instance. Operations run one after the other on the actor's own task; the phase changes
/// when an operation is accepted, so that the reconciler never asks twice.
///   Idle -Start-> Starting -> Running -Stop-> Stopping -> Idle;  Starting, Running -(fails, ends)-> Idle;  any -Remove-> Removing -> gone
/// </summary>
internal sealed class VmActor : IAsyncDisposable
{
    /// <summary>Start, stop, remove and the ends of two instances can wait at the same time, never more: phases forbid it.</summary>
    private const int CommandsMax = 8;

    private readonly IVmDriver _driver;
    private readonly VmHostOptions _options;
    private readonly Action<VmActor> _changed;
    private readonly Channel<Command> _commands = Channel.CreateBounded<Command>(CommandsMax);
    private readonly CancellationTokenSource _detaching = new();
    private readonly Lock _lock = new();
    private VmRecord _record;
    private string _reason;
    private IVmInstance? _instance;
    private Task _watching = Task.CompletedTask;
    private Task _running = Task.CompletedTask;
    private CancellationTokenSource? _starting;

    private VmActor(string directory, VmRecord record, string reason, IVmDriver driver, VmHostOptions options, Action<VmActor> changed)
    {
        Place = new VmPlace(record.Spec.Name, directory, new ConsoleLog(directory));
        _record = record;
        _reason = reason;
        _driver = driver;
        _options = options;
        _changed = changed;
    }

    private abstract record Command
    {
        public sealed record Start(DesiredVm Wish, CancellationTokenSource Cancellation) : Command;

        public sealed record Stop(TimeSpan? Grace, string? Hold) : Command;

        public sealed record Remove : Command;

        public sealed record Ended(IVmInstance Instance, VmExit Exit) : Command;
    }

    public VmPlace Place { get; }

    /// <summary>Whether the VM and its directory are gone.</summary>
    public bool IsRemoved { get; private set; }

    public IVmInstance? Instance
    {
        get
        {
            lock (_lock)
                return _instance;
        }
    }

    /// <summary>Creates the directory and record of a new VM.</summary>
    public static VmActor Create(string directory, VmSpec spec, IVmDriver driver, VmHostOptions options, Action<VmActor> changed)
    {
        Directory.CreateDirectory(directory);
        var record = new VmRecord { Spec = spec };
        record.Write(directory);
        var actor = new VmActor(directory, record, "created", driver, options, changed);
        actor._running = actor.RunAsync();
        return actor;
    }

    /// <summary>Takes over what an earlier process left in <paramref name="directory"/>, running or not.</summary>
    public static async Task<VmActor> OpenAsync(
        string directory, IVmDriver driver, VmHostOptions options, Action<VmActor> changed, CancellationToken cancellationToken)
    {
        // Without a readable record only the directory's name is known: enough to adopt, stop and remove what is there.
        VmRecord record = VmRecord.TryRead(directory) ?? new VmRecord { Spec = new VmSpec { Name = Path.GetFileName(directory), KernelPath = "unknown" } };
        var actor = new VmActor(directory, record, "", driver, options, changed);
        IVmInstance? instance = await driver.AdoptAsync(actor.Place, cancellationToken).ConfigureAwait(false);
        if (instance is not null)
            actor.TakeOver(instance, "running; found again when the node started");
        else
            actor.SetDown(record);
        actor._running = actor.RunAsync();
        return actor;
    }

    public ObservedVm Observe()
    {
        lock (_lock)
        {
            return new ObservedVm
            {
                Name = Place.Name,
                Phase = _record.Phase,
                Epoch = _record.Epoch,
                Generation = _record.Generation,
                Exit = _record.Exit,
                EndedAt = _record.EndedAt,
                Ends = _record.Ends,
            };
        }
    }

    public VmStatus GetStatus()
    {
        lock (_lock)
        {
            return new VmStatus
            {
                Name = Place.Name,
                State = StateOf(_record),
                Reason = _reason,
                Pid = _instance?.Pid,
                StartedAt = _record.StartedAt,
                StoppedAt = _record.EndedAt,
                Restarts = _record.Restarts,
                Exit = _record.Exit,
                Acceleration = _record.Acceleration,
                Epoch = _record.Epoch,
                Generation = _record.Generation ?? 0,
            };
        }
    }

    public void Start(DesiredVm wish, VmAction action)
    {
        var cancellation = new CancellationTokenSource();
        Update(action.Reason, record => record with
        {
            Spec = wish.Spec,
            Phase = VmPhase.Starting,
            Epoch = wish.Epoch,
            Generation = wish.Generation,
            Restarts = action.IsRestart ? record.Restarts + 1 : 0,
            // A start that somebody asked for begins a new row of ends.
            Ends = action.IsRestart ? record.Ends : 0,
            Exit = null,
            EndedAt = null,
            StartedAt = null,
        });
        lock (_lock)
            _starting = cancellation;
        Send(new Command.Start(wish, cancellation));
    }

    public void Stop(string reason, DesiredVm wish)
    {
        Update(reason, static record => record with { Phase = VmPhase.Stopping });
        CancelStart();
        Send(new Command.Stop(wish.Hold is null ? wish.StopGrace : TimeSpan.Zero, wish.Hold));
    }

    public void Remove(string reason)
    {
        Update(reason, static record => record with { Phase = VmPhase.Removing });
        CancelStart();
        Send(new Command.Remove());
    }

    /// <summary>Lets go of the VM, which goes on running. An operation that is under way is finished by the next process.</summary>
    public async ValueTask DisposeAsync()
    {
        _commands.Writer.TryComplete();
        await _detaching.CancelAsync().ConfigureAwait(false);
        CancelStart();
        await _running.ConfigureAwait(false);
        if (Instance is { } instance)
            await instance.DisposeAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(false);
        _detaching.Dispose();
    }

    private static VmState StateOf(VmRecord record) => record.Phase switch
    {
        VmPhase.Starting => VmState.Starting,
        VmPhase.Running => VmState.Running,
        VmPhase.Stopping or VmPhase.Removing => VmState.Stopping,
        _ when record.Exit is null => VmState.Created,
        _ => record.Exit.IsFailure ? VmState.Failed : VmState.Stopped,
    };

    private void Send(Command command)
    {
        if (!_commands.Writer.TryWrite(command) && !_detaching.IsCancellationRequested)
            throw new InvalidOperationException($"more than {CommandsMax} operations wait for the VM {Place.Name}");
    }

    private void CancelStart()
    {
        CancellationTokenSource? starting;
        lock (_lock)
            starting = _starting;
        starting?.Cancel();
    }

    private void Update(string reason, Func<VmRecord, VmRecord> change)
    {
        lock (_lock)
        {
            _record = change(_record);
            _reason = reason;
            TryPersist();
        }

        _changed(this);
    }

    /// <summary>
    /// A full disk stops no VM: the record in memory goes on, and the directory's name alone is enough to find the instance again.
    /// </summary>
    private void TryPersist()
    {
        try
        {
            _record.Write(Place.Directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _reason += $" (its record could not be written: {e.Message})";
        }
    }

    private async Task RunAsync()
    {
        await foreach (Command command in _commands.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            // What was asked for and not begun is in the record; the next process does it.
            if (_detaching.IsCancellationRequested)
                return;
            try
            {
                await RunAsync(command).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (_detaching.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                Update("an operation failed: " + e.Message, record => record with { Phase = _instance is null ? VmPhase.Idle : VmPhase.Running });
            }

            if (IsRemoved)
                return;
        }
    }

    private Task RunAsync(Command command) => command switch
    {
        Command.Start start => StartAsync(start),
        Command.Stop stop => StopAsync(stop),
        Command.Remove => RemoveAsync(),
        Command.Ended ended => EndAsync(ended),
        _ => throw new InvalidOperationException("an unknown command"),
    };

    private async Task StartAsync(Command.Start start)
    {
        try
        {
            VmSpec spec = start.Wish.Spec;
            TakeMark();
            if (_options.Prepare is { } prepare)
                spec = await prepare(start.Wish, start.Cancellation.Token).ConfigureAwait(false);
            long? generation = null;
            if (start.Wish.IsGuarded)
            {
                generation = _options.Permit is { } permit
                    ? await permit(start.Wish, start.Cancellation.Token).ConfigureAwait(false)
                    : throw new VmException(VmFailure.StartFailed, "nobody can permit the start of a VM that may move");
            }

            await LaunchAsync(new VmLaunch(spec, Place, generation), start.Cancellation.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (start.Cancellation.IsCancellationRequested)
        {
            // A stop or removal waits behind us and settles the record; or we let go, and the next process finds "starting" and starts.
        }
        catch (Exception e)
        {
            Down(new VmExit(VmExitKind.StartFailed, e.Message));
        }
        finally
        {
            lock (_lock)
                _starting = null;
        }
    }

    private async Task LaunchAsync(VmLaunch launch, CancellationToken cancellationToken)
    {
        try
        {
            TakeOver(await _driver.StartAsync(launch, cancellationToken).ConfigureAwait(false), "running");
        }
        catch (VmException e) when (e.Failure == VmFailure.AlreadyRunning)
        {
            // Started by a node that was killed at that very moment. Taken over, or, when it does not answer, killed and started later.
            if (await _driver.AdoptAsync(Place, cancellationToken).ConfigureAwait(false) is not { } found)
                throw;
            TakeOver(found, "running; it had been started before");
        }
    }

    private async Task StopAsync(Command.Stop stop)
    {
        VmExit exit;
        if (_instance is { } instance)
            exit = await StopInstanceAsync(instance, stop.Grace).ConfigureAwait(false);
        else if (Observe().Phase == VmPhase.Stopping)
            exit = new VmExit(VmExitKind.Stopped, "stopped before it had started");
        else
            return;
        Down(stop.Hold is { } hold ? exit with { Kind = VmExitKind.Fenced, Detail = hold } : exit);
    }

    private async Task RemoveAsync()
    {
        if (_instance is { } instance)
            Down(await StopInstanceAsync(instance, null).ConfigureAwait(false));
        try
        {
            await _driver.RemoveAsync(Place, _detaching.Token).ConfigureAwait(false);
            if (Directory.Exists(Place.Directory))
                Directory.Delete(Place.Directory, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or VmException)
        {
            Down(new VmExit(VmExitKind.RemoveFailed, $"its files could not be removed: {e.Message}"));
            return;
        }

        IsRemoved = true;
        _changed(this);
    }

    private async Task EndAsync(Command.Ended ended)
    {
        if (!ReferenceEquals(_instance, ended.Instance))
            return;
        await ended.Instance.DisposeAsync().ConfigureAwait(false);
        Down(TakeMark() ?? ended.Exit);
    }

    /// <summary>How the VM ended if the guard ended it; null if it did not.</summary>
    private VmExit? TakeMark()
    {
        string mark = Path.Combine(Place.Directory, GuardScript.MarkName);
        if (!File.Exists(mark))
            return null;
        try
        {
            File.Delete(mark);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It will seem to have been the guard at the next end too, which restarts the VM: that is what it is there for.
        }

        return new VmExit(VmExitKind.Fenced, "ended by the guard: this node could not renew its lease in time");
    }

    private async Task<VmExit> StopInstanceAsync(IVmInstance instance, TimeSpan? grace)
    {
        VmExit exit = await instance.StopAsync(grace ?? _options.StopGrace, _detaching.Token).ConfigureAwait(false);
        await instance.DisposeAsync().ConfigureAwait(false);
        return exit;
    }

    private void TakeOver(IVmInstance instance, string reason)
    {
        lock (_lock)
        {
            _instance = instance;
            // A stop that came in meanwhile has changed the phase and waits behind us.
            bool overtaken = _record.Phase is VmPhase.Stopping or VmPhase.Removing && _commands.Reader.Count > 0;
            _record = _record with
            {
                Phase = overtaken ? _record.Phase : VmPhase.Running,
                StartedAt = _record.StartedAt ?? _options.TimeProvider.GetUtcNow(),
                EndedAt = null,
                Exit = null,
                Acceleration = instance.Acceleration,
            };
            _reason = reason;
            TryPersist();
            _watching = WatchAsync(instance, _watching);
        }

        _changed(this);
    }

    private async Task WatchAsync(IVmInstance instance, Task before)
    {
        await before.ConfigureAwait(false);
        try
        {
            VmExit exit = await instance.Ended.WaitAsync(_detaching.Token).ConfigureAwait(false);
            await _commands.Writer.WriteAsync(new Command.Ended(instance, exit), _detaching.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or ChannelClosedException)
        {
            // Let go of, or removed.
        }
    }

    /// <summary>What an earlier process left is down: says how, as far as its record tells.</summary>
    private void SetDown(VmRecord record)
    {
        switch (record.Phase)
        {
            case VmPhase.Starting:
                // It never ran, so no restart policy is asked: the wish is carried out as if it were new.
                _record = record with { Phase = VmPhase.Idle, Generation = null };
                _reason = "the node ended while it was starting";
                break;
            case VmPhase.Running:
                Down(TakeMark() ?? new VmExit(VmExitKind.Lost, "it ended while no node process was there to see how"));
                break;
            case VmPhase.Stopping or VmPhase.Removing:
                _record = record with { Phase = VmPhase.Idle };
                Down(new VmExit(VmExitKind.Stopped, "stopped"));
                break;
            default:
                _reason = record.Exit?.Detail ?? "created";
                break;
        }
    }

    private void Down(VmExit exit)
    {
        DateTimeOffset now = _options.TimeProvider.GetUtcNow();
        lock (_lock)
            _instance = null;
        Update(exit.Detail, record => record with
        {
            Phase = record.Phase == VmPhase.Removing && exit.Kind != VmExitKind.RemoveFailed ? VmPhase.Removing : VmPhase.Idle,
            Exit = exit,
            EndedAt = now,
            Ends = exit.Kind is VmExitKind.Stopped or VmExitKind.Fenced ? 0 : RestartBackoff.Count(record.Ends, record.StartedAt is { } started ? now - started : TimeSpan.Zero),
        });
    }
}
