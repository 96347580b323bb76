using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.V1;
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
    public RemoteStore(IRpcCaller server, TimeProvider time, RandomSource random) => (_server, _time, _random) = (server, time, random);

    /// <inheritdoc/>
    public async ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken = default)
    {
        StoreTransaction.CheckKey(key);
        ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, this);
        try
        {
            GetResponse response = await _server.CallAsync(
                StoreMethods.Get, new GetRequest { Key = key }, RpcCallOptions.Within(CallTimeout), cancellationToken).ConfigureAwait(false);
            return response.Kv is { } entry ? StoreMessages.ToEntry(entry) : null;
        }
        catch (RpcException exception)
        {
            throw Explain(exception);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<StoreRange> RangeAsync(string prefix, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, this);
        var entries = new List<StoreEntry>();
        long? revision = null;
        try
        {
            IAsyncEnumerable<RangeResponse> pages = _server.StreamAsync(
                StoreMethods.Range, new RangeRequest { Prefix = prefix }, RpcCallOptions.Within(CallTimeout), cancellationToken);
            await foreach (RangeResponse page in pages.ConfigureAwait(false))
            {
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

    /// <inheritdoc/>
    public async ValueTask<StoreCommit> TransactAsync(StoreTransaction transaction, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        transaction.Validate();
        ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, this);
        try
        {
            TransactResponse response = await _server.CallAsync(
                StoreMethods.Transact, StoreMessages.ToMessage(transaction), RpcCallOptions.Within(CallTimeout), cancellationToken).ConfigureAwait(false);
            return new StoreCommit(response.Succeeded, response.Revision, [.. response.Current.Select(StoreMessages.ToEntry)]);
        }
        catch (RpcException exception)
        {
            throw Explain(exception);
        }
    }

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
            new StoreUnavailableException($"The server refuses this node the cluster store: {exception.Message}", exception),
        _ => new StoreUnavailableException($"The cluster store cannot be reached: {exception.Message}", exception),
    };

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
}
