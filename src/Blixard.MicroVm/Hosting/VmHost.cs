using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Blixard.MicroVm.Console;
using Blixard.MicroVm.Drivers;
using Blixard.MicroVm.Model;
using Blixard.MicroVm.Reconciliation;

namespace Blixard.MicroVm.Hosting;

/// <summary>
/// Keeps the VMs of one node as they are wanted. One per data directory. VMs outlive it: disposing, or kill -9 of the process at any
/// moment, leaves them running, and the next host on the same directory takes them over. Thread-safe.
/// </summary>
public sealed class VmHost : IAsyncDisposable
{
    /// <summary>How often a followed console is looked at: quick for eyes, nothing for a processor.</summary>
    private static readonly TimeSpan ConsolePollInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>Statuses kept for a slow watcher; the oldest go, the newest of a VM is what counts.</summary>
    private const int WatcherBacklogMax = 256;

    /// <summary>Wake-ups more than this far away are split: timers take no more than 49 days, and clocks may be set meanwhile.</summary>
    private static readonly TimeSpan LongestSleep = TimeSpan.FromMinutes(1);

    private readonly IVmDriver _driver;
    private readonly VmHostOptions _options;
    private readonly string _directory;
    private readonly FileStream _ownership;
    private readonly ConcurrentDictionary<string, VmActor> _actors = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<Channel<VmStatus>, bool> _watchers = new();
    private readonly Channel<bool> _wakeUps = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stopping = new();
    private volatile IReadOnlyDictionary<string, DesiredVm>? _desired;
    private volatile IReadOnlyDictionary<string, DesiredVm>? _reconciled;
    private TaskCompletionSource _passed = NewSignal();
    private Task _reconciling = Task.CompletedTask;

    private VmHost(IVmDriver driver, VmHostOptions options, string directory, FileStream ownership)
    {
        _driver = driver;
        _options = options;
        _directory = directory;
        _ownership = ownership;
    }

