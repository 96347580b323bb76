using Iroh.Cryptography;
using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.NatTraversal;

/// <summary>
/// Finds a way between a NAT that maps by destination, at one end, and one that lets in only what it has sent to, at the other
/// (docs/decisions/0013-port-search.md). Only when both ends have announced that they can.
/// <code>
/// both:     mapping known -> NAT_MAPPING
/// waiting:  round without success, own mapping varies, the peer's does not -> sockets -> probes from each, PORT_SEARCH again and again
/// scanning: PORT_SEARCH -> probes to ports of the peer's address, as many as its requests pay for
/// </code>
/// </summary>
internal sealed class PortSearch
{
    /// <summary>Holes that open without a search open with the first probes; so long nothing is lost by waiting for them.</summary>
    private static readonly TimeSpan PatienceWithRound = TimeSpan.FromMilliseconds(250);

    /// <summary>From one search to the next of this end: what failed with 99.996 % for it fails for another reason, which may pass.</summary>
    private static readonly TimeSpan WaitingPause = TimeSpan.FromSeconds(30);

    /// <summary>From one search for the peer to the next: less than it should wait, so that ends need not agree on time.</summary>
    private static readonly TimeSpan ScanningPause = TimeSpan.FromSeconds(10);

    private readonly bool _isWanted;
    private readonly RandomSource _random;
    private readonly ConnectionEvents _events;
    private readonly SearchSockets _sockets = new();
    private readonly PortScan _scan = new();
    private NatMapping? _own;
    private NatMapping? _peer;
    private ulong? _peerMappingSequence;
    private ulong _mappingSequence;
    private bool _owesMapping;
    private ulong _round;
    private ulong _peerRound;
    private bool _isRoundScanned;
    private bool _hasRoundBegun;
    private Instant _checkAt = Instant.Never;
    private Instant _nextSearch = new(long.MinValue);
    private Instant _nextScan = new(long.MinValue);

    /// <summary>Creates the room; nothing happens before <see cref="Activate"/>.</summary>
    /// <param name="isWanted">Whether this end takes part.</param>
    /// <param name="random">Chooses ports.</param>
    /// <param name="events">Gets PortSearchSocketsWanted and PortSearchEnded.</param>
    public PortSearch(bool isWanted, RandomSource random, ConnectionEvents events)
    {
        _isWanted = isWanted;
        _random = random;
        _events = events;
    }

    /// <summary>Whether both ends take part.</summary>
    public bool IsActive { get; private set; }

    /// <summary>When to call <see cref="HandleTimeout"/>, <see cref="Instant.Never"/> if not.</summary>
    public Instant NextTimeout => Instant.Min(Instant.Min(_sockets.NextTimeout, _scan.NextTimeout), _checkAt);

    /// <summary>Whether there are frames to send.</summary>
    public bool HasFrames => IsActive && (_owesMapping || _sockets.OwesRequest);

    /// <summary>NAT traversal is active, and it is known whether the peer announced searches.</summary>
    public void Activate(bool isPeerWilling) => IsActive = _isWanted && isPeerWilling;

    /// <summary>How this end's NAT maps, from now on.</summary>
    public void SetMapping(Instant now, NatMapping mapping)
    {
        if (mapping == _own || !IsPublic(mapping.Address))
            return;
        _own = mapping;
        CheckSoon(now);
        _mappingSequence++;
        _owesMapping = true;
    }

    /// <summary>NAT_MAPPING arrived.</summary>
    /// <returns>PROTOCOL_VIOLATION if searches were not negotiated.</returns>
    public TransportError? OnMapping(Instant now, in NatMappingFrame frame)
    {
        if (!IsActive)
            return NotNegotiated(frame.Address.IsIPv4 ? FrameType.NatMappingIPv4 : FrameType.NatMappingIPv6);
        if (frame.SequenceNumber <= _peerMappingSequence)
            return null;
        _peerMappingSequence = frame.SequenceNumber;
        _peer = IsPublic(frame.Address) ? new NatMapping(frame.Address, frame.VariesByDestination) : null;
        CheckSoon(now);
        return null;
    }

    /// <summary>PORT_SEARCH arrived: the search begins, or goes on.</summary>
    /// <returns>PROTOCOL_VIOLATION if searches were not negotiated.</returns>
    public TransportError? OnSearch(Instant now, in PortSearchFrame frame)
    {
        if (!IsActive)
            return NotNegotiated(FrameType.PortSearch);
        if (frame.Round < _peerRound)
            return null;
        if (frame.Round > _peerRound)
        {
            _peerRound = frame.Round;
            _isRoundScanned = false;
            _scan.Stop();
        }

        if (_isRoundScanned)
            _scan.OnAsked(now);
        if (_isRoundScanned || now < _nextScan || !CanMeet(waiting: _peer, scanning: _own))
            return null;
        _isRoundScanned = true;
        _nextScan = now + ScanningPause;
        _scan.Start(now, _peer!.Value.Address, _random);
        return null;
    }

