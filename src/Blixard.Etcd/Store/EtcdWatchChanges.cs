using Blixard.Cluster.Store;
using Blixard.Etcd.Client;
using Blixard.Etcd.Wire;

namespace Blixard.Etcd.Store;

/// <summary>
/// Makes whole revisions out of the responses of one watch. etcd puts all events of a revision into one response, with those of
/// others perhaps, and cuts only responses that grow too large ("fragments"), anywhere; so the last revision of a fragment waits
/// for the next response. Not thread-safe.
/// </summary>
/// <param name="from">The store's revision that the watch shall begin at; events of earlier ones are dropped.</param>
internal sealed class EtcdWatchChanges(long from)
{
    private readonly List<StoreChange> _collected = [];
    private long _revision;
    private long _next = from;

    /// <summary>The revisions that are whole after this response, each once and in order.</summary>
    /// <exception cref="StoreCompactedException">etcd ended the watch because the revisions are no longer kept.</exception>
    /// <exception cref="StoreUnavailableException">etcd ended the watch.</exception>
    public IReadOnlyList<StoreChanges> Add(WatchResponse response)
    {
        if (response.Canceled)
            throw Ended(response);
        var whole = new List<StoreChanges>();
        foreach (Event change in response.Events)
        {
            long revision = EtcdRevision.ToStore(change.Kv.ModRevision);
            if (revision < _next)
                continue;
            if (revision != _revision)
                Complete(whole);
            _revision = revision;
            _collected.Add(EtcdMessages.ToChange(change));
        }

        if (!response.Fragment)
            Complete(whole);
        return whole;
    }

    private void Complete(List<StoreChanges> whole)
    {
        if (_collected.Count == 0)
            return;
        whole.Add(new StoreChanges(_revision, [.. _collected]));
        _next = _revision + 1;
        _collected.Clear();
    }

    private static Exception Ended(WatchResponse response) => response.CompactRevision > 0
        ? new StoreCompactedException(OldestAfterCompaction(response.CompactRevision))
        : EtcdFailures.ToStore(new EtcdException(
            response.CancelReason.Length == 0 ? EtcdErrorKind.WatchCanceled : EtcdException.KindOf(response.CancelReason), response.CancelReason));

    /// <summary>The first revision of the store that can be watched whole after a compaction: the one after it, since etcd up to
    /// 3.4.33 and 3.5.15 forgets the deletions of the compaction's own revision.</summary>
    internal static long OldestAfterCompaction(long etcdRevision) => EtcdRevision.ToStore(etcdRevision + 1);
}
