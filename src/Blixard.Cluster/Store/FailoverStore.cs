using System.Runtime.CompilerServices;
using Iroh.Cryptography;

namespace Blixard.Cluster.Store;

/// <summary>
/// A store that several candidates can answer for: the servers of a cluster, as a node sees them. It stays with one candidate
/// until that fails, then goes to the next, and returns to a more preferred one when that answers again.
/// </summary>
/// <remarks>
/// Reads and leases are tried at the next candidate within their call. A transaction is so only if it surely had no effect;
/// otherwise its caller learns that the outcome is unknown. Watches are where calls are: whichever of them leaves a candidate, all
/// watches go on at the other with the next revision, and none is missed and none comes twice. When every candidate fails, a call says why each did and a watch tries again with growing delays,
/// without end. Thread-safe.
/// </remarks>
public sealed class FailoverStore : IClusterStore
{
    /// <summary>How long a read, or a call about a lease, waits for one candidate. A server that has a leader answers within
    /// milliseconds; one that is electing may as well be left.</summary>
    public static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(1.5);

    /// <summary>How long a range waits for the one candidate that it tries a second time, when none could answer it sooner.</summary>
    public static readonly TimeSpan LongReadTimeout = TimeSpan.FromSeconds(10);

    /// <summary>How long a transaction waits for its candidate: longer than an election takes, because it cannot be tried
    /// elsewhere once it was sent.</summary>
    public static readonly TimeSpan TransactTimeout = TimeSpan.FromSeconds(5);

    /// <summary>How often more preferred candidates are asked whether they answer again.</summary>
    public static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(5);

    // Any key will do: that the candidate answers at all, with a quorum behind it, is what a probe asks.
    private const string ProbeKey = "/";

    // The first and the longest delay of a watch when no candidate can serve it: quick after a hiccup, no burden in an outage,
    // and short enough that a cluster that is back is soon noticed.
    private static readonly TimeSpan s_delayMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_delayMax = TimeSpan.FromSeconds(2);

    private readonly Func<IReadOnlyList<IClusterStore>> _candidates;
    private readonly TimeProvider _time;
    private readonly RandomSource _random;
    private readonly Lock _lock = new();
    private readonly FailoverChoice<IClusterStore> _choice = new();
    private readonly CancellationTokenSource _disposing = new();
    
    // Cancelled and replaced when another candidate is chosen.
    private CancellationTokenSource _choosing = new();
    private Task _probing = Task.CompletedTask;
    private bool _isProbing;

    /// <summary>A store over candidates.</summary>
    /// <param name="candidates">Those there are now, the most preferred first. Asked anew by each call; the same candidate must be
    /// the same object each time, and its text is its name in messages. They stay the caller's. Thread-safe and quick.</param>
    /// <param name="time">The clock of time-outs and delays.</param>
    /// <param name="random">For the jitter of delays; used by this store only, or thread-safe.</param>
    public FailoverStore(Func<IReadOnlyList<IClusterStore>> candidates, TimeProvider time, RandomSource random)
    {
        (_candidates, _time, _random) = (candidates, time, random);
        Replica = new FailoverReplica(this);
    }

    /// <inheritdoc/>
    public IStoreReader Replica { get; }

    /// <summary>The candidate that is used now; null if there is none at all.</summary>
    public IClusterStore? Current => Order() is [var first, ..] ? first : null;

