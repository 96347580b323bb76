namespace Blixard.MicroVm.Model;

/// <summary>The facts about a VM at one moment. Immutable.</summary>
public sealed record VmStatus
{
    /// <summary>The VM's name.</summary>
    public required string Name { get; init; }

    /// <summary>Where it stands.</summary>
    public required VmState State { get; init; }

    /// <summary>One sentence for people: why it is in this state.</summary>
    public required string Reason { get; init; }

    /// <summary>The hypervisor's process id while there is one.</summary>
    public int? Pid { get; init; }

    /// <summary>When the current or last instance began to run.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When the last instance ended; null while one runs.</summary>
    public DateTimeOffset? StoppedAt { get; init; }

    /// <summary>How often the restart policy started it again since somebody last asked for a start.</summary>
    public int Restarts { get; init; }

    /// <summary>When the restart policy starts it again; null if it does not.</summary>
    public DateTimeOffset? RestartAt { get; init; }

    /// <summary>How the last instance ended; null while one runs and before the first.</summary>
    public VmExit? Exit { get; init; }

    /// <summary>What the instance runs on ("kvm", "tcg"); null before the first start.</summary>
    public string? Acceleration { get; init; }

    /// <summary>The fencing epoch under which the instance was started.</summary>
    public long Epoch { get; init; }

    /// <summary>The start request which the instance answers.</summary>
    public long Generation { get; init; }
}
