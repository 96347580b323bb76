using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.NatTraversal;

/// <summary>
/// The waiting end of a port search: extra sockets, each of which gets a port of its own at the NAT by sending one probe to the other end,
/// and the requests that keep the other end searching.
/// <code>
/// idle --Want--> wanted --Open--> searching --OnArrival--> found --OnResponse, OnDirectPath--> proven
/// wanted, searching, found, proven --deadline--> idle, the sockets can go
/// </code>
/// Being found is not yet enough: the answer to it may be lost. So the socket asks in its turn, and the search goes on, until one is answered.
/// </summary>
internal sealed class SearchSockets
{
    /// <summary>Sockets of a search: the other end finds one of so many in seconds (see <see cref="PortScan.PortsMax"/>), and NATs bear as many.</summary>
    public const int CountMax = 256;

    /// <summary>
    /// A PORT_SEARCH of 1200 bytes buys 90 probes of 40 bytes at three to one, which at 1,000 a second last for 90 ms: asked a bit more often,
    /// the other end need not wait.
    /// </summary>
    private static readonly TimeSpan RequestInterval = TimeSpan.FromMilliseconds(75);

    /// <summary>From the wish for sockets to giving up: the scan takes 2.5 s, and the way there and back some more.</summary>
    private static readonly TimeSpan SearchTime = TimeSpan.FromSeconds(4);

    /// <summary>The time for opening a path from the socket that was found.</summary>
    private static readonly TimeSpan OpeningTime = TimeSpan.FromSeconds(3);

    /// <summary>Probes that are remembered: one per socket, the repeats in the time there is, and some in answers to what has arrived.</summary>
    private const int ProbesMax = 2 * CountMax;

    private readonly List<NetworkAddress> _sockets = [];
    private readonly List<(FourTuple Address, SentProbe Probe)> _probes = [];
    private NetworkAddress _target;
    private Instant _deadline = Instant.Never;
    private Instant _nextRequest = Instant.Never;
    private int _opened;
    private FourTuple _found;
    private bool _owesRepeat;

    /// <summary>Whether a search has begun and not ended.</summary>
    public bool IsBusy => _deadline != Instant.Never;

    /// <summary>Whether a PORT_SEARCH has to be sent.</summary>
    public bool OwesRequest { get; private set; }

    /// <summary>The socket at which the other end has arrived, the last one if there are several; unspecified if none.</summary>
    public NetworkAddress Found => _found.Local;

    /// <summary>When to call <see cref="HandleTimeout"/>, <see cref="Instant.Never"/> if not.</summary>
    public Instant NextTimeout => Instant.Min(_deadline, _nextRequest);

    /// <summary>Sockets were asked for, to be opened towards an address.</summary>
    public void Want(Instant now, NetworkAddress target)
    {
        _target = target;
        _found = default;
        _opened = 0;
        _deadline = now + SearchTime;
    }

    /// <summary>The sockets are there. Ignored unless they were wanted and there are none yet.</summary>
    /// <param name="now">The present.</param>
    /// <param name="sockets">Their local addresses, distinct from each other and from those of paths; at most <see cref="CountMax"/> are used.</param>
    public void Open(Instant now, ReadOnlySpan<NetworkAddress> sockets)
    {
        if (!IsBusy || _sockets.Count > 0 || sockets.IsEmpty)
            return;
        _sockets.AddRange(sockets[..Math.Min(sockets.Length, CountMax)]);
        _nextRequest = now + RequestInterval;
        OwesRequest = true;
    }

    /// <summary>The next probe: each socket sends one, and the one that was found repeats it. False if none is owed.</summary>
    public bool TryPeek(out FourTuple address)
    {
        address = _owesRepeat ? _found : _opened < _sockets.Count ? new FourTuple(_sockets[_opened], _target) : default;
        return _owesRepeat || _opened < _sockets.Count;
    }

    /// <summary>A probe left for the addresses of <see cref="TryPeek"/>.</summary>
    public void OnSent(SentProbe probe)
    {
        if (!TryPeek(out FourTuple address))
            return;
        Remember(address, probe);
        if (_owesRepeat)
            _owesRepeat = false;
        else
            _opened++;
    }

    /// <summary>An answer with a challenge in it left. False if not from one of the sockets.</summary>
    public bool OnChallengeInAnswerSent(FourTuple address, SentProbe probe)
    {
        if (!_sockets.Contains(address.Local))
            return false;
        Remember(address, probe);
        return true;
    }

    /// <summary>A PORT_SEARCH was written.</summary>
    public void OnRequestSent() => OwesRequest = false;

    /// <summary>A PATH_RESPONSE arrived. True if it answers a probe of the socket it came to, from where that went.</summary>
    public bool OnResponse(Instant now, FourTuple address, ulong data, out Instant sentAt)
    {
        int index = _probes.FindIndex(sent => sent.Probe.Challenge == data && sent.Address == address);
        sentAt = index >= 0 ? _probes[index].Probe.At : default;
        if (index < 0)
            return false;
        _found = address;
        Finish(now);
        return true;
    }

    /// <summary>There is a path over IP.</summary>
    public void OnDirectPath(Instant now)
    {
        if (_nextRequest != Instant.Never)
            Finish(now);
    }

    /// <summary>A packet of the peer's authenticated. If it came to one of the sockets, the other end has found a way to it.</summary>
    public void OnArrival(FourTuple address)
    {
        if (_nextRequest == Instant.Never || _found == address || !_sockets.Contains(address.Local))
            return;
        _found = address;
        _owesRepeat = true;
    }

    /// <summary>Owes the next request and the next repeat. True if the search has just ended.</summary>
    public bool HandleTimeout(Instant now)
    {
        if (now >= _deadline)
        {
            _sockets.Clear();
            _probes.Clear();
            OwesRequest = _owesRepeat = false;
            _deadline = _nextRequest = Instant.Never;
            return true;
        }

        if (now >= _nextRequest)
        {
            OwesRequest = true;
            _owesRepeat = !_found.Local.IsUnspecified;
            _nextRequest = now + RequestInterval;
        }

        return false;
    }

    private void Finish(Instant now)
    {
        OwesRequest = _owesRepeat = false;
        _opened = _sockets.Count;
        _nextRequest = Instant.Never;
        _deadline = now + OpeningTime;
    }

    private void Remember(FourTuple address, SentProbe probe)
    {
        if (_probes.Count < ProbesMax)
            _probes.Add((address, probe));
    }
}
