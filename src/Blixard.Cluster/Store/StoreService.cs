using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Blixard.V1;

namespace Blixard.Cluster.Store;

/// <summary>Serves a store to nodes that do not hold it: the handlers of <c>blixard.v1.Store</c>. Thread-safe.</summary>
public sealed class StoreService
{
    /// <summary>
    /// How often a watch without changes gives a sign of life: often enough that a watcher whose server vanished without a word
    /// goes elsewhere within two seconds (<see cref="RemoteStore.SilenceMax"/>), and one message of some twenty bytes a second,
    /// which no machine notices.
    /// </summary>
    public static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(1);

    // A page holds at least one entry, so that it is at most two of these: far below a message's limit.
    private const int PageBytesMax = 1024 * 1024;

    // What a key costs in a message beside key and value: numbers and tags.
    private const int EntryOverheadBytes = 64;

    private readonly IClusterStore _store;
    private readonly TimeProvider _time;

    /// <summary>A service.</summary>
    /// <param name="store">What it serves; stays the caller's.</param>
    /// <param name="time">The clock of the signs of life.</param>
    public StoreService(IClusterStore store, TimeProvider time) => (_store, _time) = (store, time);

    /// <summary>The service with its handlers.</summary>
    public RpcService Bind() => new RpcService(StoreReflection.Descriptor, "Store")
        .Unary(StoreMethods.Get, GetAsync)
        .ServerStreaming(StoreMethods.Range, (request, context) => RangeAsync(request, context.CancellationToken))
        .Unary(StoreMethods.Transact, TransactAsync)
        .ServerStreaming(StoreMethods.Watch, (request, context) => WatchAsync(request, context.CancellationToken))
        .Unary(StoreMethods.GrantLease, GrantLeaseAsync)
        .Unary(StoreMethods.KeepLease, KeepLeaseAsync)
        .Unary(StoreMethods.RevokeLease, RevokeLeaseAsync);

    private static RpcException Explain(Exception exception) => exception switch
    {
        ArgumentException => new RpcException(RpcStatusCode.InvalidArgument, exception.Message),
        StoreLeaseNotFoundException => new RpcException(RpcStatusCode.NotFound, exception.Message),
        StoreUnavailableException unavailable => StoreMessages.ToStatus(unavailable),
        _ => throw new ArgumentOutOfRangeException(nameof(exception), exception, "Not a failure of the store."),
    };

    private static async Task<T> ExplainAsync<T>(ValueTask<T> call)
    {
        try
        {
            return await call.ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is StoreUnavailableException or StoreLeaseNotFoundException or ArgumentException)
        {
            throw Explain(exception);
        }
    }

    private (IStoreReader Reader, bool IsLinearizable) ReaderFor(bool mayBeStale) =>
        mayBeStale ? (_store.Replica, ReferenceEquals(_store.Replica, _store)) : (_store, true);

    private Task<GetResponse> GetAsync(GetRequest request, RpcContext context)
    {
        return ExplainAsync(AnswerAsync());

        async ValueTask<GetResponse> AnswerAsync()
        {
            (IStoreReader reader, bool isLinearizable) = ReaderFor(request.MayBeStale);
            StoreEntry? entry = await reader.GetAsync(request.Key, context.CancellationToken).ConfigureAwait(false);
            return new GetResponse { Kv = entry is null ? null : StoreMessages.ToMessage(entry), Linearizable = isLinearizable };
        }
    }

    private async IAsyncEnumerable<RangeResponse> RangeAsync(RangeRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        (IStoreReader reader, bool isLinearizable) = ReaderFor(request.MayBeStale);
        StoreRange range = await ExplainAsync(reader.RangeAsync(request.Prefix, cancellationToken)).ConfigureAwait(false);
        var page = new RangeResponse { Revision = range.Revision, Linearizable = isLinearizable };
        int bytes = 0;
        foreach (StoreEntry entry in range.Entries)
        {
            // A character is at most three bytes of UTF-8.
            int length = (3 * entry.Key.Length) + entry.Value.Length + EntryOverheadBytes;
            if (bytes > 0 && bytes + length > PageBytesMax)
            {
                yield return page;
                page = new RangeResponse { Revision = range.Revision, Linearizable = isLinearizable };
                bytes = 0;
            }

            page.Kvs.Add(StoreMessages.ToMessage(entry));
            bytes += length;
        }

        yield return page;
    }

