using System.Threading.Channels;
using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Node.Events;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Membership;

/// <summary>Keeps this node's record in the store as the node is: after each change of an address, until the store has it.</summary>
internal sealed partial class RecordPublisher : IAsyncDisposable
{
    // The first and the longest delay before a store that cannot answer is tried again.
    private static readonly TimeSpan DelayMin = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan DelayMax = TimeSpan.FromSeconds(5);

    private readonly NodeSelf _self;
    private readonly Members _members;
    private readonly NodeEventHub _events;
    private readonly TimeProvider _time;
    private readonly ILogger<RecordPublisher> _logger;
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;

    public RecordPublisher(NodeSelf self, Members members, NodeEventHub events, TimeProvider time, ILogger<RecordPublisher> logger)
    {
        (_self, _members, _events, _time, _logger) = (self, members, events, time, logger);
        self.RecordChanged += OnChanged;
        OnChanged();
        _loop = Task.Run(RunAsync);
    }

    public async ValueTask DisposeAsync()
    {
        _self.RecordChanged -= OnChanged;
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stopping.Dispose();
    }

    private void OnChanged() => _changes.Writer.TryWrite(true);

    private async Task RunAsync()
    {
        TimeSpan delay = DelayMin;
        string told = "";
        try
        {
            while (await _changes.Reader.WaitToReadAsync(_stopping.Token).ConfigureAwait(false))
            {
                _changes.Reader.TryRead(out _);
                if (_self.Id is null || (_self.GrpcAddress.Length == 0 && _self.P2pAddress is null))
                    continue;
                try
                {
                    await _members.UpdateAsync(_self.ToInfo(), _self.ToAddress(), _stopping.Token).ConfigureAwait(false);
                    (delay, told) = (DelayMin, "");
                    continue;
                }
                catch (Exception e) when (e is StoreUnavailableException or MembershipException or ArgumentException)
                {
                    if (told != e.Message)
                    {
                        told = e.Message;
                        LogNotPublished(e.Message);
                        _events.Publish(new WarningEvent($"This node's record is not up to date: {e.Message}"));
                    }
                }

                await Task.Delay(delay, _time, _stopping.Token).ConfigureAwait(false);
                delay = delay * 2 < DelayMax ? delay * 2 : DelayMax;
                OnChanged();
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // Disposed.
        }
    }

    [LoggerMessage(EventId = 6201, EventName = "RecordNotPublished", Level = LogLevel.Warning, Message = "This node's record is not up to date: {Reason}")]
    private partial void LogNotPublished(string reason);
}
