using Blixard.MicroVm.Model;

namespace Blixard.MicroVm.Reconciliation;

/// <summary>What the reconciler sees of a VM that is on this node.</summary>
internal sealed record ObservedVm
{
    public required string Name { get; init; }

    public required VmPhase Phase { get; init; }

    /// <summary>The epoch of the last start.</summary>
    public long Epoch { get; init; }

    /// <summary>The generation of the last start; null if it was never started.</summary>
    public long? Generation { get; init; }

    /// <summary>How the last instance ended; null while one runs and before the first.</summary>
    public VmExit? Exit { get; init; }

    /// <summary>When the last instance ended.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Ends in a row without a good run in between.</summary>
    public int Ends { get; init; }
}

/// <summary>What is going on with a VM. Idle is the only phase without a process or an operation.</summary>
internal enum VmPhase
{
    Idle,
    Starting,
    Running,
    Stopping,
    Removing,
}
