namespace Blixard.MicroVm.Model;

/// <summary>What somebody wants of a VM on this node.</summary>
/// <param name="Spec">What the VM consists of.</param>
/// <param name="Running">Whether it should run. False keeps its directory and logs.</param>
/// <param name="Epoch">The fencing epoch of the placement: an instance of a lower epoch is stopped, a wish of a lower epoch than the
/// instance's is out of date and is not acted on.</param>
/// <param name="Generation">Counts the requests to start it. A higher number starts a VM that has ended, at once and whatever its
/// restart policy; a running VM goes on.</param>
/// <param name="StopGrace">How long the guest gets to power off when it is stopped; null = the host's own limit.</param>
/// <param name="IsGuarded">Whether it may run only under the guard's deadline. Each start then asks <see cref="Hosting.VmHostOptions.Permit"/>.</param>
/// <param name="Hold">Why it must not run at the moment although it is wanted, for people: it is ended at once, without being asked, and not
/// started. Null: it may run.</param>
public sealed record DesiredVm(
    VmSpec Spec, bool Running = true, long Epoch = 0, long Generation = 0, TimeSpan? StopGrace = null, bool IsGuarded = false, string? Hold = null);
