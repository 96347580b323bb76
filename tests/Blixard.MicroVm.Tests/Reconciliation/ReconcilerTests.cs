using Blixard.MicroVm.Model;
using Blixard.MicroVm.Reconciliation;

namespace Blixard.MicroVm.Tests.Reconciliation;

public sealed class ReconcilerTests
{
    private static readonly DateTimeOffset Now = new(2030, 1, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_wanted_VM_is_started() =>
        Assert.Equal("start a: it is wanted", Plan([Want("a")], []));

    [Fact]
    public void A_VM_wanted_stopped_is_not_started() =>
        Assert.Equal("nothing", Plan([Want("a") with { Running = false }], [Seen("a") with { Generation = null }]));

    [Fact]
    public void A_running_VM_is_left_alone() =>
        Assert.Equal("nothing", Plan([Want("a")], [Seen("a", VmPhase.Running)]));

    [Fact]
    public void A_VM_wanted_stopped_is_stopped_also_while_it_starts()
    {
        Assert.Equal("stop a: it is wanted stopped", Plan([Want("a") with { Running = false }], [Seen("a", VmPhase.Running)]));
        Assert.Equal("stop a: it is wanted stopped", Plan([Want("a") with { Running = false }], [Seen("a", VmPhase.Starting)]));
        Assert.Equal("nothing", Plan([Want("a") with { Running = false }], [Seen("a", VmPhase.Stopping)]));
    }

    [Fact]
    public void An_unwanted_VM_is_removed_once()
    {
        foreach (VmPhase phase in new[] { VmPhase.Idle, VmPhase.Starting, VmPhase.Running, VmPhase.Stopping })
            Assert.Equal("remove a: it is no longer wanted on this node", Plan([], [Seen("a", phase)]));
        Assert.Equal("nothing", Plan([], [Seen("a", VmPhase.Removing)]));
        Assert.Equal("nothing", Plan([Want("a")], [Seen("a", VmPhase.Removing)]));
    }

    [Fact]
    public void A_failed_removal_is_repeated_after_a_wait()
    {
        ObservedVm vm = Seen("a") with { Exit = Exit(VmExitKind.RemoveFailed), Ends = 3, EndedAt = Now };
        Assert.Equal("nothing, look again in 4 s", Plan([], [vm]));
        Assert.Equal("remove a: it is no longer wanted on this node", Plan([], [vm with { EndedAt = Now.AddSeconds(-4) }]));
    }

    [Fact]
    public void An_instance_of_a_past_epoch_is_stopped_and_a_stale_wish_ignored()
    {
        Assert.Equal("stop a: epoch 1 is over, epoch 2 holds", Plan([Want("a") with { Epoch = 2 }], [Seen("a", VmPhase.Running) with { Epoch = 1 }]));
        Assert.Equal("nothing", Plan([Want("a") with { Epoch = 1 }], [Seen("a", VmPhase.Running) with { Epoch = 2 }]));
        Assert.Equal("nothing", Plan([Want("a") with { Epoch = 1, Running = false }], [Seen("a", VmPhase.Running) with { Epoch = 2 }]));
        Assert.Equal("nothing", Plan([Want("a") with { Epoch = 1, Generation = 9 }], [Seen("a") with { Epoch = 2 }]));
        Assert.Equal("start a: it is wanted", Plan([Want("a", RestartPolicy.Never) with { Epoch = 2 }], [Ended(VmExitKind.Crashed) with { Epoch = 1 }]));
    }

    [Theory]
    [InlineData(RestartPolicy.Never, VmExitKind.Crashed, false)]
    [InlineData(RestartPolicy.Never, VmExitKind.GuestPoweredOff, false)]
    [InlineData(RestartPolicy.Never, VmExitKind.Lost, false)]
    [InlineData(RestartPolicy.Never, VmExitKind.StartFailed, false)]
    [InlineData(RestartPolicy.OnFailure, VmExitKind.GuestPoweredOff, false)]
    [InlineData(RestartPolicy.OnFailure, VmExitKind.GuestReset, true)]
    [InlineData(RestartPolicy.OnFailure, VmExitKind.Crashed, true)]
    [InlineData(RestartPolicy.OnFailure, VmExitKind.StartFailed, true)]
    [InlineData(RestartPolicy.OnFailure, VmExitKind.Lost, true)]
    [InlineData(RestartPolicy.Always, VmExitKind.GuestPoweredOff, true)]
    [InlineData(RestartPolicy.Always, VmExitKind.Crashed, true)]
    public void The_restart_policy_decides_after_an_end(RestartPolicy policy, VmExitKind exit, bool startsAgain)
    {
        Assert.Equal(startsAgain ? "nothing, look again in 1 s" : "nothing", Plan([Want("a", policy)], [Ended(exit)]));
        Assert.Equal(
            startsAgain ? "restart a: started again after: it ended" : "nothing",
            Plan([Want("a", policy)], [Ended(exit) with { EndedAt = Now.AddSeconds(-1) }]));
    }

    [Fact]
    public void A_VM_that_was_stopped_starts_when_it_is_wanted_again() =>
        Assert.Equal("start a: it is wanted running again", Plan([Want("a", RestartPolicy.Never)], [Ended(VmExitKind.Stopped)]));

    [Fact]
    public void A_new_request_starts_a_VM_at_once_whatever_its_policy_and_waits()
    {
        Assert.Equal("start a: it is wanted", Plan([Want("a", RestartPolicy.Never) with { Generation = 1 }], [Ended(VmExitKind.GuestPoweredOff)]));
        Assert.Equal("start a: it is wanted", Plan([Want("a") with { Generation = 1 }], [Ended(VmExitKind.Crashed) with { Ends = 9 }]));
        Assert.Equal("nothing", Plan([Want("a") with { Generation = 1 }], [Seen("a", VmPhase.Running)]));
    }

    [Fact]
    public void A_clock_that_went_back_does_not_delay_a_restart() =>
        Assert.Equal(
            "restart a: started again after: it ended",
            Plan([Want("a")], [Ended(VmExitKind.Crashed) with { Ends = 7, EndedAt = Now.AddDays(3) }]));

    [Fact]
    public void Only_so_many_start_at_once_and_stops_do_not_count()
    {
        DesiredVm[] wishes = [Want("a"), Want("b"), Want("c"), Want("d")];
        Assert.Equal("start a: it is wanted; start b: it is wanted", Plan(wishes, [], startsMax: 2));
        Assert.Equal("start b: it is wanted", Plan(wishes, [Seen("a", VmPhase.Starting)], startsMax: 2));
        Assert.Equal(
            "start b: it is wanted; remove e: it is no longer wanted on this node",
            Plan(wishes, [Seen("a", VmPhase.Starting), Seen("e", VmPhase.Running)], startsMax: 2));
        Assert.Equal("nothing", Plan(wishes, [Seen("a", VmPhase.Starting), Seen("b", VmPhase.Starting), Seen("x", VmPhase.Removing)], startsMax: 2));
    }

    [Fact]
    public void The_next_look_is_at_the_earliest_wait() =>
        Assert.Equal(
            "nothing, look again in 2 s",
            Plan([Want("a"), Want("b")], [Ended(VmExitKind.Crashed) with { Ends = 5 }, Ended(VmExitKind.Crashed) with { Name = "b", Ends = 2 }]));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 4)]
    [InlineData(6, 32)]
    [InlineData(7, 60)]
    [InlineData(int.MaxValue, 60)]
    public void Waits_double_up_to_a_minute(int ends, int seconds) => Assert.Equal(TimeSpan.FromSeconds(seconds), RestartBackoff.Delay(ends));

    [Fact]
    public void A_run_of_ten_minutes_resets_the_count()
    {
        Assert.Equal(6, RestartBackoff.Count(5, TimeSpan.FromMinutes(9.9)));
        Assert.Equal(1, RestartBackoff.Count(5, TimeSpan.FromMinutes(10)));
        Assert.Equal(int.MaxValue, RestartBackoff.Count(int.MaxValue, TimeSpan.Zero));
    }

    private static DesiredVm Want(string name, RestartPolicy policy = RestartPolicy.OnFailure) =>
        new(new VmSpec { Name = name, KernelPath = "/k", RestartPolicy = policy });

    private static ObservedVm Seen(string name, VmPhase phase = VmPhase.Idle) => new() { Name = name, Phase = phase, Generation = 0 };

    private static ObservedVm Ended(VmExitKind kind) => Seen("a") with { Exit = Exit(kind), Ends = 1, EndedAt = Now };

    private static VmExit Exit(VmExitKind kind) => new(kind, "it ended");

    private static string Plan(DesiredVm[] desired, ObservedVm[] observed, int startsMax = 8)
    {
        ReconcilePlan plan = Reconciler.Plan(
            desired.ToDictionary(static vm => vm.Spec.Name), observed.ToDictionary(static vm => vm.Name), startsMax, Now);
        string actions = string.Join("; ", plan.Actions.Select(static action =>
            $"{(action.IsRestart ? "re" : "")}{action.Kind.ToString().ToLowerInvariant()} {action.Name}: {action.Reason}"));
        return (actions.Length == 0 ? "nothing" : actions)
            + (plan.LookAgainAt is { } at ? $", look again in {(at - Now).TotalSeconds} s" : "");
    }
}
