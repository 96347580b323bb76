using System.Diagnostics.Metrics;
using Blixard.Etcd.Metrics;

namespace Blixard.Node.Metrics;

/// <summary>This server's part in Raft as numbers: meter "Blixard.Raft". Thread-safe.</summary>
/// <remarks>What etcd says of its disk is observed as pairs of counters, time and number, so that any window has its mean; the
/// whole distributions stand on <c>/metrics</c> as etcd tells them.</remarks>
internal sealed class RaftMetrics
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Blixard.Raft";

    private readonly Counter<long> _leaderChanges;
    private RaftNumbers? _numbers;
    private EtcdPage _page = EtcdPage.Empty;

    /// <summary>Nothing to tell yet.</summary>
    /// <param name="meters">The node's meters.</param>
    public RaftMetrics(NodeMeters meters)
    {
        Meter meter = meters.Create(new MeterOptions(MeterName));
        _leaderChanges = meter.CreateCounter<long>("blixard.raft.leader_changes", "{change}", "How often this server saw another leader, or a new term of the same.");
        Gauge(meter, "blixard.raft.term", "", "The Raft term.", numbers => (long)numbers.Term);
        Gauge(meter, "blixard.raft.applied_index", "", "The last log entry that this server's etcd has applied.", numbers => (long)numbers.AppliedIndex);
        Gauge(meter, "blixard.raft.has_leader", "", "Whether this server's etcd knows a leader: 1 or 0.", numbers => numbers.HasLeader ? 1 : 0);
        Gauge(meter, "blixard.raft.is_leader", "", "Whether this server's etcd leads: 1 or 0.", numbers => numbers.IsLeader ? 1 : 0);
        Gauge(meter, "blixard.raft.database.size", "By", "The size of etcd's database file.", numbers => (long)numbers.DatabaseBytes);
        Time(meter, "blixard.raft.fsync", "etcd_disk_wal_fsync_duration_seconds", "syncs of etcd's log to the disk");
        Time(meter, "blixard.raft.commit", "etcd_disk_backend_commit_duration_seconds", "commits of etcd's database to the disk");
    }

    /// <summary>What etcd said last.</summary>
    public void Update(RaftNumbers numbers) => Volatile.Write(ref _numbers, numbers);

    /// <summary>What its page of numbers said last.</summary>
    public void Update(EtcdPage page) => Volatile.Write(ref _page, page);

    /// <summary>There is another leader, or the same in a new term.</summary>
    public void LeaderChanged() => _leaderChanges.Add(1);

    private void Gauge(Meter meter, string name, string unit, string description, Func<RaftNumbers, long> value) => meter.CreateObservableGauge(
        name, () => Volatile.Read(ref _numbers) is { } numbers ? [new Measurement<long>(value(numbers))] : Array.Empty<Measurement<long>>(), unit, description);

    private void Time(Meter meter, string name, string series, string what)
    {
        meter.CreateObservableCounter($"{name}.time", () => Of(series + "_sum"), "s", $"Time of all {what}.");
        meter.CreateObservableCounter($"{name}.count", () => Of(series + "_count"), "", $"Number of {what}.");
    }

    private Measurement<double>[] Of(string series) => Volatile.Read(ref _page)[series] is { } value ? [new Measurement<double>(value)] : [];
}

/// <summary>What a server's etcd said of itself at one moment.</summary>
/// <param name="Term">The Raft term; 0 = not known.</param>
/// <param name="AppliedIndex">The last log entry that it has applied; 0 = not known.</param>
/// <param name="HasLeader">Whether it knows a leader.</param>
/// <param name="IsLeader">Whether it is the leader.</param>
/// <param name="DatabaseBytes">The size of its database file.</param>
internal sealed record RaftNumbers(ulong Term, ulong AppliedIndex, bool HasLeader, bool IsLeader, ulong DatabaseBytes);
