using System.Globalization;
using Blixard.V1;

namespace Blixard.Cluster.Placement;

/// <summary>Decides what becomes of the VMs of lost nodes: a pure function of what is known, the same on every node.</summary>
public static class FailoverPlanner
{
    /// <summary>Decides.</summary>
    /// <param name="nodes">All members.</param>
    /// <param name="vms">All VMs.</param>
    /// <returns>One decision for each VM of a lost node, by name. A node that gets a VM has less room and fewer ports for the next.</returns>
    public static IReadOnlyList<FailoverDecision> Plan(IReadOnlyCollection<FailoverNode> nodes, IReadOnlyCollection<FailoverVm> vms)
    {
        ArgumentNullException.ThrowIfNull(nodes);
        ArgumentNullException.ThrowIfNull(vms);
        Dictionary<string, DateTimeOffset> lost = nodes.Where(node => node.LostSince is not null)
            .ToDictionary(node => node.Node.Name, node => node.LostSince!.Value, StringComparer.Ordinal);
        Dictionary<string, PlacementNode> alive = nodes.Where(node => node.LostSince is null)
            .ToDictionary(node => node.Node.Name, node => node.Node, StringComparer.Ordinal);
        var decisions = new List<FailoverDecision>();
        foreach (FailoverVm vm in vms.OrderBy(vm => vm.Spec.Name, StringComparer.Ordinal))
        {
            if (!lost.TryGetValue(vm.Node, out DateTimeOffset since))
                continue;
            FailoverDecision decision = Decide(vm, since, [.. alive.Values]);
            decisions.Add(decision);
            if (decision.To is { } to)
                alive[to] = alive[to].With(vm.Spec);
        }

        return decisions;
    }

    /// <summary>A moment of a loss, for people.</summary>
    public static string Describe(DateTimeOffset since) => since.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static FailoverDecision Decide(FailoverVm vm, DateTimeOffset since, PlacementNode[] alive)
    {
        VmSpec spec = vm.Spec;
        string loss = $"its node {vm.Node} is lost since {Describe(since)}";
        if (spec.Desired == DesiredState.Stopped)
            return Wait("it is wanted stopped, and stays there");
        if (spec.OnNodeLoss != NodeLossPolicy.Elsewhere)
            return Wait("it waits for it (here)");
        if (HasEnded(spec, vm.Reported))
            return Wait($"it had ended before ({(vm.Reported == VmState.Stopped ? "stopped" : "failed")}), and its restart policy does not start it again");
        if (spec.Node.Length > 0)
            return Wait("it may run elsewhere, but was asked for on this node by name, and waits for it");
        if (alive.Length == 0)
            return Wait("it may run elsewhere, but there is no other node");
        PlacementDecision place = Placer.Place(PlacementRequest.Of(spec), alive);
        return place.Node is { } to
            ? new FailoverDecision(spec.Name, vm.Node, to, $"moved from {vm.Node}, lost since {Describe(since)}")
            : Wait($"it may run elsewhere, but no other node can take it: {place.Reason}");

        FailoverDecision Wait(string why) => new(spec.Name, vm.Node, null, $"{loss}; {why}");
    }

    // What would have stayed down on its own node is not started by the loss of that node.
    private static bool HasEnded(VmSpec spec, VmState reported) => reported switch
    {
        VmState.Stopped => spec.Restart != RestartPolicy.Always,
        VmState.Failed => spec.Restart == RestartPolicy.Never,
        _ => false,
    };
}
