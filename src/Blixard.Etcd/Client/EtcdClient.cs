using System.Runtime.CompilerServices;
using Blixard.Etcd.Wire;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Grpc;
using Google.Protobuf;

namespace Blixard.Etcd.Client;

/// <summary>
/// Calls one etcd member through its unix socket. Thread-safe; calls run side by side on one connection, which is made when it is
/// needed and anew after the member was restarted. Every call fails with <see cref="EtcdException"/>, at once when nobody serves
/// the socket; the caller's own token ends it with <see cref="OperationCanceledException"/>. Revisions are etcd's.
/// </summary>
public sealed class EtcdClient : IDisposable
{
    private readonly GrpcCaller _caller;
    private readonly EtcdMetricsPage _metrics;

    /// <summary>A client; nothing is connected before the first call.</summary>
    /// <param name="socketPath">The socket that the member listens on for clients; of any length.</param>
    /// <param name="time">The clock of time limits.</param>
    public EtcdClient(string socketPath, TimeProvider time)
    {
        _caller = new GrpcCaller(new GrpcCallerOptions { UnixSocketPath = socketPath }, time);
        _metrics = new EtcdMetricsPage(socketPath, time);
    }

    /// <summary>Entries of a key or an interval of keys.</summary>
    public Task<RangeResponse> RangeAsync(RangeRequest request, EtcdCallOptions? options = null, CancellationToken cancellationToken = default) =>
        CallAsync(EtcdMethods.Range, request, options, cancellationToken);

    /// <summary>Compares, then carries out one of two lists of operations.</summary>
    public Task<TxnResponse> TransactAsync(TxnRequest request, EtcdCallOptions? options = null, CancellationToken cancellationToken = default) =>
        CallAsync(EtcdMethods.Txn, request, options, cancellationToken);

    /// <summary>Forgets what was superseded before <paramref name="revision"/>; <see cref="EtcdErrorKind.Compacted"/> when that
    /// was done before.</summary>
    public Task CompactAsync(long revision, EtcdCallOptions? options = null, CancellationToken cancellationToken = default) =>
        CallAsync(EtcdMethods.Compact, new CompactionRequest { Revision = revision }, options, cancellationToken);

    /// <summary>One watch on a stream of its own, from its "created" response on, until etcd or the caller ends it. The time
    /// limit of <paramref name="options"/>, if there are any, is the whole watch's; without options there is none.</summary>
    public IAsyncEnumerable<WatchResponse> WatchAsync(
        WatchCreateRequest request, EtcdCallOptions? options = null, CancellationToken cancellationToken = default) =>
        TranslateAsync(
            _caller.DuplexAsync(
                EtcdMethods.Watch, OnceThenOpenAsync(new WatchRequest { CreateRequest = request }, cancellationToken), Options(options, unlimited: true), cancellationToken),
            cancellationToken);

    /// <summary>Makes a lease, whose id etcd chooses.</summary>
    /// <param name="seconds">How long it lives without being kept, 1 or more; etcd may grant more.</param>
    /// <param name="options">The time limit.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public async Task<LeaseGrantResponse> GrantLeaseAsync(long seconds, EtcdCallOptions? options = null, CancellationToken cancellationToken = default)
    {
        LeaseGrantResponse response = await CallAsync(
            EtcdMethods.LeaseGrant, new LeaseGrantRequest { TTL = seconds }, options, cancellationToken).ConfigureAwait(false);
        return response.Error.Length == 0
            ? response
            : throw new EtcdException(EtcdException.KindOf(response.Error), response.Error, hadNoEffect: true);
    }

    /// <summary>Gives a lease its full life again.</summary>
    /// <returns>How many seconds it lives on; 0 when there is no such lease.</returns>
    public async Task<long> KeepLeaseAsync(long lease, EtcdCallOptions? options = null, CancellationToken cancellationToken = default)
    {
        IAsyncEnumerable<LeaseKeepAliveResponse> responses = TranslateAsync(
            _caller.DuplexAsync(EtcdMethods.LeaseKeepAlive, OnceAsync(new LeaseKeepAliveRequest { ID = lease }), Options(options), cancellationToken),
            cancellationToken);
        await foreach (LeaseKeepAliveResponse response in responses.ConfigureAwait(false))
            return response.TTL;
        throw new EtcdException(EtcdErrorKind.ConnectionLost, "etcd ended the lease's stream without an answer");
    }

    /// <summary>Ends a lease and deletes its keys; <see cref="EtcdErrorKind.LeaseNotFound"/> when there is none.</summary>
    public Task RevokeLeaseAsync(long lease, EtcdCallOptions? options = null, CancellationToken cancellationToken = default) =>
        CallAsync(EtcdMethods.LeaseRevoke, new LeaseRevokeRequest { ID = lease }, options, cancellationToken);

    /// <summary>What is left of a lease, with its keys.</summary>
    public Task<LeaseTimeToLiveResponse> LeaseTimeToLiveAsync(long lease, EtcdCallOptions? options = null, CancellationToken cancellationToken = default) =>
        CallAsync(EtcdMethods.LeaseTimeToLive, new LeaseTimeToLiveRequest { ID = lease, Keys = true }, options, cancellationToken);

