using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Blixard.Cluster.Store;
using Blixard.V1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Iroh.Base;

namespace Blixard.Cluster.Liveness;

/// <summary>
/// Which nodes live, as records of the store: <c>/nodes/&lt;id in hex&gt;/alive</c> hangs on the lease of the node, which puts it;
/// <c>/nodes/&lt;id in hex&gt;/lost</c> holds since when it is gone, which a controller puts, so that all see the same time. Thread-safe.
/// </summary>
public sealed class LivenessRecords
{
    /// <summary>Where the records are.</summary>
    public const string Prefix = "/nodes/";

    private const string AliveSuffix = "/alive";
    private const string LostSuffix = "/lost";

    private readonly IClusterStore _store;
    private readonly TimeProvider _time;

    /// <summary>The records in a store.</summary>
    /// <param name="store">Stays the caller's.</param>
    /// <param name="time">The clock for times in records.</param>
    public LivenessRecords(IClusterStore store, TimeProvider time) => (_store, _time) = (store, time);

    /// <summary>The key that is there while a node lives.</summary>
    public static string AliveKey(EndpointId id) => $"{Prefix}{id}{AliveSuffix}";

    /// <summary>
    /// Puts a node's alive key on a lease; where it hung before does not matter any more. A call that was given up and carried out late
    /// does nothing once a later one has succeeded: it would hang the key on a lease that nobody renews.
    /// </summary>
    /// <returns>False if the key was written by another call meanwhile: try again.</returns>
    /// <exception cref="StoreLeaseNotFoundException">The lease is gone.</exception>
    public async Task<bool> TryPutAliveAsync(EndpointId id, NodeAlive alive, long lease, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(alive);
        string key = AliveKey(id);
        StoreEntry? before = await _store.GetAsync(key, cancellationToken).ConfigureAwait(false);
        StoreComparison unchanged = before is null ? new StoreComparison.Absent(key) : new StoreComparison.ModRevision(key, before.ModRevision);
        StoreCommit commit = await _store.TransactAsync(
            new StoreTransaction([unchanged], [new StoreOperation.Put(key, alive.ToByteArray(), lease)]), cancellationToken).ConfigureAwait(false);
        return commit.Succeeded;
    }

    /// <summary>Records that a node is lost, unless it is recorded already or lives.</summary>
    /// <returns>Whether it is recorded now by this call.</returns>
    public async Task<bool> MarkLostAsync(EndpointId id, string name, CancellationToken cancellationToken = default)
    {
        var lost = new NodeLost { Name = name, Since = Timestamp.FromDateTimeOffset(_time.GetUtcNow()) };
        StoreCommit commit = await _store.TransactAsync(
            new StoreTransaction(
                [new StoreComparison.Absent(AliveKey(id)), new StoreComparison.Absent(LostKey(id))],
                [new StoreOperation.Put(LostKey(id), lost.ToByteArray())]),
            cancellationToken).ConfigureAwait(false);
        return commit.Succeeded;
    }

    /// <summary>Removes the record of a loss: the node lives again, or is no member any more.</summary>
    public async Task ClearLostAsync(EndpointId id, CancellationToken cancellationToken = default) =>
        await _store.TransactAsync(new StoreTransaction([], [new StoreOperation.Delete(LostKey(id))]), cancellationToken).ConfigureAwait(false);

    /// <summary>Who lives and who is lost now.</summary>
    public async Task<LivenessView> ReadAsync(CancellationToken cancellationToken = default)
    {
        var view = LivenessView.Empty;
        foreach (StoreEntry entry in (await _store.RangeAsync(Prefix, cancellationToken).ConfigureAwait(false)).Entries)
            view = Apply(view, new StoreChange(entry.Key, entry));
        return view;
    }

    /// <summary>Who lives and who is lost, now and after each change. Without end; waits out a store that cannot answer.</summary>
    public async IAsyncEnumerable<LivenessView> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var view = LivenessView.Empty;
        await foreach (PrefixUpdate update in _store.FollowAsync(Prefix, _time, cancellationToken).ConfigureAwait(false))
        {
            foreach (StoreChange change in update.Changes)
                view = Apply(view, change);
            yield return view;
        }
    }

    private static string LostKey(EndpointId id) => $"{Prefix}{id}{LostSuffix}";

    private static LivenessView Apply(LivenessView view, StoreChange change)
    {
        string[] parts = change.Key[Prefix.Length..].Split('/');
        if (parts.Length != 2 || !EndpointId.TryParse(parts[0], out EndpointId id))
            return view;
        return $"/{parts[1]}" switch
        {
            AliveSuffix => view with
            {
                Alive = change.Entry is { } entry && RecordReader.TryRead(NodeAlive.Parser, entry, out NodeAlive? alive)
                    ? view.Alive.SetItem(id, alive)
                    : change.Entry is null ? view.Alive.Remove(id) : view.Alive.SetItem(id, new NodeAlive()),
            },
            LostSuffix => view with
            {
                Recorded = change.Entry is { } entry && RecordReader.TryRead(NodeLost.Parser, entry, out NodeLost? lost) && lost.Since is not null
                    ? view.Recorded.SetItem(id, lost)
                    : view.Recorded.Remove(id),
            },
            _ => view,
        };
    }
}

/// <summary>Who lives and who is lost. Immutable.</summary>
/// <param name="Alive">The nodes whose alive key is there.</param>
/// <param name="Recorded">The nodes whose loss is recorded; those of them that live again are not lost any more.</param>
public sealed record LivenessView(ImmutableDictionary<EndpointId, NodeAlive> Alive, ImmutableDictionary<EndpointId, NodeLost> Recorded)
{
    /// <summary>Nobody.</summary>
    public static LivenessView Empty { get; } =
        new(ImmutableDictionary<EndpointId, NodeAlive>.Empty, ImmutableDictionary<EndpointId, NodeLost>.Empty);

    /// <summary>Since when a node is lost; null if it is not.</summary>
    public DateTimeOffset? LostSince(EndpointId id) =>
        !Alive.ContainsKey(id) && Recorded.TryGetValue(id, out NodeLost? lost) ? lost.Since.ToDateTimeOffset() : null;
}
