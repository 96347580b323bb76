using Blixard.Cluster.Liveness;
using Blixard.V1;
using Iroh.Base;

namespace Blixard.Cluster.Placement;

/// <summary>What placement and failover look at, made of records; and what people are shown of VMs whose node is lost. Pure.</summary>
public static class FailoverFacts
{
    /// <summary>The members with the room that VMs leave them. Ready for new VMs are those that live, or of which nobody knows otherwise.</summary>
    /// <param name="members">All members.</param>
    /// <param name="liveness">Who lives and who is lost.</param>
    /// <param name="vms">All VMs.</param>
    /// <param name="isReachable">Whether calls reach a member; asked for members that neither live nor are lost.</param>
    public static IReadOnlyList<FailoverNode> Nodes(
        IReadOnlyDictionary<EndpointId, Member> members, LivenessView liveness, IReadOnlyList<VmRecord> vms, Func<EndpointId, bool> isReachable)
    {
        ArgumentNullException.ThrowIfNull(members);
        ArgumentNullException.ThrowIfNull(liveness);
        ArgumentNullException.ThrowIfNull(vms);
        ArgumentNullException.ThrowIfNull(isReachable);
        return [.. members.Select(pair => Node(pair.Key, pair.Value)).OrderBy(node => node.Node.Name, StringComparer.Ordinal)];

        FailoverNode Node(EndpointId id, Member member)
        {
            NodeInfo info = member.Node;
            DateTimeOffset? lostSince = liveness.LostSince(id);
            var empty = new PlacementNode(
                info.Name, lostSince is null && (liveness.Alive.ContainsKey(id) || isReachable(id)),
                info.Capacity?.Vcpus ?? 0, info.Capacity?.MemoryMib ?? 0, 0, 0, info.Labels);
            return new FailoverNode(vms.Where(vm => vm.Status.Node == info.Name).Aggregate(empty, (node, vm) => node.With(vm.Spec)), lostSince);
        }
    }

    /// <summary>The VMs as failover sees them.</summary>
    public static IReadOnlyList<FailoverVm> Vms(IReadOnlyList<VmRecord> vms) =>
        [.. vms.Select(vm => new FailoverVm(vm.Spec, vm.Status.Node, vm.Status.State))];

    /// <summary>
    /// The records as people should see them: a VM whose node is lost, or no member (a backup was restored without it), is in state unknown, and
    /// its reason says since when and what it waits for. What the owner reported last stays as it is in the store.
    /// </summary>
    public static IReadOnlyList<VmRecord> Show(IReadOnlyList<VmRecord> vms, IReadOnlyList<FailoverNode> nodes)
    {
        ArgumentNullException.ThrowIfNull(vms);
        ArgumentNullException.ThrowIfNull(nodes);
        // Without any member the list of members has yet to come.
        if (nodes.Count == 0)
            return vms;
        HashSet<string> names = [.. nodes.Select(node => node.Node.Name)];
        if (nodes.All(node => node.LostSince is null) && vms.All(vm => IsPlacedOn(vm, names)))
            return vms;
        Dictionary<string, FailoverDecision> decisions = FailoverPlanner.Plan(nodes, Vms(vms)).ToDictionary(decision => decision.Vm, StringComparer.Ordinal);
        return
        [
            .. vms.Select(vm => decisions.TryGetValue(vm.Spec.Name, out FailoverDecision? decision) ? Show(vm, decision)
                : IsPlacedOn(vm, names) ? vm : Show(vm, NoMember(vm))),
        ];
    }

    // Also who is placed nowhere yet misses no node.
    private static bool IsPlacedOn(VmRecord vm, HashSet<string> names) => vm.Status.Node.Length == 0 || names.Contains(vm.Status.Node);

    private static FailoverDecision NoMember(VmRecord vm) => new(
        vm.Spec.Name, vm.Status.Node, null,
        $"its node {vm.Status.Node} is no member of this cluster; let a machine join as {vm.Status.Node}, or remove the VM by force and run it again");

    private static VmRecord Show(VmRecord vm, FailoverDecision decision)
    {
        VmRecord shown = vm.Clone();
        shown.Status.State = VmState.Unknown;
        shown.Status.Reason = decision.To is { } to ? $"about to be {decision.Reason}, to {to}" : decision.Reason;
        shown.Status.Acceleration = "";
        return shown;
    }
}
