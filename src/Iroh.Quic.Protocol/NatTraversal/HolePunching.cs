using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.NatTraversal;

/// <summary>
/// iroh's NAT traversal at one end of a connection: the ends tell each other candidate addresses over a path that works, and in rounds that
/// the client starts both send probes to the other's candidates. A probe is a packet with a PATH_CHALLENGE and nothing else, sent beside the
/// paths; where the client gets an answer or a probe from, it opens a path.
/// <code>
/// server:  SetLocalCandidates -> ADD_ADDRESS, REMOVE_ADDRESS      REACH_OUT of a new round -> probes      answer -> HolePunched
/// client:  ADD_ADDRESS, REMOVE_ADDRESS -> PeerCandidates          Start -> REACH_OUT and probes           answer -> HolePunched, a path to open
///                                                                                                         probe  -> a path to open
/// </code>
/// The peer is authenticated, but its addresses are claims: <see cref="ProbeBudget"/> bounds what they make this end send.
/// </summary>
internal sealed class HolePunching
{
    /// <summary>Own candidates that are kept: a peer holds no more, its limit being one byte.</summary>
    private const int LocalCandidatesMax = byte.MaxValue;

    /// <summary>
    /// Open holes that wait for a path. There are no more paths than this by default, and a hole that has to wait longer than it takes for
    /// so many others to open is better punched anew.
    /// </summary>
    private const int OpenedMax = 8;

    /// <summary>
    /// Targets of a round for each address that this end holds: the peer may have another where its NAT maps by destination, or come by a new
    /// one in the middle of the round.
    /// </summary>
    private const int TargetsPerAddress = 2;

    /// <summary>
    /// So long an answered probe shows that the peer receives where it went: an opening client needs a round trip and a retry or two, and
    /// no host moves so quickly that somebody else had its address by then.
    /// </summary>
    private static readonly TimeSpan AnswerLifetime = TimeSpan.FromSeconds(3);

    private readonly Side _side;
    private readonly int _addressesMax;
    private readonly ConnectionEvents _events;
    private readonly ProbeBudget _budget = new();
    private readonly ProbeRound _round;
    private readonly PortSearch _search;
    private readonly CandidateAnnouncements _announcements = new();
    private readonly ReachOuts _reachOuts = new();
    private readonly PeerCandidateSet _peerCandidates;
    private readonly List<FourTuple> _opened = [];
    private readonly Queue<(NetworkAddress Remote, TimeSpan RoundTripTime, Instant At)> _measured = new();
    private NetworkAddress[] _local = [];
    private int _peerAddressesMax;
    private ulong _serverRound;
    private bool _hasBegun, _hasRound;

    /// <summary>Creates the room; nothing happens before <see cref="Negotiate"/> and <see cref="Begin"/>.</summary>
    /// <param name="side">Which end this is.</param>
    /// <param name="addressesMax">How many of the peer's addresses this end holds, 0 to 255; 0: it takes no part.</param>
    /// <param name="initialRtt">What is assumed of a path of which nothing is known: the measure of retries.</param>
    /// <param name="search">Takes over where probes to known ports do not meet.</param>
    /// <param name="events">Gets PeerCandidatesChanged and HolePunched.</param>
    public HolePunching(Side side, int addressesMax, TimeSpan initialRtt, PortSearch search, ConnectionEvents events)
    {
        _side = side;
        _addressesMax = addressesMax;
        _search = search;
        _events = events;
        _round = new ProbeRound(TargetsPerAddress * addressesMax, initialRtt);
        _peerCandidates = new PeerCandidateSet(addressesMax);
    }

    /// <summary>Whether both ends take part: the peer's frames are taken.</summary>
    public bool IsActive { get; private set; }

    /// <summary>The server's candidates as this client knows them; empty at a server.</summary>
    public IReadOnlyCollection<NetworkAddress> PeerCandidates => _peerCandidates.Addresses;

    /// <summary>When to call <see cref="HandleTimeout"/>, <see cref="Instant.Never"/> if not.</summary>
    public Instant NextTimeout => Instant.Min(_round.NextTimeout, _search.NextTimeout);

