using System.Collections.Concurrent;
using Blixard.MicroVm.Console;
using Blixard.MicroVm.Drivers;
using Blixard.MicroVm.Model;

namespace Blixard.MicroVm.Tests.Hosting;

/// <summary>A machine without a hypervisor: its VMs are entries of a table that outlives drivers, as processes outlive nodes.</summary>
public sealed class SimulatedMachine : IVmDriver
{
    private readonly ConcurrentDictionary<string, Guest> _guests = new();
    private int _pids;

    /// <summary>Asked before each start; throws to make it fail, waits to make it slow.</summary>
    public Func<VmLaunch, CancellationToken, Task> BeforeStart { get; set; } = static (_, _) => Task.CompletedTask;

    /// <summary>Whether guests power off when asked. Otherwise they are ended by force.</summary>
    public bool GuestsListen { get; set; } = true;

    public ConcurrentQueue<string> Violations { get; } = new();

    public ConcurrentQueue<string> Removed { get; } = new();

    public int Started { get; private set; }

    public IEnumerable<string> Running => _guests.Values.Select(static guest => guest.Spec.Name).Order();

    public async ValueTask<IVmInstance> StartAsync(VmLaunch launch, CancellationToken cancellationToken)
    {
        await BeforeStart(launch, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        var guest = new Guest(launch.Spec, Interlocked.Increment(ref _pids));
        if (!_guests.TryAdd(launch.Place.Directory, guest))
            Violations.Enqueue($"{launch.Spec.Name} was started twice");
        if (!Directory.Exists(launch.Place.Directory))
            Violations.Enqueue($"{launch.Spec.Name} was started without a directory");
        Started++;
        return new Instance(this, guest, launch.Place);
    }

    public ValueTask<IVmInstance?> AdoptAsync(VmPlace place, CancellationToken cancellationToken) =>
        ValueTask.FromResult<IVmInstance?>(_guests.TryGetValue(place.Directory, out Guest? guest) ? new Instance(this, guest, place) : null);

    public ValueTask RemoveAsync(VmPlace place, CancellationToken cancellationToken)
    {
        if (_guests.ContainsKey(place.Directory))
            Violations.Enqueue($"{place.Name} was removed while it ran");
        Removed.Enqueue(place.Name);
        return ValueTask.CompletedTask;
    }

    /// <summary>Ends a running guest; false if it does not run.</summary>
    public bool End(string name, VmExitKind kind)
    {
        foreach ((string directory, Guest guest) in _guests)
        {
            if (guest.Spec.Name == name && _guests.TryRemove(KeyValuePair.Create(directory, guest)))
                return guest.Ended.TrySetResult(new VmExit(kind, $"it ended: {kind}"));
        }

        return false;
    }

    private sealed record Guest(VmSpec Spec, int Pid)
    {
        public TaskCompletionSource<VmExit> Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private sealed class Instance(SimulatedMachine machine, Guest guest, VmPlace place) : IVmInstance
    {
        public int? Pid => guest.Pid;

        public string Acceleration => "simulated";

        public Task<VmExit> Ended => guest.Ended.Task;

        public async ValueTask<VmExit> StopAsync(TimeSpan grace, CancellationToken cancellationToken)
        {
            await Task.Yield();
            machine._guests.TryRemove(KeyValuePair.Create(place.Directory, guest));
            guest.Ended.TrySetResult(new VmExit(VmExitKind.Stopped, machine.GuestsListen ? "stopped: asked" : "stopped by force"));
            return await Ended;
        }

        public ValueTask<ConsoleConnection> AttachConsoleAsync(CancellationToken cancellationToken) =>
            throw new VmException(VmFailure.NotRunning, "a simulated guest has no console");

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
