using System.Threading.Channels;
using Blixard.Cluster.Liveness;
using Blixard.Cluster.Placement;
using Blixard.Cluster.Store;
using Blixard.Node.Membership;
using Blixard.V1;
using Iroh.Base;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Liveness;

/// <summary>
/// Records lost nodes and moves their VMs, on the node that leads. That two nodes take themselves for the leader is harmless: each move is
/// one transaction that finds the VM as it was looked at and its node's alive key absent.
/// </summary>
internal sealed partial class FailoverController : IAsyncDisposable
{
    // How often it is asked who leads, and how often lost nodes and their waiting VMs are looked at again although no node came or went:
    // a VM that was removed or started may have made the difference.
    private static readonly TimeSpan LeaderInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan WaitingInterval = TimeSpan.FromSeconds(5);

    private readonly NodeCluster _cluster;
    private readonly NodeLiveness _liveness;
    private readonly Func<bool> _isLeader;
    private readonly LeaseTimes _times;
    private readonly TimeProvider _time;
    private readonly ILogger<FailoverController> _logger;
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;

    public FailoverController(
        NodeCluster cluster, NodeLiveness liveness, Func<bool> isLeader, LeaseTimes times, TimeProvider time, ILogger<FailoverController> logger)
    {
        (_cluster, _liveness, _isLeader, _times, _time, _logger) = (cluster, liveness, isLeader, times, time, logger);
        liveness.Changed += OnChanged;
        _loop = Task.Run(RunAsync);
    }

    public async ValueTask DisposeAsync()
    {
        _liveness.Changed -= OnChanged;
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private void OnChanged() => _changes.Writer.TryWrite(true);

    private async Task RunAsync()
    {
        LossJudge? judge = null;
        long begun = _time.GetTimestamp();
        try
        {
            while (true)
            {
                TimeSpan wait = LeaderInterval;
                if (!_isLeader())
                    judge = null;
                else
                    wait = await LeadAsync(judge ??= new LossJudge(_times.TimeToLive), _time.GetElapsedTime(begun)).ConfigureAwait(false);
                await WaitAsync(wait).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException && _stopping.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private async Task WaitAsync(TimeSpan wait)
    {
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        await Task.WhenAny(_changes.Reader.WaitToReadAsync(waiting.Token).AsTask(), Task.Delay(wait, _time, waiting.Token)).ConfigureAwait(false);
        _changes.Reader.TryRead(out _);
        await waiting.CancelAsync().ConfigureAwait(false);
        _stopping.Token.ThrowIfCancellationRequested();
    }

    /// <summary>One look; returns when to look again.</summary>
    private async Task<TimeSpan> LeadAsync(LossJudge judge, TimeSpan now)
    {
        IReadOnlyDictionary<EndpointId, Member> members = _cluster.Directory.Current;
        // Not loaded yet: a cluster has members.
        if (members.Count == 0)
            return LeaderInterval;
        LivenessView known = _liveness.Current;
        (IReadOnlySet<EndpointId> lost, TimeSpan? again) = Judge(judge, members, known, now);
        try
        {
            foreach (EndpointId id in known.Recorded.Keys.Where(id => !lost.Contains(id)))
                await _cluster.Liveness.ClearLostAsync(id, _stopping.Token).ConfigureAwait(false);
            foreach (EndpointId id in lost.Where(id => !known.Recorded.ContainsKey(id)))
            {
                if (await _cluster.Liveness.MarkLostAsync(id, members[id].Node.Name, _stopping.Token).ConfigureAwait(false))
                    LogLost(members[id].Node.Name);
            }

            if (lost.Count > 0)
                await MoveAsync(members).ConfigureAwait(false);
        }
        catch (StoreUnavailableException e)
        {
            LogFailed(e.Message);
        }

        TimeSpan wait = lost.Count > 0 ? WaitingInterval : LeaderInterval;
        return again is { } due && due - now < wait ? due - now : wait;
    }

    private static (IReadOnlySet<EndpointId> Lost, TimeSpan? LookAgainAt) Judge(
        LossJudge judge, IReadOnlyDictionary<EndpointId, Member> members, LivenessView view, TimeSpan now) =>
        judge.Judge([.. members.Keys], view.Alive.Keys.ToHashSet(), view.Recorded.Keys.ToHashSet(), now);

    private async Task MoveAsync(IReadOnlyDictionary<EndpointId, Member> members)
    {
        LivenessView view = await _cluster.Liveness.ReadAsync(_stopping.Token).ConfigureAwait(false);
        IReadOnlyList<VmRecord> vms = await _cluster.Vms.ListAsync(_stopping.Token).ConfigureAwait(false);
        IReadOnlyList<FailoverNode> nodes = FailoverFacts.Nodes(members, view, vms, _ => false);
        Dictionary<string, EndpointId> ids = members.ToDictionary(pair => pair.Value.Node.Name, pair => pair.Key, StringComparer.Ordinal);
        foreach (FailoverDecision decision in FailoverPlanner.Plan(nodes, FailoverFacts.Vms(vms)))
        {
            if (decision.To is not { } to)
                continue;
            ulong epoch = vms.Single(vm => vm.Spec.Name == decision.Vm).Status.Epoch;
            try
            {
                if (await _cluster.Vms.MoveAsync(
                    decision.Vm, epoch, ids[decision.From], (to, ids[to]), decision.Reason, _stopping.Token).ConfigureAwait(false))
                    LogMoved(decision.Vm, to, decision.Reason);
            }
            catch (RecordException)
            {
                // Removed meanwhile.
            }
        }
    }

    [LoggerMessage(EventId = 6311, EventName = "NodeLost", Level = LogLevel.Warning, Message = "The lease of node {Name} has ended: it is lost")]
    private partial void LogLost(string name);

    [LoggerMessage(EventId = 6312, EventName = "VmMoved", Level = LogLevel.Warning, Message = "The VM {Vm} goes to {To}: {Reason}")]
    private partial void LogMoved(string vm, string to, string reason);

    [LoggerMessage(EventId = 6313, EventName = "FailoverFailed", Level = LogLevel.Warning, Message = "Lost nodes could not be looked after: {Reason}")]
    private partial void LogFailed(string reason);
}