    /// <summary>Whether there are frames to send.</summary>
    public bool HasFrames => IsActive && (_announcements.HasFrames || _reachOuts.HasFrames || _search.HasFrames);

    /// <summary>
    /// The handshake is complete, and there is multipath: without it there could be no other path than the first. Takes effect if both ends
    /// hold addresses.
    /// </summary>
    /// <param name="peerAddressesMax">The peer's transport parameter, 0 if it was absent.</param>
    /// <param name="isPeerSearching">Whether the peer takes part in port searches.</param>
    public void Negotiate(int peerAddressesMax, bool isPeerSearching)
    {
        _peerAddressesMax = peerAddressesMax;
        IsActive = _addressesMax > 0 && peerAddressesMax > 0;
        _search.Activate(IsActive && isPeerSearching);
        if (IsActive && _side == Side.Server)
            _announcements.SetLimit(peerAddressesMax);
    }

    /// <summary>The handshake is confirmed: from now on this end sends probes (RFC 9000 §9: no migration before). Frames it sends once the
    /// handshake is complete, so that a client's request to probe leaves with the last of it.</summary>
    public void Begin() => _hasBegun = true;

    /// <summary>
    /// Where this end may be reached, from now on. What nobody could send to is left out. A server tells its client; a client keeps them
    /// for the next round.
    /// </summary>
    public void SetLocalCandidates(ReadOnlySpan<NetworkAddress> candidates)
    {
        var distinct = new List<NetworkAddress>();
        foreach (NetworkAddress candidate in candidates)
        {
            if (distinct.Count < LocalCandidatesMax && AddressRules.IsReachable(candidate) && !distinct.Contains(candidate))
                distinct.Add(candidate);
        }

        _local = [.. distinct];
        if (_side == Side.Server)
            _announcements.Set(_local);
    }

    /// <summary>
    /// A client starts a round: probes go to all candidates of the server, also to those that it names later in the round, and the server
    /// is asked to do the same. What is left of the round before is thrown away.
    /// </summary>
    /// <returns>False for a server, if NAT traversal was not negotiated, or without a candidate of this end's.</returns>
    public bool Start(Instant now)
    {
        if (!IsActive || _side != Side.Client || _local.Length == 0)
            return false;
        _hasRound = true;
        _round.Begin();
        _opened.Clear();
        _reachOuts.Begin(_local.AsSpan(0, Math.Min(_local.Length, _peerAddressesMax)));
        foreach (NetworkAddress candidate in _peerCandidates.Addresses)
            Try(now, candidate);
        _search.OnRound(now);
        return true;
    }

    /// <summary>ADD_ADDRESS arrived at a client. In the middle of a round the address is tried as well.</summary>
    /// <returns>PROTOCOL_VIOLATION if NAT traversal was not negotiated.</returns>
    public TransportError? OnAddAddress(Instant now, in AddAddressFrame frame)
    {
        if (!IsActive)
            return NotNegotiated(frame.Address.IsIPv4 ? FrameType.AddAddressIPv4 : FrameType.AddAddressIPv6);
        if (!_peerCandidates.Add(frame))
            return null;
        if (_round.NextTimeout != Instant.Never || (_hasRound && _round.TargetCount == 0))
            Try(now, frame.Address);
        _events.Add(ConnectionEventKind.PeerCandidatesChanged);
        return null;
    }

    /// <summary>REMOVE_ADDRESS arrived at a client.</summary>
    /// <returns>PROTOCOL_VIOLATION if NAT traversal was not negotiated.</returns>
    public TransportError? OnRemoveAddress(in RemoveAddressFrame frame)
    {
        if (!IsActive)
            return NotNegotiated(FrameType.RemoveAddress);
        if (!_peerCandidates.Remove(frame, out NetworkAddress address))
            return null;
        _round.Remove(address);
        _events.Add(ConnectionEventKind.PeerCandidatesChanged);
        return null;
    }

