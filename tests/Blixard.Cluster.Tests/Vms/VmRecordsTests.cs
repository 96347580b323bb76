using Blixard.Cluster.Liveness;
using Blixard.Cluster.Store;
using Blixard.Cluster.Tests.Support;
using Blixard.Cluster.Vms;
using Blixard.V1;

namespace Blixard.Cluster.Tests.Vms;

public class VmRecordsTests
{
    // As the former version wrote it: a VM with all that it knew, owned by node-3 in epoch 7, started once.
    private const string RecordWithoutNetwork =
        "0a530a03776562120d64656269616e3a6c6174657374180220800430033a05717569657440014a090a047a6f6e6512016150025a20000102030405060708090a" +
        "0b0c0d0e0f101112131415161718191a1b1c1d1e1f12066e6f64652d33180722060880f2d6ca063001";

    [Fact]
    public async Task A_new_vm_is_created_on_its_node_and_only_once()
    {
        await using var temporary = new TemporaryStore();
        var vms = new VmRecords(temporary.Store, temporary.Time);
        VmRecord created = await vms.CreateAsync(Spec("web"), "node-3");
        Assert.Equal((VmState.Created, "node-3"), (created.Status.State, created.Status.Node));
        Assert.Equal(created, await vms.GetAsync("web"));
        await RefusedAsync(RecordFailure.AlreadyExists, vms.CreateAsync(Spec("web"), "node-1"));
        await RefusedAsync(RecordFailure.Invalid, vms.CreateAsync(Spec("../web"), "node-1"));
        await RefusedAsync(RecordFailure.NotFound, vms.GetAsync("other"));
        Assert.Equal("web", Assert.Single(await vms.ListAsync()).Spec.Name);
    }

    [Fact]
    public async Task A_VM_moves_only_when_its_owner_is_gone_the_other_is_there_and_nothing_was_changed()
    {
        await using var temporary = new TemporaryStore();
        var vms = new VmRecords(temporary.Store, temporary.Time);
        var liveness = new LivenessRecords(temporary.Store, temporary.Time);
        VmSpec spec = Spec("web");
        spec.OnNodeLoss = NodeLossPolicy.Elsewhere;
        VmStatus owned = (await vms.CreateAsync(spec, "node-1")).Status;
        owned.State = VmState.Running;
        await vms.ReportAsync("web", owned);
        StoreLease first = await temporary.Store.GrantLeaseAsync(TimeSpan.FromSeconds(60)), second = await temporary.Store.GrantLeaseAsync(TimeSpan.FromSeconds(60));
        Assert.True(await liveness.TryPutAliveAsync(TemporaryStore.Id(1), new NodeAlive(), first.Id));

        Assert.False(await MoveAsync());
        await temporary.Store.RevokeLeaseAsync(first.Id);
        Assert.False(await MoveAsync());
        Assert.True(await liveness.TryPutAliveAsync(TemporaryStore.Id(2), new NodeAlive(), second.Id));
        Assert.False(await vms.MoveAsync("web", owned.Epoch + 1, TemporaryStore.Id(1), ("node-2", TemporaryStore.Id(2)), "because"));
        Assert.True(await vms.IsOwnerAsync("web", "node-1", owned.Epoch));
        Assert.True(await MoveAsync());
        Assert.False(await MoveAsync());

        VmRecord moved = await vms.GetAsync("web");
        Assert.Equal(("node-2", VmState.Created, "because", owned.Epoch + 1), (moved.Status.Node, moved.Status.State, moved.Status.Reason, moved.Status.Epoch));
        Assert.Equal(("node-1", "because"), (moved.MovedFrom, moved.MovedReason));
        Assert.False(await vms.IsOwnerAsync("web", "node-1", owned.Epoch));
        Assert.True(await vms.IsOwnerAsync("web", "node-2", owned.Epoch + 1));
        await RefusedAsync(RecordFailure.Conflict, vms.ReportAsync("web", owned));

        Task<bool> MoveAsync() => vms.MoveAsync("web", owned.Epoch, TemporaryStore.Id(1), ("node-2", TemporaryStore.Id(2)), "because");
    }

