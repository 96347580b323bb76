using System.Collections.Concurrent;
using Blixard.Etcd.Client;
using Blixard.Etcd.Membership;
using Blixard.Etcd.Process;
using Blixard.Etcd.Tests.Support;
using Blixard.Testing.Basics;
using Iroh.Base;
using OsProcess = System.Diagnostics.Process;

namespace Blixard.Etcd.Tests.Membership;

/// <summary>With real etcds, whose connections are led from socket to socket without a tunnel.</summary>
public sealed class EtcdMembershipTests : IAsyncDisposable
{
    private readonly EtcdDirectory _directory = new();
    private readonly Dictionary<int, TestEtcd> _members = [];
    private readonly List<EtcdClient> _clients = [];
    private readonly ConcurrentDictionary<EndpointId, bool> _dead = new();

    public async ValueTask DisposeAsync()
    {
        foreach (EtcdClient client in _clients)
            client.Dispose();
        await Task.WhenAll(_members.Values.Select(member => member.DisposeAsync().AsTask()));
        await Patience.UntilAsync(() => EtcdDirectory.ProcessesIn(_directory.Root).Count == 0, "no etcd is left");
        _directory.Dispose();
    }

    [Fact]
    public async Task Three_servers_form_one_after_the_other_and_one_is_lost_wiped_and_back()
    {
        EtcdMembership at0 = await FoundAsync();

        EtcdStart.Join second = await JoinAsync(at0, 1);
        Assert.Equal(new[] { TestEtcd.Id(0), TestEtcd.Id(1) }.Order(), second.Members);
        Assert.Equal(TestEtcd.Token, second.Token);
        await JoinAsync(at0, 2);
        IReadOnlyList<EtcdMember> three = await at0.ListAsync(Cancel);
        Assert.Equal(new[] { 0, 1, 2 }.Select(TestEtcd.Id).Order(), three.Select(member => member.Endpoint));
        Assert.All(three, member => Assert.True(member is { IsLearner: false, IsStarted: true }));

        // Server 2 is lost with its disk.
        await StopAsync(2);
        Directory.Delete(_members[2].Options.Directory, recursive: true);
        EtcdMembershipException refused = await Assert.ThrowsAsync<EtcdMembershipException>(() => at0.RemoveAsync(TestEtcd.Id(1), IsAlive, cancellationToken: Cancel));
        Assert.Equal(EtcdMembershipFailure.Refused, refused.Failure);
        Assert.Equal("removing s1 leaves 2 servers of which 1 answers; a majority of 2 is needed: start s2 again or remove s2 first", refused.Message);

        await JoinAsync(at0, 2);

        IReadOnlyList<EtcdMember> again = await at0.ListAsync(Cancel);
        Assert.Equal(3, again.Count);
        Assert.NotEqual(three.Single(member => member.Endpoint == TestEtcd.Id(2)).Id, again.Single(member => member.Endpoint == TestEtcd.Id(2)).Id);
    }

    [Fact]
    public async Task A_removed_member_ends_and_is_not_started_again_and_joins_anew_with_its_old_data_gone()
    {
        EtcdMembership at0 = await FoundAsync();
        await JoinAsync(at0, 1);

        await at0.RemoveAsync(TestEtcd.Id(1), IsAlive, cancellationToken: Cancel);

        EtcdServerStatus removed = await _members[1].UntilAsync(status => status.State == EtcdServerState.Removed);
        Assert.Equal(1, removed.Starts);
        Assert.Contains("join again", removed.Reason);
        EtcdServerException e = await Assert.ThrowsAsync<EtcdServerException>(() => _members[1].Server.WaitUntilServingAsync(Cancel));
        Assert.Equal(EtcdServerFailure.Removed, e.Failure);
        await at0.RemoveAsync(TestEtcd.Id(1), IsAlive, cancellationToken: Cancel);

        await StopAsync(1);
        await JoinAsync(at0, 1);
    }

    [Fact]
    public async Task A_member_that_was_removed_while_it_was_down_notices_it_at_its_next_start()
    {
        EtcdMembership at0 = await FoundAsync();
        await JoinAsync(at0, 1);
        await JoinAsync(at0, 2);
        await StopAsync(2);
        await at0.RemoveAsync(TestEtcd.Id(2), IsAlive, cancellationToken: Cancel);

        _members[2] = await TestEtcd.StartAsync(_members[2].Options, new EtcdStart.Continue());

        await _members[2].UntilAsync(status => status.State == EtcdServerState.Removed);
    }

    [Fact]
    public async Task The_last_voter_is_not_removed()
    {
        EtcdMembership at0 = await FoundAsync();

        EtcdMembershipException refused = await Assert.ThrowsAsync<EtcdMembershipException>(() => at0.RemoveAsync(TestEtcd.Id(0), IsAlive, cancellationToken: Cancel));

        Assert.Equal(EtcdMembershipFailure.Refused, refused.Failure);
        Assert.Contains("last server with a vote", refused.Message);
    }

