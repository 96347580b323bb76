using Blixard.Cluster.Store;
using Blixard.Etcd.Client;
using Blixard.Etcd.Wire;

namespace Blixard.Etcd.Store;

/// <summary>
/// Lets etcd forget old history: of <see cref="SqliteStore.HistoryRevisionsMax"/> revisions everything is kept for watches, as a
/// single server does. It runs beside every member and acts where its member leads, so one of them does the work. Not thread-safe.
/// </summary>
public sealed class EtcdCompactor
{
    /// <summary>How often it looks: between two looks a busy cluster writes fewer revisions than are kept.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    // Compaction rewrites an index of all keys, so it is done in steps and not for every write.
    private const int Step = 1_000;

    private readonly EtcdClient _client;
    private readonly TimeProvider _time;
    private readonly int _historyRevisionsMax;
    private readonly int _step;
    private long _compacted;

    /// <summary>A compactor; it does nothing by itself.</summary>
    /// <param name="client">Calls this server's member; stays the caller's.</param>
    /// <param name="time">The clock of the looks.</param>
    public EtcdCompactor(EtcdClient client, TimeProvider time)
        : this(client, time, SqliteStore.HistoryRevisionsMax, Step)
    {
    }

    internal EtcdCompactor(EtcdClient client, TimeProvider time, int historyRevisionsMax, int step)
    {
        ArgumentNullException.ThrowIfNull(client);
        (_client, _time, _historyRevisionsMax, _step) = (client, time, historyRevisionsMax, step);
    }

    /// <summary>Looks at every <see cref="Interval"/> until it is cancelled, which ends it with
    /// <see cref="OperationCanceledException"/>. Failures of etcd are left to the next look.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Interval, _time);
        while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false))
        {
            try
            {
                await CompactAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (EtcdException)
            {
                // The member is down, or cut off. What was not compacted now is compacted later.
            }
        }
    }

    /// <summary>Compacts if the member leads and a step is due.</summary>
    /// <returns>Whether it compacted.</returns>
    /// <exception cref="EtcdException">etcd did not answer or refused.</exception>
    public async Task<bool> CompactAsync(CancellationToken cancellationToken)
    {
        StatusResponse status = await _client.StatusAsync(null, cancellationToken).ConfigureAwait(false);
        if (status.Leader != status.Header.MemberId || Due(status.Header.Revision, _compacted, _historyRevisionsMax, _step) is not { } revision)
            return false;
        try
        {
            await _client.CompactAsync(revision, null, cancellationToken).ConfigureAwait(false);
        }
        catch (EtcdException failure) when (failure.Kind == EtcdErrorKind.Compacted)
        {
            // An earlier leader did it.
        }

        _compacted = revision;
        return true;
    }

    /// <summary>The revision to compact at, if a step is due. After it the newest <paramref name="kept"/> revisions can be watched
    /// whole (see <see cref="EtcdWatchChanges.OldestAfterCompaction"/>).</summary>
    internal static long? Due(long etcdRevision, long compacted, int kept, int step)
    {
        long revision = etcdRevision - kept;
        return revision >= compacted + step ? revision : null;
    }
}