    [Fact]
    public async Task A_loss_is_recorded_once_and_only_of_a_node_that_is_gone()
    {
        await using var temporary = new TemporaryStore();
        var liveness = new LivenessRecords(temporary.Store, temporary.Time);
        StoreLease lease = await temporary.Store.GrantLeaseAsync(TimeSpan.FromSeconds(60));
        Assert.True(await liveness.TryPutAliveAsync(TemporaryStore.Id(1), new NodeAlive(), lease.Id));
        Assert.False(await liveness.MarkLostAsync(TemporaryStore.Id(1), "node-1"));
        await temporary.Store.RevokeLeaseAsync(lease.Id);

        Assert.True(await liveness.MarkLostAsync(TemporaryStore.Id(1), "node-1"));
        DateTimeOffset since = temporary.Time.GetUtcNow();
        temporary.Time.Advance(TimeSpan.FromSeconds(10));
        Assert.False(await liveness.MarkLostAsync(TemporaryStore.Id(1), "node-1"));
        Assert.Equal(since, (await liveness.ReadAsync()).LostSince(TemporaryStore.Id(1)));

        lease = await temporary.Store.GrantLeaseAsync(TimeSpan.FromSeconds(60));
        Assert.True(await liveness.TryPutAliveAsync(TemporaryStore.Id(1), new NodeAlive(), lease.Id));
        Assert.Null((await liveness.ReadAsync()).LostSince(TemporaryStore.Id(1)));
        await liveness.ClearLostAsync(TemporaryStore.Id(1));
        Assert.Empty((await liveness.ReadAsync()).Recorded);
    }

    [Fact]
    public async Task The_owner_reports_and_nobody_else()
    {
        await using var temporary = new TemporaryStore();
        var vms = new VmRecords(temporary.Store, temporary.Time);
        VmStatus status = (await vms.CreateAsync(Spec("web"), "node-3")).Status;
        status.State = VmState.Running;
        await vms.ReportAsync("web", status);
        Assert.Equal(VmState.Running, (await vms.GetAsync("web")).Status.State);
        long revision = (await temporary.Store.RangeAsync("")).Revision;
        await vms.ReportAsync("web", status);
        Assert.Equal(revision, (await temporary.Store.RangeAsync("")).Revision);
        await RefusedAsync(RecordFailure.Conflict, vms.ReportAsync("web", new VmStatus(status) { Node = "node-1" }));
        await RefusedAsync(RecordFailure.Conflict, vms.ReportAsync("web", new VmStatus(status) { Epoch = status.Epoch - 1 }));
        await RefusedAsync(RecordFailure.NotFound, vms.ReportAsync("other", status));
    }

    [Fact]
    public async Task What_was_reported_about_a_removed_vm_does_not_touch_a_new_one_of_the_same_name()
    {
        await using var temporary = new TemporaryStore();
        var vms = new VmRecords(temporary.Store, temporary.Time);
        VmStatus old = (await vms.CreateAsync(Spec("web"), "node-3")).Status;
        await vms.RemoveAsync("web", force: false);
        VmRecord anew = await vms.CreateAsync(Spec("web"), "node-3");
        Assert.True(anew.Status.Epoch > old.Epoch);
        old.State = VmState.Failed;
        await RefusedAsync(RecordFailure.Conflict, vms.ReportAsync("web", old));
        Assert.Equal(VmState.Created, (await vms.GetAsync("web")).Status.State);
    }

    [Fact]
    public async Task A_running_vm_is_removed_only_by_force()
    {
        await using var temporary = new TemporaryStore();
        var vms = new VmRecords(temporary.Store, temporary.Time);
        VmStatus status = (await vms.CreateAsync(Spec("web"), "node-3")).Status;
        status.State = VmState.Running;
        await vms.ReportAsync("web", status);
        await RefusedAsync(RecordFailure.Conflict, vms.RemoveAsync("web", force: false));
        await vms.RemoveAsync("web", force: true);
        Assert.Empty((await temporary.Store.RangeAsync("/vms/")).Entries);
        await RefusedAsync(RecordFailure.NotFound, vms.RemoveAsync("web", force: true));
    }

