using Iroh.Quic.Driving;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic;

/// <content>The ways between the two ends, for an owner that decides about them.</content>
public sealed partial class QuicConnection
{
    // An owner looks at the paths themselves; of what happened it needs the kinds, not every instance.
    private const int PathEventsMax = 64;

    private readonly AsyncPulse _pathEvent = new();
    private readonly Queue<ConnectionEvent> _pathEvents = new();

    /// <summary>Whether both ends know several paths, and the handshake is complete.</summary>
    public bool IsMultipath
    {
        get
        {
            lock (_driver.Lock)
                return _driver.Core.IsMultipath;
        }
    }

    /// <summary>Whether this end dialled.</summary>
    public bool IsClient => _driver.Core.Side == Side.Client;

    /// <summary>The paths that no end has given up, in the order of their ids, as they are now.</summary>
    public IReadOnlyList<PathSnapshot> Paths
    {
        get
        {
            lock (_driver.Lock)
            {
                var paths = new PathSnapshot[_driver.Core.PathCount];
                int count = _driver.Core.CopyPaths(paths);
                return count == paths.Length ? paths : paths[..count];
            }
        }
    }

    /// <summary>
    /// Takes what happened to paths since the last call, after waiting until something has: opened, closed, silent, recovered, candidates
    /// changed, and so on. For one owner. Of many events that nobody takes the oldest are forgotten.
    /// </summary>
    /// <exception cref="QuicConnectionException">The connection has ended.</exception>
    public async ValueTask<IReadOnlyList<ConnectionEvent>> TakePathEventsAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Task next;
            lock (_driver.Lock)
            {
                ThrowIfClosed();
                if (_pathEvents.Count > 0)
                {
                    ConnectionEvent[] events = [.. _pathEvents];
                    _pathEvents.Clear();
                    return events;
                }

                next = _pathEvent.Next;
            }

            await next.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Opens a path to an address; only the end that dialled can. See <see cref="Connection.TryOpenPath"/>.</summary>
    /// <param name="remote">An IP or virtual address.</param>
    /// <param name="status">How this end is going to use it.</param>
    public PathOpenResult OpenPath(NetworkAddress remote, PathStatus status)
    {
        PathOpenResult result;
        lock (_driver.Lock)
        {
            if (_closeReason is not null)
                return PathOpenResult.NotNegotiated;
            result = _driver.Core.TryOpenPath(MonotonicClock.Now, new FourTuple(default, remote), status, out _);
            _driver.PassOnEvents();
        }

        _driver.Flush();
        return result;
    }

    /// <summary>Gives a path up; false if it is the last one, or there is no such path. See <see cref="Connection.ClosePath"/>.</summary>
    public bool ClosePath(PathId id, ulong errorCode) => Command(core => core.ClosePath(MonotonicClock.Now, id, errorCode));

    /// <summary>Decides how this end uses a path, and tells the peer. See <see cref="Connection.SetPathStatus"/>.</summary>
    public void SetPathStatus(PathId id, PathStatus status) => Command(core =>
    {
        core.SetPathStatus(MonotonicClock.Now, id, status);
        return true;
    });

    /// <summary>The machine's network has changed. See <see cref="Connection.OnNetworkChange"/>.</summary>
    /// <param name="recoverable">Whether a path with these addresses can still work. Must not block.</param>
    public void OnNetworkChange(Func<FourTuple, bool> recoverable) => Command(core =>
    {
        core.OnNetworkChange(MonotonicClock.Now, recoverable);
        return true;
    });

    /// <summary>Whether both ends take part in NAT traversal. See <see cref="Connection.IsNatTraversalNegotiated"/>.</summary>
    public bool IsNatTraversalNegotiated
    {
        get
        {
            lock (_driver.Lock)
                return _driver.Core.IsNatTraversalNegotiated;
        }
    }

    /// <summary>
    /// At the end that dialled, the addresses at which the peer says it may be reached. Its claims, which only an answer proves.
    /// </summary>
    public IReadOnlyCollection<NetworkAddress> PeerCandidates
    {
        get
        {
            lock (_driver.Lock)
                return [.. _driver.Core.PeerCandidates];
        }
    }

    /// <summary>Where this end may be reached, from now on. See <see cref="Connection.SetLocalCandidates"/>.</summary>
    public void SetLocalCandidates(ReadOnlyMemory<NetworkAddress> candidates) => Command(core =>
    {
        core.SetLocalCandidates(MonotonicClock.Now, candidates.Span);
        return true;
    });

    /// <summary>Has both ends send probes to each other's candidates. See <see cref="Connection.StartHolePunching"/>.</summary>
    public bool StartHolePunching() => Command(core => core.StartHolePunching(MonotonicClock.Now));

    /// <summary>
    /// How this end's NAT maps its socket, as a net report found out; needed for port searches. See <see cref="Connection.SetNatMapping"/>.
    /// </summary>
    public void SetNatMapping(NatMapping mapping) => Command(core =>
    {
        core.SetNatMapping(MonotonicClock.Now, mapping);
        return true;
    });

    private bool Command(Func<Connection, bool> command)
    {
        bool result;
        lock (_driver.Lock)
        {
            if (_closeReason is not null)
                return false;
            result = command(_driver.Core);
            _driver.PassOnEvents();
        }

        _driver.Flush();
        return result;
    }

    private void OnPathEvent(in ConnectionEvent e)
    {
        if (_pathEvents.Count == PathEventsMax)
            _pathEvents.Dequeue();
        _pathEvents.Enqueue(e);
        _pathEvent.Pulse();
    }
}
