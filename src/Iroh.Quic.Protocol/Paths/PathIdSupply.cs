using Iroh.Cryptography;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>
/// The limits on path ids of both ends (draft-ietf-quic-multipath-21 §3, §4.6), and the connection ids that are issued for every path id
/// below both, whether or not it is used yet.
/// </summary>
internal sealed class PathIdSupply
{
    private readonly PathTable _paths;
    private readonly RandomSource _random;
    private readonly StatelessReset _reset;
    private readonly Queue<EndpointEvent> _endpointEvents;
    private readonly PendingIdFrames _pendingFrames;
    private readonly int _pathsMax;
    private readonly int _remoteIdsMax;
    private ulong _localIdsMax = 2;
    private uint _peerMax;
    private long _nextEntry = 1;

    public PathIdSupply(ConnectionSetup setup, PathTable paths, PendingIdFrames pendingFrames, Queue<EndpointEvent> endpointEvents)
    {
        _pendingFrames = pendingFrames;
        _paths = paths;
        (_random, _reset, _endpointEvents) = (setup.Random, setup.Reset, endpointEvents);
        _pathsMax = setup.Configuration.ConcurrentPathsMax;
        _remoteIdsMax = setup.Configuration.ActiveConnectionIdLimit;
    }

    /// <summary>Whether both ends know several paths, and the handshake is complete.</summary>
    public bool IsMultipath { get; private set; }

    /// <summary>The largest path id that this end allows.</summary>
    public uint LocalMax { get; private set; }

    /// <summary>Whether the peer has to be told of <see cref="LocalMax"/>.</summary>
    public bool IsLocalMaxPending { get; set; }

    /// <summary>The largest path id that both ends allow.</summary>
    public uint Max => Math.Min(LocalMax, _peerMax);

    /// <summary>Whether it is the peer's limit that no more paths can be opened for.</summary>
    public bool IsPeerLimit => _peerMax <= LocalMax;

    /// <summary>Takes the peer's active_connection_id_limit.</summary>
    public void SetPeerLimit(ulong activeConnectionIds)
    {
        _localIdsMax = activeConnectionIds;
        _paths.Entries[0].LocalIds.SetPeerLimit(activeConnectionIds);
    }

    /// <summary>The handshake is complete: issues connection ids, for all path ids if the peer knows several.</summary>
    /// <param name="peerMax">The peer's initial_max_path_id, null if it did not send it.</param>
    public void Begin(uint? peerMax)
    {
        if (peerMax is { } max && _pathsMax > 1)
        {
            IsMultipath = true;
            LocalMax = (uint)_pathsMax - 1;
            _peerMax = max;
        }

        IssueAll();
    }

    /// <summary>MAX_PATH_ID arrived. True if it allows more than before.</summary>
    public bool OnMaxPathId(uint maximum)
    {
        if (maximum <= _peerMax)
            return false;
        _peerMax = maximum;
        IssueAll();
        return true;
    }

    /// <summary>
    /// A path was given up or forgotten: another id may take its place. The peer can have so many paths open as before, and no more than as
    /// many again wait to be forgotten, however fast it gives them up.
    /// </summary>
    public void Replenish()
    {
        int abandoned = 0;
        foreach (PathEntry entry in _paths.Entries)
            abandoned += entry.IsAbandoned ? 1 : 0;

        // Ids up to LocalMax that have no entry yet, because the peer's limit is lower, count as usable too.
        long known = _paths.Entries.Count + LocalMax - (_nextEntry - 1);
        while (known - abandoned < _pathsMax && known < 2L * _pathsMax && LocalMax < uint.MaxValue)
        {
            LocalMax++;
            known++;
            IsLocalMaxPending = true;
        }

        IssueAll();
    }

    /// <summary>Issues as many connection ids for the path id as the peer keeps (RFC 9000 §5.1.1).</summary>
    public void Issue(PathEntry entry)
    {
        if (entry.IsAbandoned)
            return;
        while (entry.LocalIds.TryIssue(_random, _reset, out ConnectionId id))
            _endpointEvents.Enqueue(new EndpointEvent { Kind = EndpointEventKind.ConnectionIdIssued, ConnectionId = id });
    }

    /// <summary>Whether a path id was allowed once and is used up.</summary>
    public bool IsUsedUp(PathId id) => id.Value < _nextEntry && !_paths.TryFind(id, out _);

    /// <summary>
    /// The entry of a path id for which the peer issues connection ids; made now if its own limit is still below that. Null if the id is
    /// used up.
    /// </summary>
    /// <param name="id">At most <see cref="LocalMax"/>.</param>
    public PathEntry? EntryFor(PathId id)
    {
        while (_nextEntry <= id.Value)
            AddEntry();
        return _paths.TryFind(id, out PathEntry? entry) ? entry : null;
    }

    /// <summary>The peer has given up one of our connection ids.</summary>
    public void Retire(in ConnectionId id) =>
        _endpointEvents.Enqueue(new EndpointEvent { Kind = EndpointEventKind.ConnectionIdRetired, ConnectionId = id });

    /// <summary>All connection ids of a path id stop being routed here.</summary>
    public void RetireAll(PathEntry entry)
    {
        while (entry.LocalIds.TryTakeAny(out ConnectionId id))
            Retire(id);
    }

    /// <summary>Issues as many connection ids for every path id as the peer keeps.</summary>
    public void IssueAll()
    {
        while (_nextEntry <= Max)
            AddEntry();
        foreach (PathEntry entry in _paths.Entries)
        {
            if (entry.Id.Value <= Max)
                Issue(entry);
        }
    }

    private void AddEntry()
    {
        var id = new PathId((uint)_nextEntry++);
        var localIds = new LocalIds(id, _pendingFrames);
        localIds.SetPeerLimit(_localIdsMax);
        _paths.Add(new PathEntry(id, localIds, new RemoteIds(id, _remoteIdsMax, _pendingFrames)));
    }
}
