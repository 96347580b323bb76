using System.Runtime.CompilerServices;

namespace Blixard.Cluster.Store;

/// <summary>One step of a <see cref="PrefixWatch"/>.</summary>
/// <param name="Revision">The store revision that this step brings the watcher to.</param>
/// <param name="IsSnapshot">True for the first step: <paramref name="Changes"/> then holds every key there is.</param>
/// <param name="Changes">What is new, changed or gone.</param>
public sealed record PrefixUpdate(long Revision, bool IsSnapshot, IReadOnlyList<StoreChange> Changes);

/// <summary>
/// Follows all keys with a prefix for as long as anybody listens: everything once, then each change. If the store cannot answer
/// it waits and tries again, and if revisions were missed meanwhile it reads everything again and reports the difference.
/// </summary>
public static class PrefixWatch
{
    // The first and the longest delay between attempts at a store that cannot answer: quick after a hiccup, no burden in an
    // outage, and short enough that a store that is back is soon noticed.
    private static readonly TimeSpan s_delayMin = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_delayMax = TimeSpan.FromSeconds(2);

    /// <summary>Follows the keys. It ends only with the enumeration, by the token, or when the store is disposed.</summary>
    /// <param name="store">The store.</param>
    /// <param name="prefix">The prefix.</param>
    /// <param name="time">The clock of the delays.</param>
    /// <param name="cancellationToken">Ends it with <see cref="OperationCanceledException"/>.</param>
    public static async IAsyncEnumerable<PrefixUpdate> FollowAsync(
        this IClusterStore store, string prefix, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(store);
        var known = new Dictionary<string, long>(StringComparer.Ordinal);
        bool isFirst = true;
        TimeSpan delay = s_delayMin;
        while (true)
        {
            if (await TryReadAsync(store, prefix, cancellationToken).ConfigureAwait(false) is { } range)
            {
                List<StoreChange> difference = Differ(known, range);
                if (isFirst || difference.Count > 0)
                    yield return new PrefixUpdate(range.Revision, isFirst, difference);
                isFirst = false;
                await using IAsyncEnumerator<StoreChanges> watch =
                    store.WatchAsync(prefix, range.Revision + 1, cancellationToken).GetAsyncEnumerator(cancellationToken);
                while (await TryMoveNextAsync(watch).ConfigureAwait(false))
                {
                    delay = s_delayMin;
                    Note(known, watch.Current.Changes);
                    yield return new PrefixUpdate(watch.Current.Revision, false, watch.Current.Changes);
                }
            }

            await Task.Delay(delay, time, cancellationToken).ConfigureAwait(false);
            delay = delay * 2 < s_delayMax ? delay * 2 : s_delayMax;
        }
    }

    private static async ValueTask<StoreRange?> TryReadAsync(IClusterStore store, string prefix, CancellationToken cancellationToken)
    {
        try
        {
            return await store.RangeAsync(prefix, cancellationToken).ConfigureAwait(false);
        }
        catch (StoreUnavailableException)
        {
            return null;
        }
    }

    private static async ValueTask<bool> TryMoveNextAsync(IAsyncEnumerator<StoreChanges> watch)
    {
        try
        {
            return await watch.MoveNextAsync().ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is StoreUnavailableException or StoreCompactedException)
        {
            return false;
        }
    }

    private static List<StoreChange> Differ(Dictionary<string, long> known, StoreRange range)
    {
        var changes = new List<StoreChange>();
        var present = new HashSet<string>(StringComparer.Ordinal);
        foreach (StoreEntry entry in range.Entries)
        {
            present.Add(entry.Key);
            if (!known.TryGetValue(entry.Key, out long revision) || revision != entry.ModRevision)
                changes.Add(new StoreChange(entry.Key, entry));
        }

        changes.AddRange(known.Keys.Where(key => !present.Contains(key)).Order(StringComparer.Ordinal).Select(key => new StoreChange(key, null)));
        Note(known, changes);
        return changes;
    }

    private static void Note(Dictionary<string, long> known, IReadOnlyList<StoreChange> changes)
    {
        foreach (StoreChange change in changes)
        {
            if (change.Entry is { } entry)
                known[change.Key] = entry.ModRevision;
            else
                known.Remove(change.Key);
        }
    }
}
