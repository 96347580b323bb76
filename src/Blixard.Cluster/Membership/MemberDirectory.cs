using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Blixard.Cluster.Store;
using Blixard.V1;
using Iroh.Base;
using Microsoft.Extensions.Logging;

namespace Blixard.Cluster.Membership;

/// <summary>
/// The members as this node knows them, in memory and kept up to date by a watch; through an outage of the store it keeps what
/// it had, and before the store has answered for the first time what it was given. Thread-safe.
/// </summary>
public sealed partial class MemberDirectory : IAsyncDisposable
{
    private readonly Members _members;
    private readonly bool _isStoreHere;
    private readonly ILogger<MemberDirectory> _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _subscribing = new();
    private readonly Task _loop;
    private readonly Lazy<Task> _disposal;
    private ImmutableArray<Action<MembersUpdate>> _subscribers = [];
    private ImmutableDictionary<EndpointId, Member> _current = ImmutableDictionary<EndpointId, Member>.Empty;

    /// <summary>Starts to watch.</summary>
    /// <param name="members">Where the members are.</param>
    /// <param name="isStoreHere">Whether this node holds the store: then <see cref="IsMemberAsync"/> asks it each time.</param>
    /// <param name="logger">Gets the comings and goings.</param>
    /// <param name="known">Whom the node knew at its last run: members until the store says otherwise.</param>
    public MemberDirectory(Members members, bool isStoreHere, ILogger<MemberDirectory> logger, IEnumerable<Member>? known = null)
    {
        (_members, _isStoreHere, _logger) = (members, isStoreHere, logger);
        foreach (Member member in known ?? [])
        {
            if (EndpointId.TryFromBytes(member.Node.EndpointId.Span, out EndpointId id))
                _current = _current.SetItem(id, member);
        }

        _disposal = new Lazy<Task>(StopAsync);
        _loop = Task.Run(WatchAsync);
    }

    /// <summary>Completes when the store has told for the first time who is there; cancelled if the directory is disposed before.</summary>
    public Task Loaded => _loaded.Task;

    /// <summary>Everybody, in no order.</summary>
    public IReadOnlyDictionary<EndpointId, Member> Current => Volatile.Read(ref _current);

    /// <summary>One member's record.</summary>
    public bool TryGet(EndpointId id, [NotNullWhen(true)] out Member? member) => Volatile.Read(ref _current).TryGetValue(id, out member);

    /// <summary>One member's record, by name.</summary>
    public bool TryGet(string name, [NotNullWhen(true)] out Member? member)
    {
        member = Volatile.Read(ref _current).Values.FirstOrDefault(candidate => candidate.Node.Name == name);
        return member is not null;
    }

    /// <summary>Whether an endpoint is a member: as the store says now where the store is, elsewhere as the watch delivered last.</summary>
    public async ValueTask<bool> IsMemberAsync(EndpointId id, CancellationToken cancellationToken = default)
    {
        if (_isStoreHere)
        {
            try
            {
                return await _members.TryGetAsync(id, cancellationToken).ConfigureAwait(false) is not null;
            }
            catch (StoreUnavailableException)
            {
                // A disk that fails must not lock the members out: what was known last counts.
            }
        }

        return Volatile.Read(ref _current).ContainsKey(id);
    }

    /// <summary>Tells of every change from now on, after one call at once that adds everybody who is known.</summary>
    /// <param name="onUpdate">Called one at a time and in order; it must be quick and must not throw.</param>
    /// <returns>Ends it.</returns>
    public IDisposable Subscribe(Action<MembersUpdate> onUpdate)
    {
        ArgumentNullException.ThrowIfNull(onUpdate);
        lock (_subscribing)
        {
            onUpdate(new MembersUpdate(
                0, IsSnapshot: true, [.. _current.Select(pair => new MemberChange(MemberChangeKind.Added, pair.Key, pair.Value))]));
            _subscribers = _subscribers.Add(onUpdate);
        }

        return new Subscription(this, onUpdate);
    }

    /// <summary>Stops to watch.</summary>
    public ValueTask DisposeAsync() => new(_disposal.Value);

    private async Task WatchAsync()
    {
        try
        {
            await foreach (MembersUpdate update in _members.WatchAsync(_stopping.Token).ConfigureAwait(false))
            {
                Take(update);
                _loaded.TrySetResult();
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException)
        {
            // This directory or the store was disposed.
            _loaded.TrySetCanceled(CancellationToken.None);
        }
        catch (Exception exception)
        {
            LogWatchFailed(exception);
            _loaded.TrySetException(exception);
        }
    }

    private void Take(MembersUpdate update)
    {
        lock (_subscribing)
        {
            // Who was known from the last run and is not there any more has left meanwhile.
            if (update.IsSnapshot)
                update = update with { Changes = [.. update.Changes, .. Missing(update)] };
            ImmutableDictionary<EndpointId, Member>.Builder next = _current.ToBuilder();
            foreach (MemberChange change in update.Changes)
            {
                if (change.Kind == MemberChangeKind.Removed)
                    next.Remove(change.Id);
                else
                    next[change.Id] = change.Member;
                LogMember(change.Kind, change.Member.Node.Name, change.Id);
            }

            Volatile.Write(ref _current, next.ToImmutable());
            foreach (Action<MembersUpdate> subscriber in _subscribers)
                subscriber(update);
        }
    }

    private IEnumerable<MemberChange> Missing(MembersUpdate snapshot)
    {
        HashSet<EndpointId> present = [.. snapshot.Changes.Select(change => change.Id)];
        return _current.Where(pair => !present.Contains(pair.Key)).Select(pair => new MemberChange(MemberChangeKind.Removed, pair.Key, pair.Value));
    }

    private async Task StopAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _loop.ConfigureAwait(false);
        _stopping.Dispose();
    }

    [LoggerMessage(EventId = 5001, EventName = "MemberChanged", Level = LogLevel.Information, Message = "Member {Kind}: {Name} ({Id})")]
    private partial void LogMember(MemberChangeKind kind, string name, EndpointId id);

    [LoggerMessage(EventId = 5002, EventName = "MemberWatchFailed", Level = LogLevel.Error, Message = "The watch of the members ended")]
    private partial void LogWatchFailed(Exception exception);

    private sealed class Subscription(MemberDirectory directory, Action<MembersUpdate> onUpdate) : IDisposable
    {
        public void Dispose()
        {
            lock (directory._subscribing)
                directory._subscribers = directory._subscribers.Remove(onUpdate);
        }
    }
}
