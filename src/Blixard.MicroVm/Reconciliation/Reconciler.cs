using Blixard.MicroVm.Model;

namespace Blixard.MicroVm.Reconciliation;

/// <summary>
/// Decides what to do about the difference between what is wanted and what is. A pure function: the same arguments give the same plan, and
/// carrying a plan out twice is prevented by the phases, which change before anything is done.
/// </summary>
internal static class Reconciler
{
    /// <summary>Makes the plan.</summary>
    /// <param name="desired">All VMs wanted on this node by name. What is not in it goes.</param>
    /// <param name="observed">All VMs that are on this node by name.</param>
    /// <param name="startsMax">How many VMs may be starting at once; a boot takes a whole core.</param>
    /// <param name="now">The wall clock.</param>
    public static ReconcilePlan Plan(
        IReadOnlyDictionary<string, DesiredVm> desired, IReadOnlyDictionary<string, ObservedVm> observed, int startsMax, DateTimeOffset now)
    {
        List<VmAction> actions = [];
        DateTimeOffset? lookAgainAt = null;
        int startsLeft = startsMax - observed.Values.Count(static vm => vm.Phase == VmPhase.Starting);
        foreach (string name in desired.Keys.Union(observed.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            ObservedVm? vm = observed.GetValueOrDefault(name);
            if (!desired.TryGetValue(name, out DesiredVm? wish))
            {
                DecideUnwanted(vm!);
                continue;
            }

            if (Decide(wish, vm, now, out DateTimeOffset? notBefore) is not { } action)
            {
                LookAgain(notBefore);
                continue;
            }

            // A VM beyond the limit is started when another one has come up, which is an event of its own.
            if (action.Kind != VmActionKind.Start || startsLeft-- > 0)
                actions.Add(action);
        }

        return new ReconcilePlan(actions, lookAgainAt);

        void LookAgain(DateTimeOffset? at)
        {
            if (at is not null && (lookAgainAt is null || at < lookAgainAt))
                lookAgainAt = at;
        }

        void DecideUnwanted(ObservedVm vm)
        {
            if (vm.Phase == VmPhase.Removing)
                return;
            DateTimeOffset notBefore = vm.Exit?.Kind == VmExitKind.RemoveFailed ? RestartBackoff.NotBefore(vm.Ends, vm.EndedAt, now) : now;
            if (notBefore <= now)
                actions.Add(new VmAction(VmActionKind.Remove, vm.Name, "it is no longer wanted on this node"));
            else
                LookAgain(notBefore);
        }
    }

    private static VmAction? Decide(DesiredVm wish, ObservedVm? vm, DateTimeOffset now, out DateTimeOffset? notBefore)
    {
        notBefore = null;
        string name = wish.Spec.Name;
        if (vm is null)
            return MayRun(wish) ? new VmAction(VmActionKind.Start, name, "it is wanted") : null;
        // A wish that is older than what runs was overtaken on its way here.
        if (vm.Phase is VmPhase.Removing or VmPhase.Stopping || vm.Epoch > wish.Epoch)
            return null;
        if (vm.Phase is VmPhase.Starting or VmPhase.Running)
        {
            if (wish.Hold is { } hold)
                return new VmAction(VmActionKind.Stop, name, hold);
            if (!wish.Running)
                return new VmAction(VmActionKind.Stop, name, "it is wanted stopped");
            return vm.Epoch < wish.Epoch
                ? new VmAction(VmActionKind.Stop, name, $"epoch {vm.Epoch} is over, epoch {wish.Epoch} holds")
                : null;
        }

        return MayRun(wish) ? DecideStart(wish, vm, now, out notBefore) : null;
    }

    private static bool MayRun(DesiredVm wish) => wish.Running && wish.Hold is null;

    /// <summary>When the restart policy starts a VM again that has ended by itself; null if it does not.</summary>
    public static DateTimeOffset? RestartAt(DesiredVm wish, ObservedVm vm, DateTimeOffset now)
    {
        if (!MayRun(wish) || vm.Phase != VmPhase.Idle || vm.Exit is not { Kind: not (VmExitKind.Stopped or VmExitKind.Fenced) } exit)
            return null;
        bool startAgain = wish.Spec.RestartPolicy switch
        {
            RestartPolicy.Always => true,
            RestartPolicy.OnFailure => exit.IsFailure,
            _ => false,
        };
        return startAgain ? RestartBackoff.NotBefore(vm.Ends, vm.EndedAt, now) : null;
    }

    private static VmAction? DecideStart(DesiredVm wish, ObservedVm vm, DateTimeOffset now, out DateTimeOffset? notBefore)
    {
        notBefore = null;
        string name = vm.Name;
        if (vm.Generation is not { } generation || generation < wish.Generation || vm.Epoch < wish.Epoch)
            return new VmAction(VmActionKind.Start, name, "it is wanted");
        if (vm.Exit is not { } exit || exit.Kind is VmExitKind.Stopped or VmExitKind.Fenced)
            return new VmAction(VmActionKind.Start, name, "it is wanted running again");
        if (RestartAt(wish, vm, now) is not { } earliest)
            return null;
        if (earliest > now)
        {
            notBefore = earliest;
            return null;
        }

        return new VmAction(VmActionKind.Start, name, $"started again after: {exit.Detail}", IsRestart: true);
    }
}