    [Fact]
    public async Task A_node_sees_what_is_placed_on_it_and_every_change_of_intent()
    {
        await using var temporary = new TemporaryStore();
        var vms = new VmRecords(temporary.Store, temporary.Time);
        await vms.CreateAsync(Spec("elsewhere"), "node-1");
        VmStatus status = (await vms.CreateAsync(Spec("web"), "node-3")).Status;
        await using IAsyncEnumerator<IReadOnlyList<VmIntent>> watch = vms.WatchOwnedAsync("node-3").GetAsyncEnumerator();
        Assert.True(await watch.MoveNextAsync());
        Assert.Equal("web", Assert.Single(watch.Current).Spec.Name);
        await vms.ReportAsync("web", status);
        await vms.CreateAsync(Spec("also-elsewhere"), "node-1");
        await vms.SetDesiredAsync("web", DesiredState.Stopped, TimeSpan.FromSeconds(3));
        Assert.True(await watch.MoveNextAsync());
        VmIntent intent = Assert.Single(watch.Current);
        Assert.Equal((DesiredState.Stopped, TimeSpan.FromSeconds(3)), (intent.Spec.Desired, intent.Grace.ToTimeSpan()));
        await vms.RemoveAsync("web", force: false);
        Assert.True(await watch.MoveNextAsync());
        Assert.Empty(watch.Current);
    }

    [Fact]
    public async Task A_record_from_before_VMs_had_networks_is_one_of_a_VM_without_and_stays_so()
    {
        await using var temporary = new TemporaryStore();
        var vms = new VmRecords(temporary.Store, temporary.Time);
        StoreCommit commit = await temporary.Store.TransactAsync(
            new StoreTransaction([], [new StoreOperation.Put("/vms/web/spec", Convert.FromHexString(RecordWithoutNetwork))]));
        Assert.True(commit.Succeeded);

        VmRecord old = await vms.GetAsync("web");
        Assert.Null(old.Spec.Network);
        Assert.Equal(("debian:latest", 2U, 512UL, "node-3", 7UL, "a"), (old.Spec.Image, old.Spec.Vcpus, old.Spec.MemoryMib, old.Status.Node, old.Status.Epoch, old.Spec.NodeLabels["zone"]));
        Assert.Equal((RestartPolicy.Always, NodeLossPolicy.Elsewhere, 32), (old.Spec.Restart, old.Spec.OnNodeLoss, old.Spec.ImageHash.Length));

        VmRecord stopped = await vms.SetDesiredAsync("web", DesiredState.Stopped);
        Assert.Null(stopped.Spec.Network);
        await vms.SetDesiredAsync("web", DesiredState.Running);
        StoreEntry entry = Assert.IsType<StoreEntry>(await temporary.Store.GetAsync("/vms/web/spec"));
        // One more start was asked for; nothing else is other than it was.
        Assert.Equal(RecordWithoutNetwork[..^1] + "2", Convert.ToHexStringLower(entry.Value.Span));
    }

    [Fact]
    public async Task Published_ports_are_kept_by_a_record_and_go_along_when_the_VM_moves()
    {
        await using var temporary = new TemporaryStore();
        var vms = new VmRecords(temporary.Store, temporary.Time);
        var liveness = new LivenessRecords(temporary.Store, temporary.Time);
        VmSpec spec = Spec("web");
        spec.OnNodeLoss = NodeLossPolicy.Elsewhere;
        spec.Network = new VmNetwork { Ports = { new PublishedPort { HostPort = 8080, GuestPort = 80 }, new PublishedPort { HostPort = 2222, GuestPort = 22 } } };
        VmSpec plain = Spec("plain");
        plain.Network = new VmNetwork();
        await vms.CreateAsync(plain, "node-1");
        VmRecord created = await vms.CreateAsync(spec, "node-1");
        StoreLease lease = await temporary.Store.GrantLeaseAsync(TimeSpan.FromSeconds(60));
        Assert.True(await liveness.TryPutAliveAsync(TemporaryStore.Id(2), new NodeAlive(), lease.Id));

        Assert.True(await vms.MoveAsync("web", created.Status.Epoch, TemporaryStore.Id(1), ("node-2", TemporaryStore.Id(2)), "because"));

        VmRecord moved = await vms.GetAsync("web");
        Assert.Equal("node-2", moved.Status.Node);
        Assert.Equal(spec.Network, moved.Spec.Network);
        // A card without ports is another thing than no card.
        Assert.Empty(Assert.IsType<VmNetwork>((await vms.GetAsync("plain")).Spec.Network).Ports);
    }

    private static VmSpec Spec(string name) => new() { Name = name, Image = "debian:latest", Vcpus = 1, MemoryMib = 256 };

    private static async Task RefusedAsync(RecordFailure failure, Task change) =>
        Assert.Equal(failure, (await Assert.ThrowsAsync<RecordException>(() => change)).Failure);
}