    /// <summary>REACH_OUT arrived at a server: of a new round it ends the old one, of an old round it means nothing.</summary>
    /// <returns>PROTOCOL_VIOLATION if NAT traversal was not negotiated, or for one address more than this end holds.</returns>
    public TransportError? OnReachOut(Instant now, in ReachOutFrame frame)
    {
        ulong type = frame.Address.IsIPv4 ? FrameType.ReachOutIPv4 : FrameType.ReachOutIPv6;
        if (!IsActive)
            return NotNegotiated(type);
        if (frame.Round < _serverRound)
            return null;
        if (frame.Round > _serverRound)
        {
            _serverRound = frame.Round;
            _round.Begin();
            _search.OnRound(now);
        }

        if (_round.Contains(frame.Address) || !IsWorthTrying(frame.Address))
            return null;
        if (_round.TargetCount >= _addressesMax)
            return new TransportError(TransportErrorCode.ProtocolViolation, type, $"More than {_addressesMax} addresses in a round.");
        Try(now, frame.Address);
        return null;
    }

    /// <inheritdoc cref="PortSearch.SetMapping"/>
    public void SetMapping(Instant now, NatMapping mapping) => _search.SetMapping(now, mapping);

    /// <inheritdoc cref="PortSearch.OpenSockets"/>
    public void OpenSearchSockets(Instant now, ReadOnlySpan<NetworkAddress> sockets) => _search.OpenSockets(now, sockets);

    /// <inheritdoc cref="PortSearch.OnMapping"/>
    public TransportError? OnMapping(Instant now, in NatMappingFrame frame) => _search.OnMapping(now, frame);

    /// <inheritdoc cref="PortSearch.OnSearch"/>
    public TransportError? OnSearch(Instant now, in PortSearchFrame frame) => _search.OnSearch(now, frame);

    /// <summary>A datagram with a packet that authenticated arrived.</summary>
    public void OnReceived(FourTuple address, int datagramLength)
    {
        _budget.OnReceived(datagramLength);
        _search.OnArrival(address);
    }

    /// <summary>
    /// Where the next probe goes; the local address is left to the system, except in a port search. False if none is owed or the budget does
    /// not allow one.
    /// </summary>
    public bool TryPeekProbe(out FourTuple address)
    {
        address = default;
        if (!IsActive || !_hasBegun || !_budget.AllowsProbe)
            return false;
        if (!_round.TryPeek(out NetworkAddress remote))
            return _search.TryPeekProbe(out address);
        address = new FourTuple(default, remote);
        return true;
    }

    /// <summary>A probe left.</summary>
    /// <param name="address">That of <see cref="TryPeekProbe"/>.</param>
    /// <param name="probe">Its challenge and time.</param>
    /// <param name="length">Bytes of its datagram.</param>
    public void OnProbeSent(FourTuple address, SentProbe probe, int length)
    {
        _budget.OnProbeSent(length);
        if (_round.TryPeek(out _))
            _round.OnSent(address.Remote, probe);
        else
            _search.OnProbeSent(probe);
    }

    /// <summary>
    /// A PATH_CHALLENGE came from where no path is. Whether its answer shall carry a challenge of this end's: a client opens the paths, and
    /// behind some NATs this is how it learns the address from which the server can reach it.
    /// </summary>
    public bool WantsChallengeInAnswer => IsActive && _side == Side.Client;

    /// <summary>
    /// An answer with a challenge left; see <see cref="WantsChallengeInAnswer"/>. It is the first probe of several: the server, which has its
    /// answer, sends no more of its own, and what it answers to this one may be lost. A path is opened there without waiting for that: where
    /// a probe came from, an answer arrives almost always, and the path is validated anyway.
    /// </summary>
    public void OnChallengeInAnswerSent(FourTuple address, SentProbe probe)
    {
        if (_search.OnChallengeInAnswerSent(address, probe))
            return;
        Try(probe.At, address.Remote);
        _round.OnSent(address.Remote, probe);
        if (_round.Contains(address.Remote))
            Open(address);
    }

    /// <summary>A PATH_RESPONSE arrived that no path has asked for. True if it answers a probe, from where that went.</summary>
    public bool OnResponse(Instant now, FourTuple address, ulong data)
    {
        if (!IsActive
            || !(_round.OnResponse(address.Remote, data, out Instant sentAt) || _search.OnResponse(now, address, data, out sentAt)))
            return false;
        if (_measured.Count == OpenedMax)
            _measured.Dequeue();
        _measured.Enqueue((address.Remote, now - sentAt, now));
        _events.Add(new ConnectionEvent(ConnectionEventKind.HolePunched, Address: address.Remote));
        if (_side == Side.Client)
            Open(address);
        return true;
    }

