using Blixard.V1;

namespace Blixard.Cluster.Placement;

/// <summary>A node as failover sees it.</summary>
/// <param name="Node">The node; ready if it lives.</param>
/// <param name="LostSince">When its loss was recorded; null if it is not lost.</param>
public sealed record FailoverNode(PlacementNode Node, DateTimeOffset? LostSince);

/// <summary>A VM as failover sees it.</summary>
/// <param name="Spec">What the user wants.</param>
/// <param name="Node">The name of the node that owns it.</param>
/// <param name="Reported">What the owner last said about it in its present epoch; unspecified if nothing.</param>
public sealed record FailoverVm(VmSpec Spec, string Node, VmState Reported);

/// <summary>What becomes of a VM whose node is lost.</summary>
/// <param name="Vm">The VM's name.</param>
/// <param name="From">The lost node.</param>
/// <param name="To">The node that shall run it; null: it waits.</param>
/// <param name="Reason">Why, for people.</param>
public sealed record FailoverDecision(string Vm, string From, string? To, string Reason);
