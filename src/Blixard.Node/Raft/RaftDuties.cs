using System.Threading.Channels;
using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Etcd.Client;
using Blixard.Etcd.Membership;
using Iroh.Base;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Raft;

/// <summary>What the leader has to do for Raft: give learners that have caught up their vote, and take out of Raft who is no member of the
/// cluster any more, because the node that was taking it out was killed half-way.</summary>
internal sealed partial class RaftDuties : IAsyncDisposable
{
    // A learner catches up in parts of a second; a joining server waits for its vote.
    private static readonly TimeSpan LearnerInterval = TimeSpan.FromMilliseconds(500);

    // What a killed node left half done is found within this time; nobody waits for it.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RemovalLimit = TimeSpan.FromSeconds(10);

    private readonly EtcdMembership _raft;
    private readonly Members _records;
    private readonly EndpointId _self;
    private readonly Func<RaftView> _view;
    private readonly TimeProvider _time;
    private readonly ILogger<RaftDuties> _logger;
    private readonly Channel<bool> _looks = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;

    /// <summary>Begins to look after them.</summary>
    /// <param name="raft">Who takes part in Raft.</param>
    /// <param name="records">Who is a member of the cluster.</param>
    /// <param name="self">This node.</param>
    /// <param name="view">What this node's etcd said last.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Gets what was done.</param>
    public RaftDuties(
        EtcdMembership raft, Members records, EndpointId self, Func<RaftView> view, TimeProvider time, ILogger<RaftDuties> logger)
    {
        (_raft, _records, _self, _view, _time, _logger) = (raft, records, self, view, time, logger);
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Something may be to do: does not wait for the next look.</summary>
    public void Look() => _looks.Writer.TryWrite(true);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            while (true)
            {
                bool hasLearners = _view().Members.Any(member => member.IsLearner);
                using var waiting = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
                await Task.WhenAny(
                    Task.Delay(hasLearners ? LearnerInterval : Interval, _time, waiting.Token),
                    _looks.Reader.WaitToReadAsync(waiting.Token).AsTask()).ConfigureAwait(false);
                await waiting.CancelAsync().ConfigureAwait(false);
                _looks.Reader.TryRead(out _);
                _stopping.Token.ThrowIfCancellationRequested();
                if (_view().IsLeader)
                    await TryDoAsync().ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    private async Task TryDoAsync()
    {
        try
        {
            foreach (EndpointId promoted in await _raft.PromoteReadyAsync(_stopping.Token).ConfigureAwait(false))
                LogPromoted(promoted);
            MemberList list = await _records.ListAsync(_stopping.Token).ConfigureAwait(false);
            HashSet<EndpointId> members = [.. list.Members.Select(member => EndpointId.FromBytes(member.Node.EndpointId.Span))];
            // A list without this node is none to go by.
            if (!members.Contains(_self))
                return;
            foreach (EtcdMember gone in (await _raft.ListAsync(_stopping.Token).ConfigureAwait(false)).Where(member => !members.Contains(member.Endpoint)))
            {
                LogTakingOut(gone.Endpoint);
                // It is in nobody's list any more and cannot be asked; all others count as there, and etcd itself knows better.
                await _raft.RemoveAsync(gone.Endpoint, id => id != gone.Endpoint, progress: null, RemovalLimit, _stopping.Token).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is StoreUnavailableException or EtcdException or EtcdMembershipException)
        {
            LogPutOff(e.Message);
        }
    }

    [LoggerMessage(EventId = 6411, EventName = "LearnerPromoted", Level = LogLevel.Information, Message = "{Id} has caught up and votes now")]
    private partial void LogPromoted(EndpointId id);

    [LoggerMessage(EventId = 6412, EventName = "RaftMemberGone", Level = LogLevel.Warning, Message = "{Id} takes part in Raft and is no member of the cluster any more; it is taken out")]
    private partial void LogTakingOut(EndpointId id);

    [LoggerMessage(EventId = 6413, EventName = "RaftDutyPutOff", Level = LogLevel.Debug, Message = "Raft's members are looked at again later: {Reason}")]
    private partial void LogPutOff(string reason);
}
