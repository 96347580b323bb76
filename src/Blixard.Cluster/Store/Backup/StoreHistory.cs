using System.Runtime.CompilerServices;

namespace Blixard.Cluster.Store.Backup;

/// <summary>Everything that a store holds as of one revision: its keys and the changes that it still keeps for watches.</summary>
/// <param name="Entries">All keys, in order.</param>
/// <param name="Revision">The store's revision.</param>
/// <param name="OldestRevision">The first revision whose changes are kept, from 1; <paramref name="Revision"/> + 1 if none is.</param>
/// <param name="Changes">Every change from <paramref name="OldestRevision"/> to <paramref name="Revision"/>, in order; read once.</param>
public sealed record StoreHistory(
    IReadOnlyList<StoreEntry> Entries, long Revision, long OldestRevision, IAsyncEnumerable<StoreChanges> Changes)
{
    /// <summary>Keys without any history, as a backup holds them.</summary>
    public static StoreHistory WithoutChanges(IReadOnlyList<StoreEntry> entries, long revision) =>
        new(entries, revision, revision + 1, NoChanges());

    /// <summary>Reads a store that nobody writes to meanwhile.</summary>
    /// <param name="store">Stays the caller's; it must not be disposed before the changes have been read.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="StoreUnavailableException">The store cannot be read.</exception>
    public static async Task<StoreHistory> OpenAsync(IClusterStore store, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(store);
        StoreRange range = await store.RangeAsync("", cancellationToken).ConfigureAwait(false);
        long oldest = await FindOldestAsync(store, range.Revision, cancellationToken).ConfigureAwait(false);
        return new StoreHistory(range.Entries, range.Revision, oldest, ReadChanges(store, oldest, range.Revision, cancellationToken));
    }

    private static async Task<long> FindOldestAsync(IClusterStore store, long revision, CancellationToken cancellationToken)
    {
        if (revision == 0)
            return 1;
        try
        {
            // The whole key space changes with every revision: a watch from the first answers at once, in one way or the other.
            await foreach (StoreChanges _ in store.WatchAsync("", 1, cancellationToken).ConfigureAwait(false))
                break;
            return 1;
        }
        catch (StoreCompactedException compacted)
        {
            return Math.Min(compacted.OldestRevision, revision + 1);
        }
    }

    private static async IAsyncEnumerable<StoreChanges> ReadChanges(
        IClusterStore store, long oldest, long revision, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (oldest > revision)
            yield break;
        await foreach (StoreChanges step in store.WatchAsync("", oldest, cancellationToken).ConfigureAwait(false))
        {
            yield return step;
            if (step.Revision >= revision)
                yield break;
        }
    }

    private static async IAsyncEnumerable<StoreChanges> NoChanges()
    {
        await Task.CompletedTask.ConfigureAwait(false);
        yield break;
    }
}
