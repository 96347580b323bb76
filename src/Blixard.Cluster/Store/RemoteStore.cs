using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Cluster.Store;

/// <summary>
/// The cluster store as a node without a copy of it sees it: every call goes to the <c>Store</c> service of one server. A call that
/// fails is not repeated here, and a watch whose stream breaks or falls silent ends with <see cref="StoreUnavailableException"/>:
/// <see cref="FailoverStore"/> goes on, here or elsewhere. After a failure of <see cref="TransactAsync"/> without
/// <see cref="StoreUnavailableException.HadNoEffect"/> the transaction may have happened or not: comparisons make it safe to
/// try again.
/// </summary>
public sealed class RemoteStore : IClusterStore
{
    /// <summary>How long one call may take.</summary>
    public static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long a watch may be silent, from its beginning on, before its server counts as gone: two signs of life. A server that
    /// vanished without a word is so left two seconds later; a sign may be late by one interval, which a busy machine needs.
    /// A false alarm costs one new stream and loses nothing.
    /// </summary>
    public static readonly TimeSpan SilenceMax = StoreService.ProgressInterval * 2;

    private readonly IRpcCaller _server;
    private readonly string _name;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _disposing = new();

    /// <summary>A store behind a server.</summary>
    /// <param name="server">Calls the server; stays the caller's.</param>
    /// <param name="name">The server's name, for messages.</param>
    /// <param name="time">The clock of silence.</param>
    public RemoteStore(IRpcCaller server, string name, TimeProvider time)
    {
        (_server, _name, _time) = (server, name, time);
        Replica = new RemoteReplica(this);
    }

    /// <inheritdoc/>
    public IStoreReader Replica { get; }

