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
/// paths; where the client gets an answer from, it opens a path.
/// <code>
/// server:  SetLocalCandidates -> ADD_ADDRESS, REMOVE_ADDRESS      REACH_OUT of a new round -> probes      answer -> HolePunched
/// client:  ADD_ADDRESS, REMOVE_ADDRESS -> PeerCandidates          Start -> REACH_OUT and probes           answer -> HolePunched, a path to open
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

    /// <summary>Challenges that a client has put into its answers to probes and still remembers: those of one round of a server.</summary>
    private const int ReturnedMax = 32;

    private readonly Side _side;
    private readonly int _addressesMax;
    private readonly ConnectionEvents _events;
    private readonly ProbeBudget _budget = new();
    private readonly ProbeRound _round;
    private readonly CandidateAnnouncements _announcements = new();
    private readonly ReachOuts _reachOuts = new();
    private readonly PeerCandidateSet _peerCandidates;
    private readonly Queue<(NetworkAddress Address, ulong Challenge)> _returned = new();
    private readonly List<FourTuple> _opened = [];
    private NetworkAddress[] _local = [];
    private int _peerAddressesMax;
    private ulong _serverRound;

    /// <summary>Creates the room; nothing happens before <see cref="Activate"/>.</summary>
    /// <param name="side">Which end this is.</param>
    /// <param name="addressesMax">How many of the peer's addresses this end holds, 0 to 255; 0: it takes no part.</param>
    /// <param name="initialRtt">What is assumed of a path of which nothing is known: the measure of retries.</param>
    /// <param name="events">Gets PeerCandidatesChanged and HolePunched.</param>
    public HolePunching(Side side, int addressesMax, TimeSpan initialRtt, ConnectionEvents events)
    {
        _side = side;
        _addressesMax = addressesMax;
        _events = events;
        _round = new ProbeRound(addressesMax, initialRtt);
        _peerCandidates = new PeerCandidateSet(addressesMax);
    }

    /// <summary>Whether both ends take part and the connection is ready for it.</summary>
    public bool IsActive { get; private set; }

    /// <summary>The server's candidates as this client knows them; empty at a server.</summary>
    public IReadOnlyCollection<NetworkAddress> PeerCandidates => _peerCandidates.Addresses;

    /// <summary>When to call <see cref="HandleTimeout"/>, <see cref="Instant.Never"/> if not.</summary>
    public Instant NextTimeout => _round.NextTimeout;

    /// <summary>Whether there are frames to send.</summary>
    public bool HasFrames => IsActive && (_announcements.HasFrames || _reachOuts.HasFrames);

    /// <summary>
    /// The handshake is confirmed, and there is multipath: without it there could be no other path than the first. Takes effect if both ends
    /// hold addresses.
    /// </summary>
    /// <param name="peerAddressesMax">The peer's transport parameter, 0 if it was absent.</param>
    public void Activate(int peerAddressesMax)
    {
        _peerAddressesMax = peerAddressesMax;
        IsActive = _addressesMax > 0 && peerAddressesMax > 0;
        if (IsActive && _side == Side.Server)
            _announcements.SetLimit(peerAddressesMax);
    }

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
    /// A client starts a round: probes go to all candidates of the server, and the server is asked to do the same. What is left of the
    /// round before is thrown away.
    /// </summary>
    /// <returns>False for a server, if NAT traversal was not negotiated, or without a candidate of this end's.</returns>
    public bool Start(Instant now)
    {
        if (!IsActive || _side != Side.Client || _local.Length == 0)
            return false;
        _round.Begin();
        _returned.Clear();
        _opened.Clear();
        _reachOuts.Begin(_local.AsSpan(0, Math.Min(_local.Length, _peerAddressesMax)));
        foreach (NetworkAddress candidate in _peerCandidates.Addresses)
            Try(now, candidate);
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
        if (_round.NextTimeout != Instant.Never)
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
        }

        if (_round.Contains(frame.Address) || !IsWorthTrying(frame.Address))
            return null;
        if (_round.IsFull)
            return new TransportError(TransportErrorCode.ProtocolViolation, type, $"More than {_addressesMax} addresses in a round.");
        Try(now, frame.Address);
        return null;
    }

    /// <summary>A datagram with a packet that authenticated arrived.</summary>
    public void OnReceived(int datagramLength) => _budget.OnReceived(datagramLength);

    /// <summary>Where the next probe goes, the local address left to the system. False if none is owed or the budget does not allow one.</summary>
    public bool TryPeekProbe(out FourTuple address)
    {
        address = default;
        if (!IsActive || !_budget.AllowsProbe || !_round.TryPeek(out NetworkAddress remote))
            return false;
        address = new FourTuple(default, remote);
        return true;
    }

    /// <summary>A probe left.</summary>
    /// <param name="address">That of <see cref="TryPeekProbe"/>.</param>
    /// <param name="challenge">The data of its PATH_CHALLENGE, random.</param>
    /// <param name="length">Bytes of its datagram.</param>
    public void OnProbeSent(FourTuple address, ulong challenge, int length)
    {
        _budget.OnProbeSent(length);
        _round.OnSent(address.Remote, challenge);
    }

    /// <summary>
    /// A PATH_CHALLENGE came from where no path is. Whether its answer shall carry a challenge of this end's: a client opens the paths, and
    /// behind some NATs this is how it learns the address from which the server can reach it.
    /// </summary>
    public bool WantsChallengeInAnswer => IsActive && _side == Side.Client;

    /// <summary>An answer with a challenge left; see <see cref="WantsChallengeInAnswer"/>.</summary>
    public void OnChallengeInAnswerSent(FourTuple address, ulong challenge)
    {
        if (_returned.Count == ReturnedMax)
            _returned.Dequeue();
        _returned.Enqueue((address.Remote, challenge));
    }

    /// <summary>A PATH_RESPONSE arrived that no path has asked for. True if it answers a probe, from where that went.</summary>
    public bool OnResponse(FourTuple address, ulong data)
    {
        if (!IsActive || (!_round.OnResponse(address.Remote, data) && !_returned.Contains((address.Remote, data))))
            return false;
        _events.Add(new ConnectionEvent(ConnectionEventKind.HolePunched, Address: address.Remote));
        if (_side == Side.Server || _opened.Contains(address))
            return true;
        if (_opened.Count == OpenedMax)
            _opened.RemoveAt(0);
        _opened.Add(address);
        return true;
    }

    /// <summary>At a client: the addresses of the oldest hole for which a path has to be opened.</summary>
    public bool TryPeekOpened(out FourTuple address)
    {
        address = _opened.Count > 0 ? _opened[0] : default;
        return _opened.Count > 0;
    }

    /// <summary>The path for the oldest hole is opened, or is there already, or cannot be.</summary>
    public void RemoveOpened() => _opened.RemoveAt(0);

    /// <summary>Owes the probes that are due to be repeated.</summary>
    public void HandleTimeout(Instant now) => _round.HandleTimeout(now);

    /// <summary>Writes the frames that are owed, as far as they fit.</summary>
    public void WriteFrames(ref WireWriter writer, SentFrameList frames)
    {
        if (!IsActive)
            return;
        _announcements.WriteFrames(ref writer, frames);
        _reachOuts.WriteFrames(ref writer, frames);
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
        if (frame.Kind == SentFrameKind.ReachOut)
            _reachOuts.OnLost(frame);
        else
            _announcements.OnLost(frame);
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