    /// <inheritdoc/>
    public ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken = default) =>
        ReadAsync((store, token) => store.GetAsync(key, token), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<StoreRange> RangeAsync(string prefix, CancellationToken cancellationToken = default) =>
        RangeAsync((store, token) => store.RangeAsync(prefix, token), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<StoreCommit> TransactAsync(StoreTransaction transaction, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(transaction);
        transaction.Validate();
        return CallAsync(
            (store, token) => store.TransactAsync(transaction, token), isRepeatable: false,
            [.. Order().Select(candidate => (candidate, TransactTimeout))], cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<StoreLease> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default) =>
        // Granted twice, the one that nobody knows of ends by itself.
        ReadAsync((store, token) => store.GrantLeaseAsync(timeToLive, token), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<TimeSpan?> KeepLeaseAsync(long lease, CancellationToken cancellationToken = default) =>
        ReadAsync((store, token) => store.KeepLeaseAsync(lease, token), cancellationToken);

    /// <inheritdoc/>
    public async ValueTask RevokeLeaseAsync(long lease, CancellationToken cancellationToken = default) =>
        await ReadAsync(
            async (store, token) =>
            {
                await store.RevokeLeaseAsync(lease, token).ConfigureAwait(false);
                return true;
            },
            cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoreChanges> WatchAsync(
        string prefix, long fromRevision, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposing.Token);
        long next = Math.Max(1, fromRevision);
        int failedInRow = 0;
        TimeSpan delay = s_delayMin;
        while (true)
        {
            // In this order: that another candidate is chosen after this reading must be seen.
            CancellationToken choosing = Volatile.Read(ref _choosing).Token;
            IReadOnlyList<IClusterStore> order = Order();
            long opened = _time.GetTimestamp();
            if (order.Count > 0)
            {
                using var leaving = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token, choosing);
                IAsyncEnumerator<StoreChanges> watch = order[0].WatchAsync(prefix, next, leaving.Token).GetAsyncEnumerator(leaving.Token);
                bool hasFailed;
                await using (watch.ConfigureAwait(false))
                {
                    while (true)
                    {
                        (StoreChanges? changes, hasFailed) = await TryNextAsync(watch, choosing, stopping.Token).ConfigureAwait(false);
                        if (changes is null)
                            break;
                        failedInRow = 0;
                        delay = s_delayMin;
                        if (changes.Revision < next)
                            continue;
                        next = changes.Revision + 1;
                        yield return changes;
                    }
                }

                if (hasFailed)
                    await LeaveAsync(order[0]).ConfigureAwait(false);
                else
                    continue;
            }

            // A watch that went on for a while without changes was a good one.
            if (_time.GetElapsedTime(opened) > s_delayMax)
                (failedInRow, delay) = (0, s_delayMin);
            if (++failedInRow < order.Count)
                continue;
            await Task.Delay(Jitter(delay), _time, stopping.Token).ConfigureAwait(false);
            (failedInRow, delay) = (0, delay * 2 < s_delayMax ? delay * 2 : s_delayMax);
        }
    }

    /// <summary>Ends all watches. The candidates stay.</summary>
    public async ValueTask DisposeAsync()
    {
        await _disposing.CancelAsync().ConfigureAwait(false);
        Task probing;
        lock (_lock)
            probing = _probing;
        await probing.ConfigureAwait(false);
    }

    private IReadOnlyList<IClusterStore> Order()
    {
        IReadOnlyList<IClusterStore> candidates = _candidates();
        lock (_lock)
            return _choice.Order(candidates);
    }

    private ValueTask<T> ReadAsync<T>(Func<IClusterStore, CancellationToken, ValueTask<T>> call, CancellationToken cancellationToken) =>
        CallAsync(call, isRepeatable: true, [.. Order().Select(candidate => (candidate, ReadTimeout))], cancellationToken);

    private ValueTask<StoreRange> RangeAsync(
        Func<IClusterStore, CancellationToken, ValueTask<StoreRange>> call, CancellationToken cancellationToken)
    {
        // Many keys over a slow link take longer than a server needs to show that it is there: at last, one candidate gets the time.
        IReadOnlyList<IClusterStore> order = Order();
        return CallAsync(
            call, isRepeatable: true,
            [.. order.Select(candidate => (candidate, ReadTimeout)), .. order.Take(1).Select(candidate => (candidate, LongReadTimeout))],
            cancellationToken);
    }

    private async ValueTask<T> CallAsync<T>(
        Func<IClusterStore, CancellationToken, ValueTask<T>> call, bool isRepeatable,
        IReadOnlyList<(IClusterStore Candidate, TimeSpan Timeout)> attempts, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposing.IsCancellationRequested, this);
        // Whoever is asked twice has the last word.
        var reasons = new OrderedDictionary<IClusterStore, string>(ReferenceEqualityComparer.Instance);
        bool hadNoEffect = true;
        foreach ((IClusterStore candidate, TimeSpan timeout) in attempts)
        {
            try
            {
                T result = await WithinAsync(call, candidate, timeout, cancellationToken).ConfigureAwait(false);
                if (!ReferenceEquals(candidate, attempts[0].Candidate))
                    await LeaveAsync(attempts[0].Candidate, candidate, _candidates()).ConfigureAwait(false);
                return result;
            }
            catch (StoreUnavailableException exception)
            {
                reasons[candidate] = Reason(candidate, exception);
                hadNoEffect &= exception.HadNoEffect;
                if (isRepeatable || exception.HadNoEffect)
                    continue;
                await LeaveAsync(candidate).ConfigureAwait(false);
                throw new StoreUnavailableException(
                    $"Whether the transaction happened is unknown; look before you try again. {Reason(candidate, exception)}", exception);
            }
        }

        throw new StoreUnavailableException(
            reasons.Count == 0 ? "No server of the cluster is known." : $"No server can answer for the cluster store: {string.Join("; ", reasons.Values.Select(reason => reason.TrimEnd('.')))}.")
        {
            HadNoEffect = hadNoEffect,
        };
    }

    // What another server says names it already.
    private static string Reason(IClusterStore candidate, StoreUnavailableException exception) =>
        exception.Message.StartsWith($"{candidate} ", StringComparison.Ordinal) ? exception.Message : $"{candidate}: {exception.Message}";

    /// <summary>One call to one candidate. Whatever is wrong with the candidate becomes a <see cref="StoreUnavailableException"/>.</summary>
    private async ValueTask<T> WithinAsync<T>(
        Func<IClusterStore, CancellationToken, ValueTask<T>> call, IClusterStore candidate, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var expiring = new CancellationTokenSource(timeout, _time);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _disposing.Token, expiring.Token);
        try
        {
            // Also if the candidate does not listen to the token.
            return await call(candidate, ending.Token).AsTask().WaitAsync(ending.Token).ConfigureAwait(false);
        }
        catch (ObjectDisposedException exception) when (!_disposing.IsCancellationRequested)
        {
            throw new StoreUnavailableException("it was closed.", exception);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested && !_disposing.IsCancellationRequested)
        {
            throw new StoreUnavailableException(
                expiring.IsCancellationRequested ? $"no answer within {timeout.TotalSeconds} s." : "it has given the call up.", exception);
        }
    }

    /// <summary>The next changes, or none if the candidate has failed or another one was chosen.</summary>
    private static async ValueTask<(StoreChanges? Changes, bool HasFailed)> TryNextAsync(
        IAsyncEnumerator<StoreChanges> watch, CancellationToken choosing, CancellationToken stopping)
    {
        try
        {
            return await watch.MoveNextAsync().ConfigureAwait(false) ? (watch.Current, false) : (null, true);
        }
        catch (OperationCanceledException) when (choosing.IsCancellationRequested && !stopping.IsCancellationRequested)
        {
            return (null, false);
        }
        catch (Exception exception) when (exception is StoreUnavailableException or OperationCanceledException or ObjectDisposedException)
        {
            stopping.ThrowIfCancellationRequested();
            return (null, true);
        }
    }

    /// <summary>Leaves a candidate that has failed for the next in the list, unless another was chosen already.</summary>
    private async ValueTask LeaveAsync(IClusterStore failed)
    {
        IReadOnlyList<IClusterStore> candidates = _candidates();
        if (candidates.Count > 0)
            await LeaveAsync(failed, FailoverChoice<IClusterStore>.Next(failed, candidates), candidates).ConfigureAwait(false);
    }

    private async ValueTask LeaveAsync(IClusterStore failed, IClusterStore to, IReadOnlyList<IClusterStore> candidates)
    {
        CancellationTokenSource chosen;
        lock (_lock)
        {
            if (candidates.Count == 0 || !_choice.Leave(failed, to, candidates))
                return;
            chosen = Interlocked.Exchange(ref _choosing, new CancellationTokenSource());
            if (!_isProbing && !_disposing.IsCancellationRequested)
            {
                _isProbing = true;
                _probing = ProbeAsync();
            }
        }

        await chosen.CancelAsync().ConfigureAwait(false);
    }

    /// <summary>Asks the more preferred candidates now and then, until the most preferred one is in use.</summary>
    private async Task ProbeAsync()
    {
        try
        {
            while (true)
            {
                await Task.Delay(ProbeInterval, _time, _disposing.Token).ConfigureAwait(false);
                IReadOnlyList<IClusterStore> candidates = _candidates();
                IReadOnlyList<IClusterStore> better;
                lock (_lock)
                {
                    better = _choice.Better(candidates);
                    if (better.Count == 0)
                    {
                        _isProbing = false;
                        return;
                    }
                }

                foreach (IClusterStore candidate in better)
                {
                    if (await AnswersAsync(candidate).ConfigureAwait(false) && GoBack(candidate, candidates) is { } chosen)
                    {
                        await chosen.CancelAsync().ConfigureAwait(false);
                        break;
                    }
                }
            }
        }
        catch (OperationCanceledException) when (_disposing.IsCancellationRequested)
        {
            // The store is closed.
        }
    }

    /// <summary>Uses a candidate again. What is returned ends the watches elsewhere, which then begin anew here.</summary>
    private CancellationTokenSource? GoBack(IClusterStore to, IReadOnlyList<IClusterStore> candidates)
    {
        lock (_lock)
            return _choice.GoBack(to, candidates) ? Interlocked.Exchange(ref _choosing, new CancellationTokenSource()) : null;
    }

    private async ValueTask<bool> AnswersAsync(IClusterStore candidate)
    {
        try
        {
            await WithinAsync((store, token) => store.GetAsync(ProbeKey, token), candidate, ReadTimeout, _disposing.Token).ConfigureAwait(false);
            return true;
        }
        catch (StoreUnavailableException)
        {
            return false;
        }
    }

    private TimeSpan Jitter(TimeSpan delay)
    {
        lock (_lock)
            return (delay / 2) + (delay / 2 * (_random.NextBelow(1_000) / 1_000.0));
    }

    private sealed class FailoverReplica(FailoverStore store) : IStoreReader
    {
        public ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken = default) =>
            store.ReadAsync((candidate, token) => candidate.Replica.GetAsync(key, token), cancellationToken);

        public ValueTask<StoreRange> RangeAsync(string prefix, CancellationToken cancellationToken = default) =>
            store.RangeAsync((candidate, token) => candidate.Replica.RangeAsync(prefix, token), cancellationToken);
    }
}
