using Iroh.Cryptography;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Outbound;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Timers;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>
/// New paths (draft-ietf-quic-multipath-21 §3.1): a client opens them, a server creates them when their first packet authenticates. Both
/// ends validate them; until then they carry no data.
/// </summary>
internal sealed class PathOpening
{
    // The answer to a probe and that to the path's own challenge, which left soon after it, come about together.
    private static readonly TimeSpan s_answerTolerance = TimeSpan.FromMilliseconds(20);

    private readonly Side _side;
    private readonly RandomSource _random;
    private readonly TraceSink? _trace;
    private readonly ConnectionState _state;
    private readonly PathTable _paths;
    private readonly PathIdSupply _supply;
    private readonly PathFrames _frames;
    private readonly NetworkPathFactory _factory;
    private readonly HolePunching _punching;
    private readonly ConnectionEvents _events;
    private uint _nextId = 1;
    private bool _wasRefused;

    /// <summary>How often ids have come for paths that could not be opened: another number says that it can be tried again.</summary>
    public int Supplies { get; private set; }

    public PathOpening(
        ConnectionSetup setup,
        ConnectionState state,
        PathTable paths,
        PathIdSupply supply,
        PathFrames frames,
        NetworkPathFactory factory,
        HolePunching punching,
        ConnectionEvents events)
    {
        _punching = punching;
        (_side, _random, _trace) = (setup.Side, setup.Random, setup.Trace);
        (_state, _paths, _supply, _frames, _factory, _events) = (state, paths, supply, frames, factory, events);
    }

    /// <summary>Opens a path, unless there is one with the same addresses; see <see cref="Connection.TryOpenPath"/>.</summary>
    public PathOpenResult TryOpen(Instant now, FourTuple address, PathStatus status, out PathId id)
    {
        id = default;
        if (!_supply.IsMultipath || !_state.IsOpen || _side != Side.Client)
            return PathOpenResult.NotNegotiated;
        if (FindOpen(address) is { } path)
        {
            id = path.Id;
            return PathOpenResult.AlreadyOpen;
        }

        return TryOpenAnother(now, address, status, out id);
    }

    /// <summary>The same, whether or not there is one with the same addresses.</summary>
    public PathOpenResult TryOpenAnother(Instant now, FourTuple address, PathStatus status, out PathId id)
    {
        id = default;
        PathOpenResult result = FindNext(out PathEntry? entry);
        if (result != PathOpenResult.Opened)
        {
            Refuse(entry);
            return result;
        }

        id = entry!.Id;
        _nextId = id.Value + 1;
        Path path = Begin(now, entry, address);
        path.Status = status;
        return PathOpenResult.Opened;
    }

    /// <summary>
    /// The path of the first packet that authenticated on a path id. It starts as a backup: what this end sends stays where it is, until
    /// its application decides otherwise.
    /// </summary>
    public Path Create(Instant now, PathEntry entry, Path path)
    {
        path.Status = PathStatus.Backup;
        if (!entry.RemoteIds.HasActive)
            _frames.ReportIdsBlocked(entry.Id);
        return Begin(now, entry, path);
    }

    /// <summary>
    /// A path for a path id that has none, to open its first packet with; it is not one of the connection's yet. A server need not validate an
    /// address that another path has, or that has answered a probe; a client asks for such a path only when it doubts the other one.
    /// </summary>
    public Path Prepare(Instant now, PathEntry entry, FourTuple address)
    {
        Path? same = _side == Side.Server ? FindValidated(address) : null;
        return _factory.CreatePath(
            _side,
            entry,
            address,
            _random,
            isValidated: same is not null || (_side == Side.Server && _punching.HasAnsweredLately(now, address.Remote)),
            same?.Current.Recovery.Rtt.Smoothed ?? _punching.RoundTripTimeTo(address.Remote));
    }

    /// <summary>A probe was answered from where a path is open but not validated yet: its own challenge, or the answer to it, was lost.</summary>
    public void OnAnswered(Instant now, FourTuple address)
    {
        if (FindOpen(address) is { IsOpened: false } path)
            PathMovement.Hasten(path, now + s_answerTolerance);
    }

    /// <summary>The path was validated for the first time.</summary>
    public void OnValidated(Instant now, Path path)
    {
        if (path.IsOpened || path.IsAbandoned)
            return;
        StartIdleTimers(now);
        path.IsOpened = true;
        path.Timers.Stop(PathTimer.Validation);
        _events.Add(ConnectionEventKind.PathOpened, path);
    }

    /// <summary>There may be an id for a path that could not be opened before.</summary>
    public void OnIdsChanged()
    {
        if (!_wasRefused || FindNext(out _) != PathOpenResult.Opened)
            return;
        _wasRefused = false;
        Supplies++;
        _events.Add(ConnectionEventKind.PathsAvailable);
    }

    /// <summary>A packet arrived: the path's idle time starts anew.</summary>
    public void OnReceived(Instant now, Path path)
    {
        if (_paths.Count > 1 && !path.IsAbandoned)
            path.Timers[PathTimer.Idle] = now + _factory.IdleTimeoutOf(path);
    }

    // With a second path, those that have been silent so far have to show that they live.
    private void StartIdleTimers(Instant now)
    {
        for (int i = 0; i < _paths.Count; i++)
        {
            if (_paths[i].Timers[PathTimer.Idle] == Instant.Never)
                OnReceived(now, _paths[i]);
        }
    }

    private Path Begin(Instant now, PathEntry entry, FourTuple address) => Begin(now, entry, Prepare(now, entry, address));

    private Path Begin(Instant now, PathEntry entry, Path path)
    {
        _paths.Open(entry, path);
        if (path.Current.Validator.IsValidated)
        {
            OnValidated(now, path);
            _trace?.PathValidated(now, path.Id, path.Current.Address);
        }

        PathMovement.Ask(now, path);
        return path;
    }

    // The path id that is opened next, if there is one with a connection id.
    private PathOpenResult FindNext(out PathEntry? entry)
    {
        entry = null;
        for (; _nextId <= _supply.Max; _nextId++)
        {
            if (!_paths.TryFind(new PathId(_nextId), out PathEntry? next) || next.IsAbandoned)
                continue;
            entry = next;
            return _state.IsConfirmed && next.RemoteIds.HasActive ? PathOpenResult.Opened : PathOpenResult.NoConnectionId;
        }

        return PathOpenResult.NoPathId;
    }

    // The application is told when it may try again, and the peer what it waits for.
    private void Refuse(PathEntry? entry)
    {
        if (entry is { RemoteIds.HasActive: false })
            _frames.ReportIdsBlocked(entry.Id);
        else if (entry is null && _supply.IsPeerLimit && !_wasRefused)
            _frames.ReportPathsBlocked();
        _wasRefused = true;
    }

    private Path? FindOpen(FourTuple address)
    {
        for (int i = 0; i < _paths.Count; i++)
        {
            if (!_paths[i].IsAbandoned && IsSame(_paths[i].Current.Address, address))
                return _paths[i];
        }

        return null;
    }

    private Path? FindValidated(FourTuple address)
    {
        for (int i = 0; i < _paths.Count; i++)
        {
            Path path = _paths[i];
            if (!path.IsAbandoned && path.Current.Validator.IsValidated && IsSame(path.Current.Address, address))
                return path;
        }

        return null;
    }

    // An unspecified local address is the one that the network chooses, which is the one of the other path.
    private static bool IsSame(FourTuple a, FourTuple b) =>
        a.Remote == b.Remote && (a.Local == b.Local || a.Local.IsUnspecified || b.Local.IsUnspecified);
}