    /// <summary>Takes over the data directory and the VMs that run there. Starts, stops and removes nothing before <see cref="Apply"/>.</summary>
    /// <exception cref="VmException"><see cref="VmFailure.DirectoryUnusable"/>: another process has it, or it cannot be written.</exception>
    public static async Task<VmHost> OpenAsync(VmHostOptions options, IVmDriver driver, CancellationToken cancellationToken)
    {
        string directory = Path.GetFullPath(Path.Combine(options.DataDirectory, "vms"));
        FileStream ownership;
        try
        {
            Directory.CreateDirectory(directory);
            ownership = new FileStream(Path.Combine(directory, ".lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VmException(VmFailure.DirectoryUnusable, $"{directory} is used by another process or cannot be written: {e.Message}", e);
        }

        var host = new VmHost(driver, options, directory, ownership);
        try
        {
            foreach (string path in Directory.EnumerateDirectories(directory).Where(static path => VmName.Check(Path.GetFileName(path)) is null))
            {
                VmActor actor = await VmActor.OpenAsync(path, driver, options, host.OnChanged, cancellationToken).ConfigureAwait(false);
                host._actors[actor.Place.Name] = actor;
            }
        }
        catch
        {
            await host.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        host._reconciling = host.ReconcileAsync();
        return host;
    }

    /// <summary>
    /// Sets what is wanted from now on: all VMs of this node. A VM that is not among them is stopped and removed with its directory.
    /// Returns at once; follow <see cref="WatchAsync"/>.
    /// </summary>
    /// <exception cref="VmException">A name is invalid or occurs twice; nothing has changed.</exception>
    public void Apply(IEnumerable<DesiredVm> desired)
    {
        var byName = new Dictionary<string, DesiredVm>(StringComparer.Ordinal);
        foreach (DesiredVm vm in desired)
        {
            if (VmName.Check(vm.Spec.Name) is { } wrong)
                throw new VmException(VmFailure.InvalidSpec, wrong);
            if (!byName.TryAdd(vm.Spec.Name, vm))
                throw new VmException(VmFailure.InvalidSpec, $"the VM {vm.Spec.Name} is wanted twice");
        }

        _desired = byName;
        WakeUp();
    }

    /// <summary>Stops and removes all VMs and completes when nothing of them is left. The caller applies nothing else meanwhile.</summary>
    public async Task RemoveAllAsync(CancellationToken cancellationToken)
    {
        Apply([]);
        IReadOnlyDictionary<string, DesiredVm>? nothing = _desired;
        while (true)
        {
            Task passed = Volatile.Read(ref _passed).Task;
            // A pass that began before may still make a VM of the former wishes; the next one removes it.
            if (ReferenceEquals(_reconciled, nothing) && _actors.IsEmpty)
                return;
            await passed.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The facts about all VMs that are here, by name.</summary>
    public IReadOnlyList<VmStatus> GetStatuses() =>
        [.. _actors.Values.Select(Describe).OrderBy(static status => status.Name, StringComparer.Ordinal)];

    /// <summary>The facts about one VM, or null if it is not here.</summary>
    public VmStatus? GetStatus(string name) => _actors.TryGetValue(name, out VmActor? actor) ? Describe(actor) : null;

    /// <summary>
    /// All statuses, and then each change until cancelled or the host is disposed. A VM that was removed is reported a last time with the
    /// reason "removed". A watcher that falls behind misses the oldest changes.
    /// </summary>
    public async IAsyncEnumerable<VmStatus> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var channel = Channel.CreateBounded<VmStatus>(new BoundedChannelOptions(WatcherBacklogMax) { FullMode = BoundedChannelFullMode.DropOldest });
        _watchers.TryAdd(channel, true);
        if (_stopping.IsCancellationRequested)
            channel.Writer.TryComplete();
        try
        {
            foreach (VmStatus status in GetStatuses())
                yield return status;
            await foreach (VmStatus status in channel.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                yield return status;
        }
        finally
        {
            _watchers.TryRemove(channel, out _);
        }
    }

    /// <summary>
    /// Reads a VM's console log from its oldest byte or its last <paramref name="tailLines"/> lines on. With <paramref name="follow"/> it
    /// goes on, over restarts of the VM, until cancelled or the VM is removed. The memory is valid until the next piece is asked for.
    /// </summary>
    /// <exception cref="VmException"><see cref="VmFailure.NotFound"/>.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadConsoleAsync(
        string name, bool follow, int? tailLines, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        VmActor actor = Find(name);
        ConsoleLog log = actor.Place.Log;
        long position = tailLines is { } lines ? log.FindTail(lines) : 0;
        long end = follow ? long.MaxValue : log.End;
        byte[] buffer = new byte[16 * 1024];
        while (position < end)
        {
            int count = log.Read(ref position, buffer);
            if (count > 0)
                yield return buffer.AsMemory(0, count);
            else if (!follow || actor.IsRemoved)
                yield break;
            else
                await Task.Delay(ConsolePollInterval, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The same as <see cref="ReadConsoleAsync"/> in lines for people (<see cref="ConsoleLines"/>).</summary>
    /// <exception cref="VmException"><see cref="VmFailure.NotFound"/>.</exception>
    public async IAsyncEnumerable<string> ReadConsoleLinesAsync(
        string name, bool follow, int? tailLines, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var decoder = new ConsoleLines();
        List<string> lines = [];
        await foreach (ReadOnlyMemory<byte> piece in ReadConsoleAsync(name, follow, tailLines, cancellationToken).ConfigureAwait(false))
        {
            decoder.Add(piece.Span, lines);
            foreach (string line in lines)
                yield return line;
            lines.Clear();
        }

        if (decoder.TakeUnfinished() is { } last)
            yield return last;
    }

    /// <summary>Connects to a VM's console, both ways. One at a time.</summary>
    /// <exception cref="VmException"><see cref="VmFailure.NotFound"/>, <see cref="VmFailure.NotRunning"/>, <see cref="VmFailure.ConsoleInUse"/>.</exception>
    public ValueTask<ConsoleConnection> AttachConsoleAsync(string name, CancellationToken cancellationToken) =>
        Find(name).Instance is { } instance
            ? instance.AttachConsoleAsync(cancellationToken)
            : throw new VmException(VmFailure.NotRunning, $"the VM {name} is not running");

    /// <summary>Lets go of the VMs, which go on running, and of the data directory.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _reconciling.ConfigureAwait(false);
        await Task.WhenAll(_actors.Values.Select(static actor => actor.DisposeAsync().AsTask())).ConfigureAwait(false);
        foreach (Channel<VmStatus> watcher in _watchers.Keys)
            watcher.Writer.TryComplete();
        await _ownership.DisposeAsync().ConfigureAwait(false);
    }

    private VmActor Find(string name) =>
        _actors.TryGetValue(name, out VmActor? actor) ? actor : throw new VmException(VmFailure.NotFound, $"there is no VM {name} on this node");

    private VmStatus Describe(VmActor actor)
    {
        VmStatus status = actor.GetStatus();
        return _desired is { } desired && desired.TryGetValue(status.Name, out DesiredVm? wish)
            ? status with { RestartAt = Reconciler.RestartAt(wish, actor.Observe(), _options.TimeProvider.GetUtcNow()) }
            : status;
    }

    private void OnChanged(VmActor actor)
    {
        VmStatus status = Describe(actor);
        if (actor.IsRemoved)
            status = status with { State = VmState.Stopped, Reason = "removed" };
        foreach (Channel<VmStatus> watcher in _watchers.Keys)
            watcher.Writer.TryWrite(status);
        WakeUp();
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void WakeUp() => _wakeUps.Writer.TryWrite(true);

    private async Task ReconcileAsync()
    {
        try
        {
            while (true)
            {
                DateTimeOffset? lookAgainAt = null;
                if (_desired is { } desired)
                {
                    lookAgainAt = await ReconcileOnceAsync(desired).ConfigureAwait(false);
                    _reconciled = desired;
                    Interlocked.Exchange(ref _passed, NewSignal()).SetResult();
                }

                await SleepAsync(lookAgainAt).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private async Task<DateTimeOffset?> ReconcileOnceAsync(IReadOnlyDictionary<string, DesiredVm> desired)
    {
        foreach ((string name, VmActor actor) in _actors)
        {
            if (actor.IsRemoved && _actors.TryRemove(name, out _))
                await actor.DisposeAsync().ConfigureAwait(false);
        }

        DateTimeOffset? retryAt = null;
        foreach (DesiredVm vm in desired.Values)
        {
            if (!_actors.ContainsKey(vm.Spec.Name) && !TryCreate(vm))
                retryAt = _options.TimeProvider.GetUtcNow() + RestartBackoff.Longest;
        }

        Dictionary<string, ObservedVm> observed = _actors.Values.Select(static actor => actor.Observe()).ToDictionary(static vm => vm.Name, StringComparer.Ordinal);
        ReconcilePlan plan = Reconciler.Plan(desired, observed, _options.ConcurrentStartsMax, _options.TimeProvider.GetUtcNow());
        foreach (VmAction action in plan.Actions)
        {
            if (_actors.TryGetValue(action.Name, out VmActor? actor))
                Carry(action, actor, desired);
        }

        return retryAt is null || plan.LookAgainAt < retryAt ? plan.LookAgainAt : retryAt;
    }

    private static void Carry(VmAction action, VmActor actor, IReadOnlyDictionary<string, DesiredVm> desired)
    {
        switch (action.Kind)
        {
            case VmActionKind.Start:
                actor.Start(desired[action.Name], action);
                break;
            case VmActionKind.Stop:
                actor.Stop(action.Reason, desired[action.Name]);
                break;
            default:
                actor.Remove(action.Reason);
                break;
        }
    }

    private bool TryCreate(DesiredVm wish)
    {
        string name = wish.Spec.Name;
        try
        {
            VmActor actor = VmActor.Create(Path.Combine(_directory, name), wish.Spec, _driver, _options, OnChanged);
            _actors[name] = actor;
            OnChanged(actor);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Told to watchers, as there is no actor that could keep it; tried again later.
            var status = new VmStatus { Name = name, State = VmState.Failed, Reason = $"its directory could not be made: {e.Message}" };
            foreach (Channel<VmStatus> watcher in _watchers.Keys)
                watcher.Writer.TryWrite(status);
            return false;
        }
    }

    private async Task SleepAsync(DateTimeOffset? until)
    {
        using var sleeping = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        Task<bool> wokenUp = _wakeUps.Reader.WaitToReadAsync(sleeping.Token).AsTask();
        if (until is { } time)
        {
            TimeSpan left = time - _options.TimeProvider.GetUtcNow();
            left = left < TimeSpan.Zero ? TimeSpan.Zero : left > LongestSleep ? LongestSleep : left;
            await Task.WhenAny(wokenUp, Task.Delay(left, _options.TimeProvider, sleeping.Token)).ConfigureAwait(false);
        }
        else
        {
            await wokenUp.ConfigureAwait(false);
        }

        _stopping.Token.ThrowIfCancellationRequested();
        _wakeUps.Reader.TryRead(out _);
        await sleeping.CancelAsync().ConfigureAwait(false);
    }
}
