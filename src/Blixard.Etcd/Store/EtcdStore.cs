using System.Runtime.CompilerServices;
using Blixard.Cluster.Store;
using Blixard.Etcd.Client;
using Blixard.Etcd.Wire;
using Google.Protobuf;

namespace Blixard.Etcd.Store;

/// <summary>
/// The cluster store of several servers, as the etcd member of this one serves it. Revisions are etcd's less one (see
/// <see cref="EtcdRevision"/>), so that they count as those of a single server do. Every call has a time limit; without a quorum
/// calls fail with <see cref="StoreUnavailableException"/>, and so do watches within some seconds: watch again where they were,
/// here or at another server. etcd keeps all history until an <see cref="EtcdCompactor"/> trims it.
/// </summary>
public sealed class EtcdStore : IClusterStore
{
    /// <summary>How long one call may take unless another limit is given; a range of many pages as much for each of them.</summary>
    public static readonly TimeSpan CallTimeout = EtcdCallOptions.DefaultTimeout;

    /// <summary>What etcd must be told to accept as one request (--max-request-bytes), in bytes: the largest transaction, the keys
    /// that it reads when it fails, and what encoding adds to 128 comparisons and as many operations.</summary>
    public const int RequestBytesMax = 2 * 1024 * 1024;

    private static readonly EtcdCallOptions s_watchOptions = new() { Timeout = null, RequireLeader = true };

    private readonly EtcdClient _client;
    private readonly EtcdCalls _calls;
    private readonly EtcdReader _reader;
    private readonly CancellationTokenSource _disposing = new();

    /// <summary>A store; nothing is asked before the first call.</summary>
    /// <param name="client">Calls this server's member; stays the caller's.</param>
    /// <param name="time">The clock of time limits.</param>
    /// <param name="callTimeout">How long one call may take, more than zero; null: <see cref="CallTimeout"/>.</param>
    public EtcdStore(EtcdClient client, TimeProvider time, TimeSpan? callTimeout = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        _client = client;
        _calls = new EtcdCalls(client, time, callTimeout ?? CallTimeout);
        _reader = new EtcdReader(_calls, mayBeStale: false);
        Replica = new EtcdReader(_calls, mayBeStale: true);
    }

    /// <inheritdoc/>
    public IStoreReader Replica { get; }

    /// <summary>What it is called in messages.</summary>
    public override string ToString() => "this server's own etcd";

