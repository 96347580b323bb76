using Blixard.Cluster.Store;
using Iroh.Cryptography;

namespace Blixard.Cluster.Tests.Store;

/// <summary>What a <see cref="FaultyStore"/> does wrong now and then.</summary>
public enum StoreFault
{
    None,

    /// <summary>A read answers what the key held before its last write.</summary>
    StaleRead,

    /// <summary>A transaction is acknowledged and not done.</summary>
    DroppedCommit,

    /// <summary>A transaction that was done is done again later.</summary>
    AppliedTwice,

    /// <summary>A transaction is done although its comparisons do not hold.</summary>
    IgnoredComparison,

    /// <summary>A transaction that was refused is done later.</summary>
    RefusedAndDone,

    /// <summary>A key that was deleted comes back.</summary>
    Resurrection,
}

/// <summary>A store with a planted fault, to show that a check of histories sees it. The inner store stays the caller's.</summary>
internal sealed class FaultyStore(IClusterStore inner, StoreFault fault, ulong seed) : IClusterStore
{
    private readonly SeededRandomSource _random = new(seed);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, StoreEntry?> _before = new(StringComparer.Ordinal);
    private StoreTransaction? _again;

    public IStoreReader Replica => inner.Replica;

    public async ValueTask<StoreEntry?> GetAsync(string key, CancellationToken cancellationToken = default)
    {
        lock (_lock)
        {
            if (fault == StoreFault.StaleRead && _before.TryGetValue(key, out StoreEntry? before) && IsNow())
                return before;
        }

        return await inner.GetAsync(key, cancellationToken);
    }

    public ValueTask<StoreRange> RangeAsync(string prefix, CancellationToken cancellationToken = default) => inner.RangeAsync(prefix, cancellationToken);

    public async ValueTask<StoreCommit> TransactAsync(StoreTransaction transaction, CancellationToken cancellationToken = default)
    {
        string key = transaction.Operations[0].Key;
        StoreEntry? before = await inner.GetAsync(key, cancellationToken);
        StoreTransaction? again = null;
        bool isNow;
        lock (_lock)
        {
            _before[key] = before;
            isNow = IsNow();
            if (isNow)
                (again, _again) = (_again, null);
        }

        if (again is not null)
            await inner.TransactAsync(again with { Comparisons = [] }, cancellationToken);
        switch (fault)
        {
            case StoreFault.DroppedCommit when isNow:
                return new StoreCommit(true, (await inner.RangeAsync("", cancellationToken)).Revision + 1, []);
            case StoreFault.IgnoredComparison when isNow:
                return await inner.TransactAsync(transaction with { Comparisons = [] }, cancellationToken);
        }

        StoreCommit commit = await inner.TransactAsync(transaction, cancellationToken);
        lock (_lock)
        {
            if ((fault == StoreFault.AppliedTwice && commit.Succeeded) || (fault == StoreFault.RefusedAndDone && !commit.Succeeded))
                _again ??= transaction;
            if (fault == StoreFault.Resurrection && before is not null && transaction.Operations[0] is StoreOperation.Delete)
                _again ??= new StoreTransaction([], [new StoreOperation.Put(key, before.Value)]);
        }

        return commit;
    }

    public IAsyncEnumerable<StoreChanges> WatchAsync(string prefix, long fromRevision, CancellationToken cancellationToken = default) =>
        inner.WatchAsync(prefix, fromRevision, cancellationToken);

    public ValueTask<StoreLease> GrantLeaseAsync(TimeSpan timeToLive, CancellationToken cancellationToken = default) =>
        inner.GrantLeaseAsync(timeToLive, cancellationToken);

    public ValueTask<TimeSpan?> KeepLeaseAsync(long lease, CancellationToken cancellationToken = default) => inner.KeepLeaseAsync(lease, cancellationToken);

    public ValueTask RevokeLeaseAsync(long lease, CancellationToken cancellationToken = default) => inner.RevokeLeaseAsync(lease, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private bool IsNow() => _random.NextBelow(4) == 0;
}
