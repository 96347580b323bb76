using Blixard.MicroVm.Console;
using Blixard.MicroVm.Model;

namespace Blixard.MicroVm.Drivers;

/// <summary>
/// Starts VMs with one hypervisor. At most one call per VM at a time; different VMs in parallel. An instance outlives the driver
/// and this process: whoever comes next finds it with <see cref="AdoptAsync"/>.
/// </summary>
public interface IVmDriver
{
    /// <summary>Starts <paramref name="launch"/> and returns once the guest's processors run.</summary>
    /// <exception cref="VmException">It could not be started; nothing of it runs.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing of it runs.</exception>
    ValueTask<IVmInstance> StartAsync(VmLaunch launch, CancellationToken cancellationToken);

    /// <summary>
    /// Finds the instance which an earlier process left running in the place's directory. Null says that nothing of it runs any more;
    /// what was left unreachable has been killed.
    /// </summary>
    ValueTask<IVmInstance?> AdoptAsync(VmPlace place, CancellationToken cancellationToken);

    /// <summary>Deletes what the driver keeps outside of the VM's directory. Nothing of the VM runs.</summary>
    ValueTask RemoveAsync(VmPlace place, CancellationToken cancellationToken);
}

/// <summary>A running VM. <see cref="IAsyncDisposable.DisposeAsync"/> lets go of it and leaves it running.</summary>
public interface IVmInstance : IAsyncDisposable
{
    /// <summary>The hypervisor's process id, if it has one.</summary>
    int? Pid { get; }

    /// <summary>What the guest's processors run on, in a word ("kvm", "tcg").</summary>
    string Acceleration { get; }

    /// <summary>Completes when the instance has ended, never faults. Stays incomplete after the instance was let go of.</summary>
    Task<VmExit> Ended { get; }

    /// <summary>
    /// Ends the guest: asks it politely for up to <paramref name="grace"/>, then by force. Returns once nothing of it runs any more,
    /// with an exit of kind <see cref="VmExitKind.Stopped"/> whose detail says which way it went, or with how it had ended before.
    /// </summary>
    ValueTask<VmExit> StopAsync(TimeSpan grace, CancellationToken cancellationToken);

    /// <summary>Connects to the guest's console, both ways. One at a time.</summary>
    /// <exception cref="VmException"><see cref="VmFailure.ConsoleInUse"/>, <see cref="VmFailure.NotRunning"/>.</exception>
    ValueTask<ConsoleConnection> AttachConsoleAsync(CancellationToken cancellationToken);
}

/// <summary>Where a VM lives on this machine.</summary>
/// <param name="Name">The VM's name.</param>
/// <param name="Directory">Its directory (absolute, exists).</param>
/// <param name="Log">Its console log; the driver makes the hypervisor append to <see cref="ConsoleLog.Path"/> and rotates it.</param>
public sealed record VmPlace(string Name, string Directory, ConsoleLog Log);

/// <summary>What to start and where.</summary>
/// <param name="Spec">The specification, with paths that exist on this machine.</param>
/// <param name="Place">Where the VM lives.</param>
/// <param name="Generation">For a guarded VM: the guard's generation under which it may start; null if it is not guarded.</param>
public sealed record VmLaunch(VmSpec Spec, VmPlace Place, long? Generation = null);
