using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Cluster.Tests.Support;
using Blixard.Cluster.Tokens;
using Blixard.V1;
using Google.Protobuf;
using Iroh.Base;
using Iroh.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;

namespace Blixard.Cluster.Tests.Membership;

public class MembersTests
{
    [Fact]
    public async Task The_first_node_creates_the_cluster_once_and_keeps_it_at_later_starts()
    {
        await using var temporary = new TemporaryStore();
        Admission first = await temporary.BootstrapAsync();
        Assert.True(Guid.TryParse(first.ClusterId, out _));
        Assert.Equal(NodeRole.Server, first.Member.Node.Role);
        temporary.Time.Advance(TimeSpan.FromDays(1));
        Admission again = await temporary.Members.BootstrapAsync(TemporaryStore.Node(1), null, Members.NewClusterId(new SeededRandomSource(99)));
        Assert.Equal(first.ClusterId, again.ClusterId);
        Assert.Equal(first.Member.JoinedAt, again.Member.JoinedAt);
        Assert.Single(again.Members);
    }

    [Fact]
    public async Task A_join_answers_with_everybody_and_uses_the_token_up_in_the_same_revision()
    {
        await using var temporary = new TemporaryStore();
        await temporary.BootstrapAsync();
        JoinToken token = await temporary.Tokens.CreateAsync(NodeRole.Worker);
        long before = (await temporary.Store.RangeAsync("")).Revision;
        Admission admission = await temporary.Members.JoinAsync(token.Secret, TemporaryStore.Node(2), null);
        Assert.Equal(before + 1, admission.Revision);
        Assert.Equal(["node-1", "node-2"], admission.Members.Select(member => member.Node.Name));
        Assert.Equal((NodeRole.Worker, before + 1), (admission.Member.Node.Role, admission.Member.Revision));
    }

    [Fact]
    public async Task A_refused_join_leaves_the_token_as_it_was()
    {
        await using var temporary = new TemporaryStore();
        await temporary.BootstrapAsync();
        JoinToken token = await temporary.Tokens.CreateAsync(NodeRole.Worker);
        await RefusedAsync(MembershipFailure.NameTaken, temporary.Members.JoinAsync(token.Secret, TemporaryStore.Node(2, "node-1"), null));
        await RefusedAsync(MembershipFailure.InvalidNode, temporary.Members.JoinAsync(token.Secret, TemporaryStore.Node(2, "Node_2"), null));
        NodeInfo server = TemporaryStore.Node(2);
        server.Role = NodeRole.Server;
        await RefusedAsync(MembershipFailure.RoleRefused, temporary.Members.JoinAsync(token.Secret, server, null));
        await temporary.Members.JoinAsync(token.Secret, TemporaryStore.Node(2), null);
    }

    [Fact]
    public async Task A_join_without_a_cluster_is_refused()
    {
        await using var temporary = new TemporaryStore();
        JoinToken token = await temporary.Tokens.CreateAsync(NodeRole.Worker);
        await RefusedAsync(MembershipFailure.NoCluster, temporary.Members.JoinAsync(token.Secret, TemporaryStore.Node(2), null));
    }

    [Fact]
    public async Task A_member_may_join_again_under_its_name_and_under_no_other()
    {
        await using var temporary = new TemporaryStore();
        await temporary.BootstrapAsync();
        await temporary.JoinAsync(2);
        NodeInfo moved = TemporaryStore.Node(2);
        moved.GrpcAddress = "192.0.2.99:1";
        Admission again = await temporary.Members.JoinAsync((await temporary.Tokens.CreateAsync(NodeRole.Worker)).Secret, moved, null);
        Assert.Equal(("192.0.2.99:1", 2), (again.Member.Node.GrpcAddress, again.Members.Count));
        await RefusedAsync(MembershipFailure.OtherName, temporary.JoinAsync(2, "other"));
    }

    [Fact]
    public async Task Who_left_is_gone_with_its_name_and_may_come_back()
    {
        await using var temporary = new TemporaryStore();
        await temporary.BootstrapAsync();
        await temporary.JoinAsync(2);
        await temporary.Members.LeaveAsync(TemporaryStore.Id(2));
        Assert.Null(await temporary.Members.TryGetAsync(TemporaryStore.Id(2)));
        await RefusedAsync(MembershipFailure.NotAMember, temporary.Members.LeaveAsync(TemporaryStore.Id(2)));
        await RefusedAsync(MembershipFailure.NotAMember, temporary.Members.UpdateAsync(TemporaryStore.Node(2), null));
        await temporary.JoinAsync(3, "node-2");
        await temporary.JoinAsync(2, "node-2b");
    }

