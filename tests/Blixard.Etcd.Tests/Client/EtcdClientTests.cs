using System.Security.Cryptography;
using Blixard.Etcd.Client;
using Blixard.Etcd.Tests.Support;
using Blixard.Etcd.Wire;
using Blixard.Rpc.Calls;
using Google.Protobuf;

namespace Blixard.Etcd.Tests.Client;

public sealed class EtcdClientTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_member_tells_about_itself_and_its_cluster()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        StatusResponse status = await etcd.Client().StatusAsync(null, Cancel);
        Assert.Equal(status.Header.MemberId, status.Leader);
        Assert.Equal(1, status.Header.Revision);
        Assert.StartsWith("3.", status.Version);
        Member member = Assert.Single(await etcd.Client().ListMembersAsync(null, Cancel));
        Assert.Equal((status.Leader, "member0", false), (member.ID, member.Name, member.IsLearner));
        Assert.Empty(await etcd.Client().ListAlarmsAsync(null, Cancel));
        Assert.Contains("etcd_server_has_leader 1", await etcd.Client().MetricsAsync(Cancel));
    }

    [Fact]
    public async Task Members_are_added_one_learner_at_a_time_and_removed()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        EtcdClient client = etcd.Client();
        Member added = (await client.AddMemberAsync(["unix://aaaa:2380"], isLearner: true, null, Cancel)).Member;
        Assert.Equal(EtcdErrorKind.MemberExists, await KindAsync(client.AddMemberAsync(["unix://aaaa:2380"], isLearner: true, null, Cancel)));
        Assert.Equal(EtcdErrorKind.TooManyLearners, await KindAsync(client.AddMemberAsync(["unix://bbbb:2380"], isLearner: true, null, Cancel)));
        Assert.Equal(EtcdErrorKind.LearnerNotReady, await KindAsync(client.PromoteMemberAsync(added.ID, null, Cancel)));
        await client.RemoveMemberAsync(added.ID, null, Cancel);
        Assert.Equal(EtcdErrorKind.MemberNotFound, await KindAsync(client.RemoveMemberAsync(added.ID, null, Cancel)));
        Assert.Equal(EtcdErrorKind.BadLeaderTransferee, await KindAsync(client.MoveLeaderAsync(added.ID, null, Cancel)));
    }

    [Fact]
    public async Task Refusals_have_their_kinds()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        EtcdClient client = etcd.Client();
        Assert.Equal(EtcdErrorKind.FutureRevision, await KindAsync(client.CompactAsync(5, null, Cancel)));
        Assert.Equal(EtcdErrorKind.LeaseNotFound, await KindAsync(client.RevokeLeaseAsync(77, null, Cancel)));
        Assert.Equal(EtcdErrorKind.LeaseTimeToLiveTooLarge, await KindAsync(client.GrantLeaseAsync(long.MaxValue, null, Cancel)));
        Assert.Equal(EtcdErrorKind.InvalidRequest, await KindAsync(client.RangeAsync(new RangeRequest(), null, Cancel)));
        Assert.Equal(0, await client.KeepLeaseAsync(77, null, Cancel));
        Assert.Equal(-1, (await client.LeaseTimeToLiveAsync(77, null, Cancel)).TTL);
    }

    [Fact]
    public async Task A_snapshot_ends_with_its_own_hash()
    {
        await using EtcdCluster etcd = await EtcdCluster.StartAsync();
        using var bytes = new MemoryStream();
        await foreach (SnapshotResponse piece in etcd.Client().SnapshotAsync(null, Cancel))
            piece.Blob.WriteTo(bytes);
        byte[] all = bytes.ToArray();
        Assert.Equal(SHA256.HashData(all.AsSpan(0, all.Length - 32)), all[^32..]);
    }

    [Fact]
    public async Task A_socket_that_nobody_serves_is_unreachable_without_waiting()
    {
        using var client = new EtcdClient(Path.Combine(Path.GetTempPath(), $"blixard-none-{Guid.NewGuid():N}", "client:0"), TimeProvider.System);
        var patient = new EtcdCallOptions { Timeout = TimeSpan.FromMinutes(5) };
        EtcdException e = await Assert.ThrowsAsync<EtcdException>(() => client.StatusAsync(patient, Cancel).WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.Equal((EtcdErrorKind.Unreachable, true, true), (e.Kind, e.HadNoEffect, e.IsUnavailable));
        Assert.Equal(EtcdErrorKind.Unreachable, await KindAsync(client.MetricsAsync(Cancel)));
        await Assert.ThrowsAsync<EtcdException>(async () =>
        {
            await foreach (WatchResponse _ in client.WatchAsync(new WatchCreateRequest { Key = ByteString.CopyFromUtf8("a") }, null, Cancel))
            {
            }
        });
    }

    [Theory]
    [InlineData(RpcStatusCode.Unavailable, "etcdserver: request timed out, possibly due to previous leader failure", EtcdErrorKind.TimedOut, false)]
    [InlineData(RpcStatusCode.Unavailable, "etcdserver: no leader", EtcdErrorKind.NoLeader, true)]
    [InlineData(RpcStatusCode.FailedPrecondition, "etcdserver: rpc not supported for learner", EtcdErrorKind.NotSupportedForLearner, true)]
    [InlineData(RpcStatusCode.Unavailable, "etcdserver: unhealthy cluster", EtcdErrorKind.Unhealthy, true)]
    [InlineData(RpcStatusCode.Unavailable, "etcdserver: server stopped", EtcdErrorKind.Stopped, false)]
    [InlineData(RpcStatusCode.ResourceExhausted, "etcdserver: mvcc: database space exceeded", EtcdErrorKind.NoSpace, true)]
    [InlineData(RpcStatusCode.InvalidArgument, "etcdserver: duplicate key given in txn request", EtcdErrorKind.InvalidRequest, true)]
    [InlineData(RpcStatusCode.Unknown, "something new", EtcdErrorKind.Other, false)]
    public void Errors_are_known_by_their_texts(RpcStatusCode code, string message, EtcdErrorKind kind, bool hadNoEffect)
    {
        EtcdException e = EtcdException.From(new RpcException(code, message));
        Assert.Equal((kind, hadNoEffect), (e.Kind, e.HadNoEffect));
    }

    private static async Task<EtcdErrorKind> KindAsync(Task call) => (await Assert.ThrowsAsync<EtcdException>(() => call)).Kind;
}
