using System.Threading.Channels;
using Blixard.Node.Events;
using Blixard.V1;

namespace Blixard.Node.Storage;

/// <summary>Writes down who the members are whenever that changes: all of them in <c>members.pb</c>, the servers in <c>node.json</c> as
/// well. Thread-safe.</summary>
internal sealed class MemberKeeper : IAsyncDisposable
{
    private readonly string _path;
    private readonly NodeMemory _memory;
    private readonly NodeEventHub _events;
    private readonly Func<IEnumerable<Member>> _members;
    private readonly Channel<bool> _changes = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Lock _writing = new();
    private readonly Task _loop;
    private bool _isForgotten;

    /// <summary>Begins to wait for changes.</summary>
    /// <param name="path">Of <c>members.pb</c>.</param>
    /// <param name="memory">The node's <c>node.json</c>.</param>
    /// <param name="members">All members now.</param>
    /// <param name="events">Told when something cannot be written.</param>
    public MemberKeeper(string path, NodeMemory memory, Func<IEnumerable<Member>> members, NodeEventHub events)
    {
        (_path, _memory, _members, _events) = (path, memory, members, events);
        _loop = Task.Run(RunAsync);
    }

    /// <summary>The members are others now; they are written soon.</summary>
    public void OnChanged() => _changes.Writer.TryWrite(true);

    /// <summary>The node left its cluster: the list goes and does not come back.</summary>
    public void Forget()
    {
        lock (_writing)
        {
            _isForgotten = true;
            File.Delete(_path);
        }
    }

    /// <summary>Writes what is still to be written.</summary>
    public async ValueTask DisposeAsync()
    {
        _changes.Writer.TryComplete();
        await _loop.ConfigureAwait(false);
    }

    private async Task RunAsync()
    {
        while (await _changes.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            _changes.Reader.TryRead(out _);
            Write();
        }
    }

    private void Write()
    {
        lock (_writing)
        {
            if (_isForgotten)
                return;
            try
            {
                Member[] members = [.. _members()];
                MemberCache.Save(_path, members);
                if (KnownServers.From(members) is { Count: > 0 } servers)
                    _memory.Update(file => file with { Servers = servers });
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _events.Publish(new WarningEvent($"The members could not be written down for the next start: {e.Message}"));
            }
        }
    }
}
