using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf;
using Iroh.Cryptography;

namespace Blixard.Cluster.Store;

/// <summary>
/// The cluster store as a node without a copy of it sees it: every call goes to the <c>Store</c> service of a server. A call that
/// fails is not repeated here; a watch whose stream breaks goes on where it was, with growing delays, and neither misses nor
/// repeats anything. After a <see cref="StoreUnavailableException"/> of <see cref="TransactAsync"/> the transaction may have
/// happened or not: comparisons make it safe to try again.
/// </summary>
public sealed class RemoteStore : IClusterStore
{
    /// <summary>How long one call may take.</summary>
    public static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);

    // Three signs of life have failed to come: the stream leads nowhere.
    private static readonly TimeSpan s_silenceMax = StoreService.ProgressInterval * 3;

    // The first and the longest delay before a broken watch is begun again: quick after a hiccup, no burden in an outage.
    private static readonly TimeSpan s_delayMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_delayMax = TimeSpan.FromSeconds(5);

    private readonly IRpcCaller _server;
    private readonly TimeProvider _time;
    private readonly RandomSource _random;
    private readonly Lock _drawing = new();
    private readonly CancellationTokenSource _disposing = new();

    /// <summary>A store behind a server.</summary>
    /// <param name="server">Calls the server; stays the caller's.</param>
    /// <param name="time">The clock of delays.</param>
    /// <param name="random">For the jitter of delays; used by this store only, or thread-safe.</param>
    public RemoteStore(IRpcCaller server, TimeProvider time, RandomSource random)
    {
        (_server, _time, _random) = (server, time, random);
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
            throw new StoreUnavailableException("The server granted a lease without a number or an end.");
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
        long next = Math.Max(1, fromRevision);
        TimeSpan delay = s_delayMin;
        while (true)
        {
            using var breaking = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
            IAsyncEnumerator<WatchResponse> stream = _server.StreamAsync(
                StoreMethods.Watch, new WatchRequest { Prefix = prefix, FromRevision = next }, null, breaking.Token)
                .GetAsyncEnumerator(breaking.Token);
            await using (stream.ConfigureAwait(false))
            {
                while (await TryNextAsync(stream, breaking, stopping.Token).ConfigureAwait(false) is { } step)
                {
                    delay = s_delayMin;
                    if (step.StepCase == WatchResponse.StepOneofCase.Compacted)
                        throw new StoreCompactedException(step.Compacted.CompactRevision);
                    // A server may repeat what it had sent before the stream broke; nobody sees it twice.
                    if (step.StepCase != WatchResponse.StepOneofCase.Changes || step.Revision < next)
                        continue;
                    next = step.Revision + 1;
                    yield return StoreMessages.ToChanges(step.Revision, step.Changes);
                }
            }

            await Task.Delay(Jitter(delay), _time, stopping.Token).ConfigureAwait(false);
            delay = delay * 2 < s_delayMax ? delay * 2 : s_delayMax;
        }
    }

    /// <summary>Ends all watches. The server and its caller stay.</summary>
    public async ValueTask DisposeAsync() => await _disposing.CancelAsync().ConfigureAwait(false);

    private static Exception Explain(RpcException exception) => exception.StatusCode switch
    {
        RpcStatusCode.InvalidArgument or RpcStatusCode.ResourceExhausted => new ArgumentException(exception.Message, exception),
        RpcStatusCode.PermissionDenied or RpcStatusCode.Unauthenticated =>
            new StoreUnavailableException($"The server refuses this node the cluster store: {exception.Message}", exception) { HadNoEffect = true },
        _ => new StoreUnavailableException($"The cluster store cannot be reached: {exception.Message}", exception)
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
                    throw new StoreUnavailableException("The server answered with keys of different revisions.");
                entries.AddRange(page.Kvs.Select(StoreMessages.ToEntry));
            }
        }
        catch (RpcException exception)
        {
            throw Explain(exception);
        }

        return new StoreRange(entries, revision ?? throw new StoreUnavailableException("The server ended its answer before it began."));
    }

    private static void CheckFresh(bool isLinearizable, bool mayBeStale)
    {
        if (!isLinearizable && !mayBeStale)
            throw new StoreUnavailableException("The server answered with what may be stale, which was not asked for.");
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

    private TimeSpan Jitter(TimeSpan delay)
    {
        lock (_drawing)
            return (delay / 2) + (delay / 2 * (_random.NextBelow(1_000) / 1_000.0));
    }

    /// <summary>The next step, null if the stream has ended, has broken or is silent. What the server will never do ends the watch.</summary>
    private async ValueTask<WatchResponse?> TryNextAsync(
        IAsyncEnumerator<WatchResponse> stream, CancellationTokenSource breaking, CancellationToken stopping)
    {
        await using ITimer silence = _time.CreateTimer(
            static state => ((CancellationTokenSource)state!).Cancel(), breaking, s_silenceMax, Timeout.InfiniteTimeSpan);
        try
        {
            return await stream.MoveNextAsync().ConfigureAwait(false) ? stream.Current : null;
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            return null;
        }
        catch (RpcException exception) when (exception is { StatusCode: RpcStatusCode.InvalidArgument or RpcStatusCode.Unimplemented, Stage: RpcFailureStage.Answered })
        {
            throw Explain(exception);
        }
        catch (RpcException)
        {
            return null;
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
