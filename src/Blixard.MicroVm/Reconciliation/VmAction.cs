namespace Blixard.MicroVm.Reconciliation;

/// <summary>Something to do.</summary>
/// <param name="Kind">What.</param>
/// <param name="Name">To which VM.</param>
/// <param name="Reason">Why, for people.</param>
/// <param name="IsRestart">Whether a start is the restart policy's.</param>
internal sealed record VmAction(VmActionKind Kind, string Name, string Reason, bool IsRestart = false);

internal enum VmActionKind
{
    Start,
    Stop,
    Remove,
}

/// <summary>What to do now and when to look again if nothing happens before.</summary>
internal sealed record ReconcilePlan(IReadOnlyList<VmAction> Actions, DateTimeOffset? LookAgainAt);
