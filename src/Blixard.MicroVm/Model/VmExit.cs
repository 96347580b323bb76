namespace Blixard.MicroVm.Model;

/// <summary>How an instance of a VM ended.</summary>
/// <param name="Kind">The sort of end.</param>
/// <param name="Detail">One sentence for people.</param>
/// <param name="ExitCode">The exit code of the hypervisor process if this node was its parent; 128 + n if signal n ended it.</param>
public sealed record VmExit(VmExitKind Kind, string Detail, int? ExitCode = null)
{
    /// <summary>Whether the restart policy <see cref="RestartPolicy.OnFailure"/> starts the VM again.</summary>
    public bool IsFailure => Kind is not (VmExitKind.GuestPoweredOff or VmExitKind.Stopped or VmExitKind.Fenced);
}

/// <summary>The sorts of ends of an instance.</summary>
public enum VmExitKind
{
    /// <summary>The guest powered itself off.</summary>
    GuestPoweredOff,

    /// <summary>The guest reset its machine: a reboot, or a kernel panic with panic=-1.</summary>
    GuestReset,

    /// <summary>This node was told to stop it.</summary>
    Stopped,

    /// <summary>This node or its guard ended it, because it was held (<see cref="DesiredVm.Hold"/>); it starts again when it is not held any more.</summary>
    Fenced,

    /// <summary>The hypervisor process ended on its own: killed, crashed, out of memory.</summary>
    Crashed,

    /// <summary>It never ran: a missing file, a missing program, an image that could not be fetched.</summary>
    StartFailed,

    /// <summary>It ended while no node process was there to see how.</summary>
    Lost,

    /// <summary>It is down, but what it left on disk could not be removed.</summary>
    RemoveFailed,
}
