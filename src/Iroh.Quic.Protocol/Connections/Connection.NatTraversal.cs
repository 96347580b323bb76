using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Connections;

/// <content>NAT traversal as iroh does it, and the port search that goes beyond it: commands and questions.</content>
public sealed partial class Connection
{
    private int _holesTried, _suppliesTried;

    /// <summary>
    /// At a client, the addresses at which the server says it may be reached; <see cref="ConnectionEventKind.PeerCandidatesChanged"/> tells of
    /// changes. The server's claims. Empty at a server. Valid until the next input.
    /// </summary>
    public IReadOnlyCollection<NetworkAddress> PeerCandidates => _punching.PeerCandidates;

    /// <summary>Whether both ends take part in NAT traversal: known once the handshake is complete.</summary>
    public bool IsNatTraversalNegotiated => _punching.IsActive;

    /// <summary>
    /// Where this end may be reached, from now on: its interfaces' addresses, its public address, a port that was mapped. A server tells its
    /// client as many, from the first, as that holds; a client names them when it starts a round. What nobody could send to is left out.
    /// Takes effect once the peer is known to take part, and may be called before.
    /// </summary>
    public void SetLocalCandidates(Instant now, ReadOnlySpan<NetworkAddress> candidates)
    {
        _punching.SetLocalCandidates(candidates);
        UpdateTimers(now);
    }

    /// <summary>
    /// A client starts a round of hole punching: both ends send probes to each other's candidates for some seconds, also to those that the
    /// server names in the meantime. Where one is answered (<see cref="ConnectionEventKind.HolePunched"/>) or comes from, a path is opened as a
    /// backup (<see cref="ConnectionEventKind.PathOpened"/>). The round before ends.
    /// </summary>
    /// <returns>False at a server, before the handshake is complete, if the peer takes no part, or without local candidates.</returns>
    public bool StartHolePunching(Instant now)
    {
        bool isStarted = _state.IsOpen && _punching.Start(now);
        UpdateTimers(now);
        return isStarted;
    }

    /// <summary>
    /// How this end's NAT maps its socket, as a net report found out. The peer is told, if it takes part in port searches: when one end's
    /// mapping varies by destination and the other's does not, a round of hole punching without success is followed by a search.
    /// </summary>
    public void SetNatMapping(Instant now, NatMapping mapping)
    {
        _punching.SetMapping(now, mapping);
        UpdateTimers(now);
    }

    /// <summary>
    /// Answers <see cref="ConnectionEventKind.PortSearchSocketsWanted"/>: these sockets are open. From now until
    /// <see cref="ConnectionEventKind.PortSearchEnded"/> their datagrams belong to this connection, and what names one of them as
    /// <see cref="FourTuple.Local"/> leaves through it. Does nothing if no sockets are wanted.
    /// </summary>
    /// <param name="now">The present.</param>
    /// <param name="sockets">Their local addresses as <see cref="HandleDatagram"/> will name them, all different; fewer than wanted are good too.</param>
    public void OpenSearchSockets(Instant now, ReadOnlySpan<NetworkAddress> sockets)
    {
        _punching.OpenSearchSockets(now, sockets);
        UpdateTimers(now);
    }

    // A hole for which there was no id is tried again when ids have come.
    private void OpenPunchedPaths(Instant now)
    {
        if (!_state.IsOpen || (_holesTried == _punching.Holes && _suppliesTried == _opening.Supplies))
            return;
        (_holesTried, _suppliesTried) = (_punching.Holes, _opening.Supplies);
        while (_punching.TryPeekOpened(out FourTuple address))
        {
            PathOpenResult result = _opening.TryOpen(now, address, PathStatus.Backup, out _);
            if (result is PathOpenResult.NoPathId or PathOpenResult.NoConnectionId)
                return;
            if (result == PathOpenResult.AlreadyOpen)
                _opening.OnAnswered(now, address);
            _punching.RemoveOpened();
        }
    }
}