    /// <summary>All members, as the asked one knows them.</summary>
    public async Task<IReadOnlyList<Member>> ListMembersAsync(EtcdCallOptions? options = null, CancellationToken cancellationToken = default) =>
        (await CallAsync(EtcdMethods.MemberList, new MemberListRequest(), options, cancellationToken).ConfigureAwait(false)).Members;

    /// <summary>Adds a member that has yet to start.</summary>
    public Task<MemberAddResponse> AddMemberAsync(
        IEnumerable<string> peerUrls, bool isLearner, EtcdCallOptions? options = null, CancellationToken cancellationToken = default) =>
        CallAsync(EtcdMethods.MemberAdd, new MemberAddRequest { PeerURLs = { peerUrls }, IsLearner = isLearner }, options, cancellationToken);

    /// <summary>Removes a member for good.</summary>
    public Task RemoveMemberAsync(ulong member, EtcdCallOptions? options = null, CancellationToken cancellationToken = default) =>
        CallAsync(EtcdMethods.MemberRemove, new MemberRemoveRequest { ID = member }, options, cancellationToken);

    /// <summary>Gives a learner its vote; <see cref="EtcdErrorKind.LearnerNotReady"/> until it has caught up.</summary>
    public Task PromoteMemberAsync(ulong member, EtcdCallOptions? options = null, CancellationToken cancellationToken = default) =>
        CallAsync(EtcdMethods.MemberPromote, new MemberPromoteRequest { ID = member }, options, cancellationToken);

    /// <summary>How the asked member is. It answers without the others.</summary>
    public Task<StatusResponse> StatusAsync(EtcdCallOptions? options = null, CancellationToken cancellationToken = default) =>
        CallAsync(EtcdMethods.Status, new StatusRequest(), options, cancellationToken);

    /// <summary>Hands the leader's office from the asked member to <paramref name="member"/>; <see cref="EtcdErrorKind.NotLeader"/>
    /// when it has none to give.</summary>
    public Task MoveLeaderAsync(ulong member, EtcdCallOptions? options = null, CancellationToken cancellationToken = default) =>
        CallAsync(EtcdMethods.MoveLeader, new MoveLeaderRequest { TargetID = member }, options, cancellationToken);

    /// <summary>The alarms that are raised, on any member.</summary>
    public async Task<IReadOnlyList<AlarmMember>> ListAlarmsAsync(EtcdCallOptions? options = null, CancellationToken cancellationToken = default) =>
        (await CallAsync(EtcdMethods.Alarm, new AlarmRequest(), options, cancellationToken).ConfigureAwait(false)).Alarms;

    /// <summary>Ends an alarm.</summary>
    public Task EndAlarmAsync(AlarmMember alarm, EtcdCallOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(alarm);
        var request = new AlarmRequest { Action = AlarmRequest.Types.AlarmAction.Deactivate, MemberID = alarm.MemberID, Alarm = alarm.Alarm };
        return CallAsync(EtcdMethods.Alarm, request, options, cancellationToken);
    }

    /// <summary>The asked member's database file in pieces, followed by its SHA-256 (the last 32 bytes). Without
    /// <paramref name="options"/> there is no time limit.</summary>
    public IAsyncEnumerable<SnapshotResponse> SnapshotAsync(EtcdCallOptions? options = null, CancellationToken cancellationToken = default) =>
        TranslateAsync(
            _caller.StreamAsync(EtcdMethods.Snapshot, new SnapshotRequest(), Options(options, unlimited: true), cancellationToken), cancellationToken);

    /// <summary>The member's own numbers in the text format of Prometheus, at most 4 MiB of it:
    /// a longer one is refused.</summary>
    public Task<string> MetricsAsync(CancellationToken cancellationToken = default) => _metrics.ReadAsync(cancellationToken);

    /// <summary>Closes the connections; calls under way fail.</summary>
    public void Dispose()
    {
        _caller.Dispose();
        _metrics.Dispose();
    }

    private static RpcCallOptions Options(EtcdCallOptions? options, bool unlimited = false) =>
        options is null && unlimited ? RpcCallOptions.Default : (options ?? EtcdCallOptions.Default).ToRpc();

    private async Task<TResponse> CallAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, EtcdCallOptions? options, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        try
        {
            return await _caller.CallAsync(method, request, Options(options), cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException failure)
        {
            throw EtcdException.From(failure);
        }
    }

    private static async IAsyncEnumerable<T> TranslateAsync<T>(
        IAsyncEnumerable<T> source, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        IAsyncEnumerator<T> items = source.GetAsyncEnumerator(cancellationToken);
        await using (items.ConfigureAwait(false))
        {
            while (true)
            {
                try
                {
                    if (!await items.MoveNextAsync().ConfigureAwait(false))
                        yield break;
                }
                catch (RpcException failure)
                {
                    throw EtcdException.From(failure);
                }

                yield return items.Current;
            }
        }
    }

    private static async IAsyncEnumerable<T> OnceAsync<T>(T request)
    {
        yield return request;
        await Task.CompletedTask.ConfigureAwait(false);
    }

    // etcd takes the end of the requests for the end of the call.
    private static async IAsyncEnumerable<T> OnceThenOpenAsync<T>(T request, [EnumeratorCancellation] CancellationToken ended = default)
    {
        yield return request;
        await Task.Delay(Timeout.InfiniteTimeSpan, ended).ConfigureAwait(false);
    }
}
