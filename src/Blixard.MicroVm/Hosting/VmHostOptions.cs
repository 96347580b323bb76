using Blixard.MicroVm.Model;

namespace Blixard.MicroVm.Hosting;

/// <summary>How a node runs its VMs.</summary>
public sealed record VmHostOptions
{
    /// <summary>The node's data directory; VMs live in its subdirectory vms.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>How many VMs start at once. A boot takes a whole core. Default: the number of processors, at most 8.</summary>
    public int ConcurrentStartsMax { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 8);

    /// <summary>How long a guest gets to power off before it is ended by force.</summary>
    public TimeSpan StopGrace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Called before each start to fetch what the VM needs: takes the wish, returns the specification with paths that exist here. What it
    /// throws becomes the reason of a failed start. Cancelled when the VM is no longer wanted. Null takes the specification as it is.
    /// </summary>
    public Func<DesiredVm, CancellationToken, ValueTask<VmSpec>>? Prepare { get; init; }

    /// <summary>
    /// Called right before a guarded VM is launched: waits until it may start and returns the guard's generation under which it does. What it
    /// throws becomes the reason of a failed start. Cancelled when the VM is no longer wanted, or held.
    /// </summary>
    public Func<DesiredVm, CancellationToken, ValueTask<long>>? Permit { get; init; }

    /// <summary>The clock for back-off and for the times in statuses.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