    /// <inheritdoc/>
    public ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken = default) =>
        GetAsync(key, mayBeStale: false, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<StoreRange> RangeAsync(string prefix, CancellationToken cancellationToken = default) =>
        RangeAsync(prefix, mayBeStale: false, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<StoreCommit> TransactAsync(StoreTransaction transaction, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        transaction.Validate();
        try
        {
            TransactResponse response = await CallAsync(StoreMethods.Transact, StoreMessages.ToMessage(transaction), cancellationToken).ConfigureAwait(false);
            return new StoreCommit(response.Succeeded, response.Revision, [.. response.Current.Select(StoreMessages.ToEntry)]);
        }
        catch (RpcException exception) when (exception is { StatusCode: RpcStatusCode.NotFound, Stage: RpcFailureStage.Answered })
        {
            throw new StoreLeaseNotFoundException(exception.Message, exception);
        }
        catch (RpcException exception)
        {
            throw Explain(exception);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<StoreLease> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default)
    {
        StoreLimits.CheckLease(timeToLive);
        var request = new GrantLeaseRequest { TtlSeconds = (long)timeToLive.TotalSeconds };
        GrantLeaseResponse response = await CallOrExplainAsync(StoreMethods.GrantLease, request, cancellationToken).ConfigureAwait(false);
        if (response.Lease <= 0 || StoreMessages.ToTimeToLive(response.TtlSeconds) is not { } granted)
            throw new StoreUnavailableException($"{_name} granted a lease without a number or an end.");
        return new StoreLease(response.Lease, granted);
    }

    /// <inheritdoc/>
    public async ValueTask<TimeSpan?> KeepLeaseAsync(long lease, CancellationToken cancellationToken = default)
    {
        var request = new KeepLeaseRequest { Lease = lease };
        KeepLeaseResponse response = await CallOrExplainAsync(StoreMethods.KeepLease, request, cancellationToken).ConfigureAwait(false);
        return StoreMessages.ToTimeToLive(response.TtlSeconds);
    }

    /// <inheritdoc/>
    public async ValueTask RevokeLeaseAsync(long lease, CancellationToken cancellationToken = default) =>
        await CallOrExplainAsync(StoreMethods.RevokeLease, new RevokeLeaseRequest { Lease = lease }, cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoreChanges> WatchAsync(
        string prefix, long fromRevision, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposing.Token);
        using var breaking = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
        await using ITimer silence = _time.CreateTimer(
            static state => ((CancellationTokenSource)state!).Cancel(), breaking, SilenceMax, Timeout.InfiniteTimeSpan);
        long next = Math.Max(1, fromRevision);
        IAsyncEnumerator<WatchResponse> stream = _server.StreamAsync(
            StoreMethods.Watch, new WatchRequest { Prefix = prefix, FromRevision = next }, null, breaking.Token)
            .GetAsyncEnumerator(breaking.Token);
        await using (stream.ConfigureAwait(false))
        {
            while (true)
            {
                silence.Change(SilenceMax, Timeout.InfiniteTimeSpan);
                WatchResponse step = await NextAsync(stream, breaking.Token, stopping.Token).ConfigureAwait(false);
                // A reader that takes its time is no silence of the server.
                silence.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                if (step.StepCase == WatchResponse.StepOneofCase.Compacted)
                    throw new StoreCompactedException(step.Compacted.CompactRevision);
                // Each revision once, whatever the server does.
                if (step.StepCase != WatchResponse.StepOneofCase.Changes || step.Revision < next)
                    continue;
                next = step.Revision + 1;
                yield return StoreMessages.ToChanges(step.Revision, step.Changes);
            }
        }
    }

    /// <summary>The server's name.</summary>
    public override string ToString() => _name;

    /// <summary>Ends all watches. The server and its caller stay.</summary>
    public async ValueTask DisposeAsync() => await _disposing.CancelAsync().ConfigureAwait(false);

    private Exception Explain(RpcException exception) => exception.StatusCode switch
    {
        RpcStatusCode.InvalidArgument or RpcStatusCode.ResourceExhausted => new ArgumentException(exception.Message, exception),
        RpcStatusCode.PermissionDenied or RpcStatusCode.Unauthenticated =>
            new StoreUnavailableException($"{_name} refuses this node the cluster store: {exception.Message}", exception) { HadNoEffect = true },
        _ => new StoreUnavailableException($"{_name} cannot answer for the cluster store: {exception.Message}", exception)
        {
            HadNoEffect = exception.Stage == RpcFailureStage.NotSent || StoreMessages.SaysNoEffect(exception),
        },
    };

    private async ValueTask<StoreEntry?> GetAsync(string key, bool mayBeStale, CancellationToken cancellationToken)
    {
        StoreTransaction.CheckKey(key);
        var request = new GetRequest { Key = key, MayBeStale = mayBeStale };
        GetResponse response = await CallOrExplainAsync(StoreMethods.Get, request, cancellationToken).ConfigureAwait(false);
        CheckFresh(response.Linearizable, mayBeStale);
        return response.Kv is { } entry ? StoreMessages.ToEntry(entry) : null;
    }

    private async ValueTask<StoreRange> RangeAsync(string prefix, bool mayBeStale, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, this);
        var entries = new List<StoreEntry>();
        long? revision = null;
        try
        {
            IAsyncEnumerable<RangeResponse> pages = _server.StreamAsync(
                StoreMethods.Range, new RangeRequest { Prefix = prefix, MayBeStale = mayBeStale },
                RpcCallOptions.Within(CallTimeout), cancellationToken);
            await foreach (RangeResponse page in pages.ConfigureAwait(false))
            {
                CheckFresh(page.Linearizable, mayBeStale);
                if ((revision ??= page.Revision) != page.Revision)
                    throw new StoreUnavailableException($"{_name} answered with keys of different revisions.");
                entries.AddRange(page.Kvs.Select(StoreMessages.ToEntry));
            }
        }
        catch (RpcException exception)
        {
            throw Explain(exception);
        }

        return new StoreRange(entries, revision ?? throw new StoreUnavailableException($"{_name} ended its answer before it began."));
    }

    private void CheckFresh(bool isLinearizable, bool mayBeStale)
    {
        if (!isLinearizable && !mayBeStale)
            throw new StoreUnavailableException($"{_name} answered with what may be stale, which was not asked for.");
    }

    private async Task<TResponse> CallAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, this);
        return await _server.CallAsync(method, request, RpcCallOptions.Within(CallTimeout), cancellationToken).ConfigureAwait(false);
    }

    private async Task<TResponse> CallOrExplainAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        try
        {
            return await CallAsync(method, request, cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException exception)
        {
            throw Explain(exception);
        }
    }

    /// <summary>The next step; whatever ends the stream is told as an exception.</summary>
    private async ValueTask<WatchResponse> NextAsync(IAsyncEnumerator<WatchResponse> stream, CancellationToken breaking, CancellationToken stopping)
    {
        try
        {
            return await stream.MoveNextAsync().ConfigureAwait(false)
                ? stream.Current
                : throw new StoreUnavailableException($"{_name} has ended the watch.") { HadNoEffect = true };
        }
        catch (OperationCanceledException) when (breaking.IsCancellationRequested && !stopping.IsCancellationRequested)
        {
            throw new StoreUnavailableException($"{_name} has given no sign of life for {SilenceMax.TotalSeconds} s.") { HadNoEffect = true };
        }
        catch (RpcException exception)
        {
            throw Explain(exception);
        }
    }

    private sealed class RemoteReplica(RemoteStore store) : IStoreReader
    {
        public ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken = default) =>
            store.GetAsync(key, mayBeStale: true, cancellationToken);

        public ValueTask<StoreRange> RangeAsync(string prefix, CancellationToken cancellationToken = default) =>
            store.RangeAsync(prefix, mayBeStale: true, cancellationToken);
    }
}
