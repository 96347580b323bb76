using System.Runtime.CompilerServices;
using Blixard.Cluster.Store;

namespace Blixard.Cluster.Tests.Store;

/// <summary>What a <see cref="CandidateStore"/> does with calls.</summary>
internal enum CandidateMode
{
    Answers,

    /// <summary>Says that it is unavailable and that nothing happened.</summary>
    Refuses,

    /// <summary>Says that it is unavailable.</summary>
    Fails,

    /// <summary>Does what was asked and then says that it is unavailable.</summary>
    DoesAndFails,

    /// <summary>Never answers, and does not listen to the token of calls either.</summary>
    Hangs,

    Closed,
}

/// <summary>One of several servers of the same store, which a test lets fail. The inner store stays the test's.</summary>
internal sealed class CandidateStore(string name, IClusterStore inner) : IClusterStore, IStoreReader
{
    private CancellationTokenSource _mode = new();
    private int _calls;
    private int _watches;

    /// <summary>Of calls and watches; a watch that is open ends when the mode is changed.</summary>
    public CandidateMode Mode { get; private set; }

    /// <summary>After so many changes every watch ends; null: none does.</summary>
    public int? WatchStepsMax { get; set; }

    /// <summary>Whether a watch repeats the revision before the one it was asked for.</summary>
    public bool RepeatsChanges { get; set; }

    public int Calls => Volatile.Read(ref _calls);

    /// <summary>Watches that are open.</summary>
    public int Watches => Volatile.Read(ref _watches);

    public IStoreReader Replica => this;

    public override string ToString() => name;

    public void Become(CandidateMode mode)
    {
        Mode = mode;
        Interlocked.Exchange(ref _mode, new CancellationTokenSource()).Cancel();
    }

    /// <summary>Watches that are open stay so, as if the engine behind the server stood still.</summary>
    public void FailCallsOnly() => Mode = CandidateMode.Fails;

    public ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken = default) =>
        DoAsync(() => inner.GetAsync(key, cancellationToken));

    public ValueTask<StoreRange> RangeAsync(string prefix, CancellationToken cancellationToken = default) =>
        DoAsync(() => inner.RangeAsync(prefix, cancellationToken));

    public ValueTask<StoreCommit> TransactAsync(StoreTransaction transaction, CancellationToken cancellationToken = default) =>
        DoAsync(() => inner.TransactAsync(transaction, cancellationToken));

    public async IAsyncEnumerable<StoreChanges> WatchAsync(
        string prefix, long fromRevision, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (Mode == CandidateMode.Hangs)
            await Task.Delay(Timeout.Infinite, cancellationToken);
        if (Mode != CandidateMode.Answers)
            throw new StoreUnavailableException($"{Mode}");
        CancellationTokenSource mode = _mode;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, mode.Token);
        Interlocked.Increment(ref _watches);
        try
        {
            int steps = 0;
            await foreach (StoreChanges changes in inner.WatchAsync(prefix, Math.Max(1, fromRevision - (RepeatsChanges ? 1 : 0)), ending.Token))
            {
                if (steps++ == WatchStepsMax)
                    break;
                yield return changes;
            }

            throw new StoreUnavailableException("the watch has ended");
        }
        finally
        {
            Interlocked.Decrement(ref _watches);
        }
    }

    public ValueTask<StoreLease> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default) =>
        DoAsync(() => inner.GrantLeaseAsync(timeToLive, cancellationToken));

    public ValueTask<TimeSpan?> KeepLeaseAsync(long lease, CancellationToken cancellationToken = default) =>
        DoAsync(() => inner.KeepLeaseAsync(lease, cancellationToken));

    public async ValueTask RevokeLeaseAsync(long lease, CancellationToken cancellationToken = default) => await DoAsync(async () =>
    {
        await inner.RevokeLeaseAsync(lease, cancellationToken);
        return true;
    });

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async ValueTask<T> DoAsync<T>(Func<ValueTask<T>> call)
    {
        Interlocked.Increment(ref _calls);
        switch (Mode)
        {
            case CandidateMode.Refuses:
                throw new StoreUnavailableException($"{name} refuses") { HadNoEffect = true };
            case CandidateMode.Fails:
                throw new StoreUnavailableException($"{name} fails");
            case CandidateMode.Hangs:
                await Task.Delay(Timeout.Infinite, CancellationToken.None);
                break;
            case CandidateMode.Closed:
                throw new ObjectDisposedException(name);
        }

        T answer = await call();
        return Mode == CandidateMode.DoesAndFails ? throw new StoreUnavailableException($"{name} fails") : answer;
    }
}