    /// <summary>How many holes there were: another number says that there is a new one.</summary>
    public int Holes { get; private set; }

    /// <summary>How long a probe to this address and its answer took; null if none was answered lately.</summary>
    public TimeSpan? RoundTripTimeTo(NetworkAddress remote)
    {
        TimeSpan? latest = null;
        foreach ((NetworkAddress address, TimeSpan time, _) in _measured)
            latest = address == remote ? time : latest;
        return latest;
    }

    /// <summary>
    /// Whether the peer has answered a probe to this address a moment ago: it receives there (RFC 9000 §8.2), so a path that its client opens
    /// from there need not be validated once more.
    /// </summary>
    public bool HasAnsweredLately(Instant now, NetworkAddress remote)
    {
        foreach ((NetworkAddress address, _, Instant at) in _measured)
        {
            if (address == remote && now - at < AnswerLifetime)
                return true;
        }

        return false;
    }

    /// <summary>At a client: the addresses of the oldest hole for which a path has to be opened.</summary>
    public bool TryPeekOpened(out FourTuple address)
    {
        address = _opened.Count > 0 ? _opened[0] : default;
        return _opened.Count > 0;
    }

    /// <summary>The path for the oldest hole is opened, or is there already, or cannot be.</summary>
    public void RemoveOpened() => _opened.RemoveAt(0);

    /// <summary>Owes the probes that are due.</summary>
    /// <param name="now">The present.</param>
    /// <param name="hasDirectPath">Whether a path leads to the peer over IP already.</param>
    public void HandleTimeout(Instant now, bool hasDirectPath)
    {
        _round.HandleTimeout(now);
        _search.HandleTimeout(now, hasDirectPath);
    }

    /// <summary>Writes the frames that are owed, as far as they fit.</summary>
    public void WriteFrames(ref WireWriter writer, SentFrameList frames)
    {
        if (!HasFrames)
            return;
        _announcements.WriteFrames(ref writer, frames);
        _reachOuts.WriteFrames(ref writer, frames);
        _search.WriteFrames(ref writer, frames);
    }

    /// <summary>A frame of this room was acknowledged.</summary>
    public void OnFrameAcknowledged(in SentFrame frame)
    {
        if (frame.Kind is SentFrameKind.AddAddress or SentFrameKind.RemoveAddress)
            _announcements.OnAcknowledged(frame);
    }

    /// <summary>A frame of this room was lost.</summary>
    public void OnFrameLost(in SentFrame frame)
    {
        switch (frame.Kind)
        {
            case SentFrameKind.ReachOut:
                _reachOuts.OnLost(frame);
                break;
            case SentFrameKind.NatMapping:
                _search.OnMappingLost(frame);
                break;
            case SentFrameKind.AddAddress or SentFrameKind.RemoveAddress:
                _announcements.OnLost(frame);
                break;
        }
    }

    private void Open(FourTuple address)
    {
        if (_opened.Contains(address))
            return;
        if (_opened.Count == OpenedMax)
            _opened.RemoveAt(0);
        _opened.Add(address);
        Holes++;
    }

    private void Try(Instant now, NetworkAddress address)
    {
        if (IsWorthTrying(address) && !_round.IsFull && !_round.Contains(address) && _budget.TryTakeTarget(now))
            _round.Add(now, address);
    }

    // An own address is one's own, and the own host concerns a peer only if it lives there too, which own candidates tell.
    private bool IsWorthTrying(NetworkAddress address) =>
        AddressRules.IsReachable(address)
        && !_local.Contains(address)
        && (!AddressRules.IsLoopback(address) || Array.Exists(_local, AddressRules.IsLoopback));

    private static TransportError NotNegotiated(ulong type) =>
        new(TransportErrorCode.ProtocolViolation, type, "NAT traversal was not negotiated.");
}