    private async Task<TransactResponse> TransactAsync(TransactRequest request, RpcContext context)
    {
        if (!StoreMessages.TryRead(request, out StoreTransaction? transaction))
            throw new RpcException(RpcStatusCode.InvalidArgument, "a comparison or an operation of the transaction says nothing");
        // Once it has begun it is carried out, whether the caller still waits or not.
        StoreCommit commit = await ExplainAsync(_store.TransactAsync(transaction, context.CancellationToken)).ConfigureAwait(false);
        var response = new TransactResponse { Succeeded = commit.Succeeded, Revision = commit.Revision };
        response.Current.AddRange(commit.Current.Select(StoreMessages.ToMessage));
        return response;
    }

    private Task<GrantLeaseResponse> GrantLeaseAsync(GrantLeaseRequest request, RpcContext context)
    {
        return ExplainAsync(AnswerAsync());

        async ValueTask<GrantLeaseResponse> AnswerAsync()
        {
            var timeToLive = TimeSpan.FromSeconds(Math.Clamp(request.TtlSeconds, 0, StoreMessages.TimeToLiveSecondsMax));
            StoreLease lease = await _store.GrantLeaseAsync(timeToLive, context.CancellationToken).ConfigureAwait(false);
            return new GrantLeaseResponse { Lease = lease.Id, TtlSeconds = (long)lease.TimeToLive.TotalSeconds };
        }
    }

    private async Task<KeepLeaseResponse> KeepLeaseAsync(KeepLeaseRequest request, RpcContext context)
    {
        TimeSpan? left = await ExplainAsync(_store.KeepLeaseAsync(request.Lease, context.CancellationToken)).ConfigureAwait(false);
        return new KeepLeaseResponse { TtlSeconds = (long)(left?.TotalSeconds ?? 0) };
    }

    private Task<RevokeLeaseResponse> RevokeLeaseAsync(RevokeLeaseRequest request, RpcContext context)
    {
        return ExplainAsync(AnswerAsync());

        async ValueTask<RevokeLeaseResponse> AnswerAsync()
        {
            await _store.RevokeLeaseAsync(request.Lease, context.CancellationToken).ConfigureAwait(false);
            return new RevokeLeaseResponse();
        }
    }

    private async IAsyncEnumerable<WatchResponse> WatchAsync(WatchRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (request.FromRevision < 1)
            throw new RpcException(RpcStatusCode.InvalidArgument, "a watch begins at a revision above 0");
        long revision = request.FromRevision - 1;
        yield return new WatchResponse { Revision = revision, Progress = new Progress() };
        IAsyncEnumerator<StoreChanges> watch =
            _store.WatchAsync(request.Prefix, request.FromRevision, cancellationToken).GetAsyncEnumerator(cancellationToken);
        Task<WatchResponse?> next = NextAsync(watch);
        try
        {
            while (true)
            {
                using var waiting = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                if (await Task.WhenAny(next, Task.Delay(ProgressInterval, _time, waiting.Token)).ConfigureAwait(false) != next)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    yield return new WatchResponse { Revision = revision, Progress = new Progress() };
                    continue;
                }

                await waiting.CancelAsync().ConfigureAwait(false);
                if (await next.ConfigureAwait(false) is not { } step)
                    yield break;
                revision = step.Revision;
                yield return step;
                if (step.StepCase == WatchResponse.StepOneofCase.Compacted)
                    yield break;
                next = NextAsync(watch);
            }
        }
        finally
        {
            // The enumerator may only be disposed when its step has ended, which the token sees to.
            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await watch.DisposeAsync().ConfigureAwait(false);
        }
    }

    private static async Task<WatchResponse?> NextAsync(IAsyncEnumerator<StoreChanges> watch)
    {
        try
        {
            return await watch.MoveNextAsync().ConfigureAwait(false) ? StoreMessages.ToMessage(watch.Current) : null;
        }
        catch (StoreCompactedException exception)
        {
            return new WatchResponse
            {
                Revision = exception.OldestRevision - 1,
                Compacted = new Compacted { CompactRevision = exception.OldestRevision },
            };
        }
        catch (StoreUnavailableException exception)
        {
            throw Explain(exception);
        }
    }
}
