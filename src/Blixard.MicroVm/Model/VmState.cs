namespace Blixard.MicroVm.Model;

/// <summary>Where a VM stands. Words for people: <see cref="VmStatus.Reason"/>.</summary>
public enum VmState
{
    /// <summary>Known, never started.</summary>
    Created,

    /// <summary>Its image is being fetched or its process is coming up.</summary>
    Starting,

    /// <summary>The guest's processors run.</summary>
    Running,

    /// <summary>It was told to end and has not ended yet.</summary>
    Stopping,

    /// <summary>It ended in order, by request or by itself.</summary>
    Stopped,

    /// <summary>It could not be started or ended out of order; it may be waiting to be started again.</summary>
    Failed,
}