    [Fact]
    public async Task The_last_server_cannot_leave()
    {
        await using var temporary = new TemporaryStore();
        await temporary.BootstrapAsync();
        await temporary.JoinAsync(2);
        await RefusedAsync(MembershipFailure.LastServer, temporary.Members.LeaveAsync(TemporaryStore.Id(1)));
    }

    [Fact]
    public async Task Updates_change_addresses_and_write_nothing_if_nothing_changed()
    {
        await using var temporary = new TemporaryStore();
        await temporary.BootstrapAsync();
        await temporary.JoinAsync(2);
        var address = new Iroh.Base.EndpointAddress(TemporaryStore.Id(2), [TransportAddress.Ip(System.Net.IPEndPoint.Parse("192.0.2.2:4433"))]);
        Member updated = await temporary.Members.UpdateAsync(TemporaryStore.Node(2), MemberAddress.ToMessage(address));
        Assert.True(MemberAddress.TryRead(updated.P2PNodeAddr, out Iroh.Base.EndpointAddress? read, out _));
        Assert.Equal(address, read);
        Member same = await temporary.Members.UpdateAsync(TemporaryStore.Node(2), MemberAddress.ToMessage(address));
        Assert.Equal(updated.Revision, same.Revision);
        await RefusedAsync(MembershipFailure.InvalidNode, temporary.Members.UpdateAsync(TemporaryStore.Node(2, "renamed"), null));
        await RefusedAsync(MembershipFailure.InvalidNode, temporary.Members.UpdateAsync(TemporaryStore.Node(3), MemberAddress.ToMessage(address)));
    }

