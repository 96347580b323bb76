using Blixard.Etcd.Client;
using Blixard.Etcd.Membership;
using Blixard.Etcd.Process;
using Blixard.V1;
using Google.Protobuf;
using Iroh.Base;
using EtcdMember = Blixard.Etcd.Wire.Member;
using EtcdStatus = Blixard.Etcd.Wire.StatusResponse;

namespace Blixard.Node.Raft;

/// <summary>What this node's etcd said last.</summary>
/// <param name="Report">As others get it.</param>
/// <param name="IsLeader">Whether it is the leader.</param>
/// <param name="Leader">The leader; null if it knows none.</param>
/// <param name="Members">All members of the Raft group as it knows them; empty before it has answered.</param>
internal sealed record RaftView(RaftReport Report, bool IsLeader, EndpointId? Leader, IReadOnlyList<EtcdMember> Members);

/// <summary>Asks this node's etcd how it is, again and again. Thread-safe.</summary>
internal sealed class RaftObserver : IAsyncDisposable
{
    // A new leader is known to people, and to what only the leader does, within this time. A status costs etcd some 100 µs.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    private static readonly EtcdCallOptions Patience = new() { Timeout = TimeSpan.FromSeconds(1) };

    private readonly EtcdServer _server;
    private readonly EtcdClient _client;
    private readonly EndpointId _self;
    private readonly Action<RaftView, RaftView> _onView;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;
    private RaftView _current = new(new RaftReport { Role = RaftRole.Unstarted, Reason = "etcd starts" }, false, null, []);

    /// <summary>Begins to ask.</summary>
    /// <param name="server">The process.</param>
    /// <param name="client">Calls it.</param>
    /// <param name="self">This node.</param>
    /// <param name="onView">Told of each answer with the one before it; must not throw.</param>
    /// <param name="time">The clock.</param>
    public RaftObserver(EtcdServer server, EtcdClient client, EndpointId self, Action<RaftView, RaftView> onView, TimeProvider time)
    {
        (_server, _client, _self, _onView, _time) = (server, client, self, onView, time);
        _loop = Task.Run(RunAsync);
    }

    /// <summary>What it said last.</summary>
    public RaftView Current => Volatile.Read(ref _current);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(Interval, _time);
        try
        {
            do
            {
                RaftView view = await LookAsync().ConfigureAwait(false), before = Current;
                Volatile.Write(ref _current, view);
                _onView(before, view);
            }
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private async Task<RaftView> LookAsync()
    {
        EtcdServerStatus process = _server.Status;
        RaftView before = Current;
        if (process.State != EtcdServerState.Serving)
            return before with { Report = Unstarted(process), IsLeader = false, Leader = null };
        try
        {
            EtcdStatus status = await _client.StatusAsync(Patience, _stopping.Token).ConfigureAwait(false);
            IReadOnlyList<EtcdMember> members = await TryListAsync(before.Members, status.IsLearner).ConfigureAwait(false);
            EndpointId? leader = IdOf(members.FirstOrDefault(member => member.ID == status.Leader));
            bool isLeader = status.Leader != 0 && status.Leader == status.Header.MemberId;
            return new RaftView(Report(status, isLeader, leader ?? (isLeader ? _self : null)), isLeader, leader ?? (isLeader ? _self : null), members);
        }
        catch (EtcdException e)
        {
            return before with
            {
                Report = new RaftReport { Role = RaftRole.Unstarted, Reason = $"etcd does not answer: {e.Message}", Version = before.Report.Version },
                IsLeader = false,
                Leader = null,
            };
        }
    }

    // A learner does not tell who is there.
    private async Task<IReadOnlyList<EtcdMember>> TryListAsync(IReadOnlyList<EtcdMember> before, bool isLearner)
    {
        if (isLearner)
            return before;
        try
        {
            return await _client.ListMembersAsync(Patience, _stopping.Token).ConfigureAwait(false);
        }
        catch (EtcdException)
        {
            return before;
        }
    }

    private static RaftReport Report(EtcdStatus status, bool isLeader, EndpointId? leader) => new()
    {
        Role = status.IsLearner ? RaftRole.Learner : isLeader ? RaftRole.Leader : RaftRole.Follower,
        Healthy = status.Leader != 0 && status.Errors.Count == 0,
        Reason = status.Leader == 0 ? "it knows no leader" : string.Join("; ", status.Errors),
        Term = status.RaftTerm,
        AppliedIndex = status.RaftAppliedIndex,
        Leader = leader is { } id ? ByteString.CopyFrom(id.Span) : ByteString.Empty,
        DbSize = (ulong)Math.Max(0, status.DbSize),
        Version = status.Version,
    };

    private RaftReport Unstarted(EtcdServerStatus process) => new()
    {
        Role = RaftRole.Unstarted,
        Version = _server.Program.Version.ToString(),
        Reason = process.State switch
        {
            EtcdServerState.Starting => Join("etcd has not begun to serve", process.Reason),
            EtcdServerState.BackingOff => Join("etcd ended and is started again", process.Reason),
            EtcdServerState.Removed => Join("etcd was removed from the cluster", process.Reason),
            _ => "etcd is stopped",
        },
    };

    private static string Join(string what, string why) => why.Length > 0 ? $"{what}: {why}" : what;

    private static EndpointId? IdOf(EtcdMember? member) =>
        member is { PeerURLs.Count: > 0 } && EtcdMembership.TryReadPeerUrl(member.PeerURLs[0], out EndpointId id) ? id : null;
}