    [Fact]
    public async Task Whoever_waits_behind_a_learner_that_never_comes_hears_for_whom()
    {
        EtcdMembership at0 = await FoundAsync();
        await at0.AdmitAsync(TestEtcd.Id(1), IsAlive, cancellationToken: Cancel);
        var progress = new Told();

        EtcdMembershipException e = await Assert.ThrowsAsync<EtcdMembershipException>(
            () => at0.AdmitAsync(TestEtcd.Id(2), IsAlive, progress, TimeSpan.FromSeconds(1), Cancel));

        Assert.Equal(EtcdMembershipFailure.TimedOut, e.Failure);
        Assert.Contains("s2 could not be admitted within 1 s: one server at a time can be new, and s1 has not caught up yet", e.Message);
        Assert.Single(progress.Lines, line => line.Contains("s1 has not caught up yet"));
        // The same node may ask again, though: its answer may have been lost.
        EtcdStart.Join again = await at0.AdmitAsync(TestEtcd.Id(1), IsAlive, cancellationToken: Cancel);
        Assert.Equal(2, again.Members.Count);
        Assert.Empty(await at0.PromoteReadyAsync(Cancel));
    }

    [Fact]
    public async Task A_leader_hands_its_office_over_before_it_leaves()
    {
        EtcdMembership at0 = await FoundAsync();
        await JoinAsync(at0, 1);

        Assert.Equal(TestEtcd.Id(1), await at0.MoveLeaderAsync(IsAlive, Cancel));

        Assert.Null(await at0.MoveLeaderAsync(IsAlive, Cancel));
        EtcdMembership at1 = Membership(1);
        await at1.RemoveAsync(TestEtcd.Id(0), IsAlive, cancellationToken: Cancel);
        Assert.Equal(TestEtcd.Id(1), Assert.Single(await at1.ListAsync(Cancel)).Endpoint);
        await _members[0].UntilAsync(status => status.State == EtcdServerState.Removed);
    }

    [Fact]
    public async Task Three_servers_go_on_when_one_etcd_is_killed_and_it_catches_up()
    {
        EtcdMembership at0 = await FoundAsync();
        await JoinAsync(at0, 1);
        await JoinAsync(at0, 2);

        using (OsProcess killed = OsProcess.GetProcessById(_members[0].Server.Status.ProcessId!.Value))
            killed.Kill();

        await _members[0].UntilAsync(status => status is { State: EtcdServerState.Serving, Starts: 2 });
        Assert.Equal(EtcdServerState.Serving, _members[1].Server.Status.State);
        Assert.Equal(EtcdServerState.Serving, _members[2].Server.Status.State);
        Assert.Equal(3, (await at0.ListAsync(Cancel)).Count);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private bool IsAlive(EndpointId id) => !_dead.ContainsKey(id);

    private async Task<EtcdMembership> FoundAsync()
    {
        _members[0] = await TestEtcd.FoundAsync(_directory.At("s0"));
        return Membership(0);
    }

    /// <summary>Admits, starts, and waits until it votes.</summary>
    private async Task<EtcdStart.Join> JoinAsync(EtcdMembership admitting, int number)
    {
        EtcdStart.Join start = await admitting.AdmitAsync(TestEtcd.Id(number), IsAlive, cancellationToken: Cancel);
        EtcdServerOptions options = TestEtcd.OptionsIn(_directory.At($"s{number}"), number);
        foreach (TestEtcd other in _members.Values.Where(other => other.Options.Self != options.Self))
        {
            TestEtcd.Link(options.Directory, other.Options);
            TestEtcd.Link(other.Options.Directory, options);
        }

        _members[number] = await TestEtcd.ServeAsync(options, start);
        _dead.TryRemove(options.Self, out _);
        using CancellationTokenSource limit = Patience.Start();
        while (!(await admitting.PromoteReadyAsync(limit.Token)).Contains(options.Self))
            await Task.Delay(50, limit.Token);
        return start;
    }

    private async Task StopAsync(int number)
    {
        await _members[number].DisposeAsync();
        _dead[TestEtcd.Id(number)] = true;
    }

    private EtcdMembership Membership(int number)
    {
        var client = new EtcdClient(_members[number].Server.ClientSocketPath, TimeProvider.System);
        _clients.Add(client);
        return new EtcdMembership(client, TestEtcd.Token, NameOf, TimeProvider.System);
    }

    private static string NameOf(EndpointId id) => "s" + Enumerable.Range(0, 5).First(number => TestEtcd.Id(number) == id);

    private sealed class Told : IProgress<string>
    {
        public List<string> Lines { get; } = [];

        public void Report(string value) => Lines.Add(value);
    }
}