    /// <summary>A round of probes has begun here: if it has no success, a search is worth thinking of.</summary>
    public void OnRound(Instant now)
    {
        _hasRoundBegun = true;
        CheckSoon(now);
    }

    /// <summary>The sockets of PortSearchSocketsWanted are there.</summary>
    public void OpenSockets(Instant now, ReadOnlySpan<NetworkAddress> sockets) => _sockets.Open(now, sockets);

    /// <summary>A packet of the peer's authenticated.</summary>
    public void OnArrival(FourTuple address) => _sockets.OnArrival(address);

    /// <summary>An answer with a challenge in it left. False if not from one of the search's sockets.</summary>
    public bool OnChallengeInAnswerSent(FourTuple address, SentProbe probe) => _sockets.OnChallengeInAnswerSent(address, probe);

    /// <summary>A PATH_RESPONSE arrived. True if it answers a probe of this room.</summary>
    /// <param name="now">The present.</param>
    /// <param name="address">Where it came from and to.</param>
    /// <param name="data">Its data.</param>
    /// <param name="sentAt">When the probe left.</param>
    public bool OnResponse(Instant now, FourTuple address, ulong data, out Instant sentAt) =>
        _sockets.OnResponse(now, address, data, out sentAt) || _scan.OnResponse(address.Remote, data, out sentAt);

    /// <summary>Where the next probe goes, and from which socket if not the usual one. False if none is owed now.</summary>
    public bool TryPeekProbe(out FourTuple address)
    {
        if (_sockets.TryPeek(out address))
            return true;
        bool isOwed = _scan.TryPeek(out NetworkAddress remote);
        address = new FourTuple(default, remote);
        return isOwed;
    }

    /// <summary>A probe left for the addresses of <see cref="TryPeekProbe"/>.</summary>
    public void OnProbeSent(SentProbe probe)
    {
        if (_sockets.TryPeek(out _))
            _sockets.OnSent(probe);
        else
            _scan.OnSent(probe);
    }

    /// <summary>Handles the timers that have expired.</summary>
    /// <param name="now">The present.</param>
    /// <param name="hasDirectPath">Whether a path leads to the peer over IP, so that nothing need be searched.</param>
    public void HandleTimeout(Instant now, bool hasDirectPath)
    {
        _scan.HandleTimeout(now);
        if (hasDirectPath)
            _sockets.OnDirectPath(now);
        if (_sockets.HandleTimeout(now))
            _events.Add(new ConnectionEvent(ConnectionEventKind.PortSearchEnded, Address: _sockets.Found));
        if (now < _checkAt)
            return;
        _checkAt = Instant.Never;
        if (hasDirectPath || now < _nextSearch || !CanMeet(waiting: _own, scanning: _peer))
            return;
        _nextSearch = now + WaitingPause;
        _round++;
        _sockets.Want(now, _peer!.Value.Address);
        _events.Add(new ConnectionEvent(ConnectionEventKind.PortSearchSocketsWanted, Code: SearchSockets.CountMax));
    }

    /// <summary>Writes the frames that are owed, as far as they fit.</summary>
    public void WriteFrames(ref WireWriter writer, SentFrameList frames)
    {
        if (!IsActive)
            return;
        if (_owesMapping && _own is { } own)
        {
            var mapping = new NatMappingFrame(_mappingSequence, own.VariesByDestination, own.Address);
            if (writer.Remaining < mapping.EncodedLength)
                return;
            mapping.Write(ref writer);
            frames.Add(new SentFrame(SentFrameKind.NatMapping, false, 0, _mappingSequence, 0));
            _owesMapping = false;
        }

        var search = new PortSearchFrame(_round);
        if (!_sockets.OwesRequest || writer.Remaining < search.EncodedLength)
            return;
        search.Write(ref writer);
        frames.Add(new SentFrame(SentFrameKind.PortSearch, false, 0, _round, 0));
        _sockets.OnRequestSent();
    }

    /// <summary>A NAT_MAPPING was lost: repeated unless a later one has taken its place.</summary>
    public void OnMappingLost(in SentFrame frame) => _owesMapping |= frame.A == _mappingSequence;

    // What is decided depends on both mappings, and a net report may take longer than the first rounds.
    private void CheckSoon(Instant now)
    {
        if (IsActive && _hasRoundBegun && !_sockets.IsBusy && _checkAt == Instant.Never)
            _checkAt = now + PatienceWithRound;
    }

    // The ports of the own host are nobody's to try.
    private static bool IsPublic(NetworkAddress address) => AddressRules.IsReachable(address) && !AddressRules.IsLoopback(address);

    // One end's mapping varies and the other's does not, both of one family, and not behind the same NAT.
    private static bool CanMeet(NatMapping? waiting, NatMapping? scanning) =>
        waiting is { VariesByDestination: true } w && scanning is { VariesByDestination: false } s
        && w.Address.IsIPv4 == s.Address.IsIPv4 && !w.Address.HasSameAddress(s.Address);

    private static TransportError NotNegotiated(ulong type) =>
        new(TransportErrorCode.ProtocolViolation, type, "Port searches were not negotiated.");
}