    [Fact]
    public async Task Updates_at_once_are_all_done()
    {
        await using var temporary = new TemporaryStore();
        await temporary.BootstrapAsync();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() =>
        {
            NodeInfo node = TemporaryStore.Node(1);
            node.Labels["n"] = $"{i}";
            return temporary.Members.UpdateAsync(node, null);
        })));
        Assert.Equal(8, (await temporary.Store.GetAsync($"/members/{TemporaryStore.Id(1)}"))!.Version - 1);
    }

    [Fact]
    public async Task A_watch_begins_with_everybody_and_tells_who_came_changed_and_left_even_over_a_compaction()
    {
        await using var temporary = new TemporaryStore();
        await temporary.BootstrapAsync();
        await using IAsyncEnumerator<MembersUpdate> watch = temporary.Members.WatchAsync().GetAsyncEnumerator();
        Assert.True(await watch.MoveNextAsync());
        Assert.True(watch.Current.IsSnapshot);
        Assert.Equal(MemberChangeKind.Added, Assert.Single(watch.Current.Changes).Kind);
        await temporary.JoinAsync(2);
        await ExpectAsync(watch, MemberChangeKind.Added, 2);
        // The watch misses more than the store keeps: node 3 came, node 2 left, and much else happened.
        await temporary.JoinAsync(3);
        await temporary.Members.LeaveAsync(TemporaryStore.Id(2));
        for (int i = 0; i < 2_100; i++)
            await temporary.Store.TransactAsync(new([], [new StoreOperation.Put("x", new[] { (byte)i })]));
        // Reading everything again waits a moment first, by the test's clock.
        Task<bool> next = watch.MoveNextAsync().AsTask();
        temporary.Time.Advance(await temporary.Time.UntilTimerAsync(TimeSpan.Zero, TimeSpan.FromSeconds(5)));
        Assert.True(await next);
        Assert.Equal(
            [(MemberChangeKind.Added, TemporaryStore.Id(3)), (MemberChangeKind.Removed, TemporaryStore.Id(2))],
            watch.Current.Changes.Select(change => (change.Kind, change.Id)).OrderBy(change => change.Kind));
        await temporary.Members.LeaveAsync(TemporaryStore.Id(3));
        await ExpectAsync(watch, MemberChangeKind.Removed, 3);
    }

    [Fact]
    public async Task Random_histories_keep_names_and_ids_unique_and_watches_agree()
    {
        for (ulong seed = 0; seed < 6; seed++)
        {
            await using var temporary = new TemporaryStore();
            await temporary.BootstrapAsync();
            var random = new SeededRandomSource(seed);
            var model = new SortedDictionary<string, int> { ["node-1"] = 1 };
            for (int step = 0; step < 40; step++)
            {
                int number = 2 + (int)random.NextBelow(4);
                string name = $"name-{random.NextBelow(3)}";
                string? held = model.FirstOrDefault(pair => pair.Value == number).Key;
                if (random.NextBelow(3) == 0)
                {
                    if (held is null)
                        await RefusedAsync(MembershipFailure.NotAMember, temporary.Members.LeaveAsync(TemporaryStore.Id(number)));
                    else
                        await temporary.Members.LeaveAsync(TemporaryStore.Id(number));
                    model.Remove(held ?? "");
                }
                else if (model.TryGetValue(name, out int holder) && holder != number)
                {
                    await RefusedAsync(MembershipFailure.NameTaken, temporary.JoinAsync(number, name));
                }
                else if (held is not null && held != name)
                {
                    await RefusedAsync(MembershipFailure.OtherName, temporary.JoinAsync(number, name));
                }
                else
                {
                    await temporary.JoinAsync(number, name);
                    model[name] = number;
                }
            }

            IReadOnlyList<Member> members = (await temporary.Members.ListAsync()).Members;
            Assert.True(
                model.Select(pair => (pair.Key, TemporaryStore.Id(pair.Value)))
                    .SequenceEqual(members.Select(member => (member.Node.Name, EndpointId.FromBytes(member.Node.EndpointId.Span)))),
                $"seed {seed}");
            Assert.Equal(members.Count, (await temporary.Store.RangeAsync("/names/")).Entries.Count);
        }
    }

    [Fact]
    public async Task Where_the_store_is_a_node_that_left_is_refused_at_once_and_one_that_joined_is_known_at_once()
    {
        await using var temporary = new TemporaryStore();
        await temporary.BootstrapAsync();
        await using var directory = new MemberDirectory(temporary.Members, isStoreHere: true, NullLogger<MemberDirectory>.Instance);
        await directory.Loaded;
        await temporary.JoinAsync(2);
        Assert.True(await directory.IsMemberAsync(TemporaryStore.Id(2)));
        await temporary.Members.LeaveAsync(TemporaryStore.Id(2));
        Assert.False(await directory.IsMemberAsync(TemporaryStore.Id(2)));
    }

    [Fact]
    public async Task Elsewhere_a_directory_follows_the_watch_and_tells_its_subscribers()
    {
        await using var temporary = new TemporaryStore();
        await temporary.BootstrapAsync();
        await using var directory = new MemberDirectory(temporary.Members, isStoreHere: false, NullLogger<MemberDirectory>.Instance);
        await directory.Loaded;
        var seen = System.Threading.Channels.Channel.CreateUnbounded<MembersUpdate>();
        using IDisposable subscription = directory.Subscribe(update => seen.Writer.TryWrite(update));
        Assert.Equal(TemporaryStore.Id(1), Assert.Single((await seen.Reader.ReadAsync()).Changes).Id);
        await temporary.JoinAsync(2);
        Assert.Equal(MemberChangeKind.Added, Assert.Single((await seen.Reader.ReadAsync()).Changes).Kind);
        Assert.True(await directory.IsMemberAsync(TemporaryStore.Id(2)));
        Assert.True(directory.TryGet("node-2", out _));
        await temporary.Members.LeaveAsync(TemporaryStore.Id(2));
        Assert.Equal(MemberChangeKind.Removed, Assert.Single((await seen.Reader.ReadAsync()).Changes).Kind);
        Assert.False(await directory.IsMemberAsync(TemporaryStore.Id(2)));
    }

    [Fact]
    public void Random_addresses_are_read_or_refused_in_words()
    {
        for (ulong seed = 0; seed < 2_000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] bytes = new byte[random.NextBelow(80)];
            random.Fill(bytes);
            var message = new V1.EndpointAddress { EndpointId = ByteString.CopyFrom(bytes), RelayUrl = Convert.ToBase64String(bytes) };
            message.DirectAddresses.Add(System.Text.Encoding.Latin1.GetString(bytes));
            if (!MemberAddress.TryRead(message, out _, out string? problem))
                Assert.False(string.IsNullOrEmpty(problem), $"seed {seed}");
        }
    }

    private static async Task RefusedAsync(MembershipFailure failure, Task change) =>
        Assert.Equal(failure, (await Assert.ThrowsAsync<MembershipException>(() => change)).Failure);

    private static async Task ExpectAsync(IAsyncEnumerator<MembersUpdate> watch, MemberChangeKind kind, int number)
    {
        Assert.True(await watch.MoveNextAsync());
        MemberChange change = Assert.Single(watch.Current.Changes);
        Assert.Equal((kind, TemporaryStore.Id(number)), (change.Kind, change.Id));
    }
}