    /// <inheritdoc/>
    public ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, this);
        return _reader.GetAsync(key, cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<StoreRange> RangeAsync(string prefix, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, this);
        return _reader.RangeAsync(prefix, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<StoreCommit> TransactAsync(StoreTransaction transaction, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        transaction.Validate();
        ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, this);
        List<string> compared = [.. transaction.Comparisons.Select(comparison => comparison.Key).Distinct(StringComparer.Ordinal)];
        // The compared keys come with the answer, unless their values might not fit one message.
        bool inline = compared.Count <= EtcdPages.Least;
        TxnRequest request = EtcdMessages.ToRequest(transaction, inline ? compared : []);
        TxnResponse response = await TransactAsync(transaction, request, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<StoreEntry> current = [];
        if (!response.Succeeded && inline)
            current = [.. response.Responses.SelectMany(read => read.ResponseRange.Kvs).Select(EtcdMessages.ToEntry)];
        else if (!response.Succeeded)
            current = await _reader.GetAtAsync(compared, response.Header.Revision, cancellationToken).ConfigureAwait(false);
        return new StoreCommit(response.Succeeded, EtcdRevision.ToStore(response.Header.Revision), current);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoreChanges> WatchAsync(
        string prefix, long fromRevision, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposing.Token);
        long from = Math.Max(1, fromRevision);
        var changes = new EtcdWatchChanges(from);
        (ByteString key, ByteString end) = EtcdMessages.ToInterval(prefix);
        var request = new WatchCreateRequest { Key = key, RangeEnd = end, StartRevision = EtcdRevision.ToEtcd(from), Fragment = true };
        await foreach (WatchResponse response in ResponsesAsync(request, stopping.Token).ConfigureAwait(false))
        {
            if (response.Created && response.Header.Revision >= request.StartRevision && !await IsWholeAsync(request, stopping.Token).ConfigureAwait(false))
                throw new StoreCompactedException(await FindOldestAsync(request, stopping.Token).ConfigureAwait(false));
            foreach (StoreChanges whole in changes.Add(response))
                yield return whole;
        }

        throw WatchEnded();
    }

    /// <inheritdoc/>
    public async ValueTask<StoreLease> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default)
    {
        StoreLimits.CheckLease(timeToLive);
        // A lease that nobody learns of ends by itself.
        LeaseGrantResponse granted = await LeaseCallAsync(
            options => _client.GrantLeaseAsync((long)timeToLive.TotalSeconds, options, cancellationToken), cancellationToken).ConfigureAwait(false);
        return new StoreLease(granted.ID, TimeSpan.FromSeconds(granted.TTL));
    }

    /// <inheritdoc/>
    public async ValueTask<TimeSpan?> KeepLeaseAsync(long lease, CancellationToken cancellationToken = default)
    {
        long seconds = await LeaseCallAsync(options => _client.KeepLeaseAsync(lease, options, cancellationToken), cancellationToken).ConfigureAwait(false);
        return seconds > 0 ? TimeSpan.FromSeconds(seconds) : null;
    }

    /// <inheritdoc/>
    public async ValueTask RevokeLeaseAsync(long lease, CancellationToken cancellationToken = default) =>
        await LeaseCallAsync(
            async options =>
            {
                try
                {
                    await _client.RevokeLeaseAsync(lease, options, cancellationToken).ConfigureAwait(false);
                }
                catch (EtcdException failure) when (failure.Kind == EtcdErrorKind.LeaseNotFound)
                {
                    // Gone is what it shall be.
                }

                return true;
            },
            cancellationToken).ConfigureAwait(false);

    /// <summary>Ends all watches. The client and the member stay.</summary>
    public async ValueTask DisposeAsync() => await _disposing.CancelAsync().ConfigureAwait(false);

    private async Task<TxnResponse> TransactAsync(StoreTransaction transaction, TxnRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return await _calls.WithLeaderAsync(
                options => _client.TransactAsync(request, options, cancellationToken), canRepeat: false, cancellationToken).ConfigureAwait(false);
        }
        catch (EtcdException failure) when (failure.Kind == EtcdErrorKind.LeaseNotFound)
        {
            long[] leases = [.. transaction.Operations.OfType<StoreOperation.Put>().Select(put => put.Lease).Where(lease => lease != 0).Distinct()];
            throw leases.Length == 1
                ? new StoreLeaseNotFoundException(leases[0])
                : new StoreLeaseNotFoundException($"One of the leases {string.Join(", ", leases)} is gone. Grant a new one and put its keys again.", failure);
        }
        catch (EtcdException failure)
        {
            throw EtcdFailures.ToStore(failure);
        }
    }

    private async Task<T> LeaseCallAsync<T>(Func<EtcdCallOptions, Task<T>> call, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, this);
        try
        {
            return await _calls.WithLeaderAsync(call, canRepeat: true, cancellationToken).ConfigureAwait(false);
        }
        catch (EtcdException failure)
        {
            throw EtcdFailures.ToStore(failure);
        }
    }

    /// <summary>Whether the revision that a watch begins at is kept whole. etcd lets it begin at the very revision of a compaction,
    /// of which deletions may be forgotten; the revision before can then no longer be read.</summary>
    private async ValueTask<bool> IsWholeAsync(WatchCreateRequest watch, CancellationToken cancellationToken)
    {
        try
        {
            var request = new RangeRequest { Key = watch.Key, Revision = watch.StartRevision - 1, CountOnly = true, Serializable = true };
            await _calls.ReadAsync(request, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (EtcdException failure) when (failure.Kind == EtcdErrorKind.Compacted)
        {
            return false;
        }
        catch (EtcdException failure)
        {
            throw EtcdFailures.ToStore(failure);
        }
    }

    /// <summary>The oldest revision of the store that is left, after a watch asked for one that is not.</summary>
    private async ValueTask<long> FindOldestAsync(WatchCreateRequest watch, CancellationToken cancellationToken)
    {
        // etcd tells it to whoever asks for a revision before that of the compaction.
        WatchCreateRequest older = watch.Clone();
        older.StartRevision--;
        await foreach (WatchResponse response in ResponsesAsync(older, cancellationToken).ConfigureAwait(false))
        {
            if (response.CompactRevision > 0)
                return EtcdWatchChanges.OldestAfterCompaction(response.CompactRevision);
        }

        throw WatchEnded();
    }

    private async IAsyncEnumerable<WatchResponse> ResponsesAsync(WatchCreateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        IAsyncEnumerator<WatchResponse> responses = _client.WatchAsync(request, s_watchOptions, cancellationToken).GetAsyncEnumerator(cancellationToken);
        await using (responses.ConfigureAwait(false))
        {
            while (await MoveNextAsync(responses).ConfigureAwait(false))
                yield return responses.Current;
        }
    }

    private static async ValueTask<bool> MoveNextAsync(IAsyncEnumerator<WatchResponse> responses)
    {
        try
        {
            return await responses.MoveNextAsync().ConfigureAwait(false);
        }
        catch (EtcdException failure) when (failure.Kind == EtcdErrorKind.TooLarge)
        {
            // etcd does not cut what it collected before it announced the watch; another attempt is likely to be in time.
            throw new StoreUnavailableException("The cluster store sent more changes at once than one message may hold.", failure);
        }
        catch (EtcdException failure)
        {
            throw EtcdFailures.ToStore(failure);
        }
    }

    private static StoreUnavailableException WatchEnded() => new("The cluster store of this server ended the watch.");
}
