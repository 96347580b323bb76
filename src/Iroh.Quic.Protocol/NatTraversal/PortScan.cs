using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.NatTraversal;

/// <summary>
/// The searching end of a port search: probes to ports of the other end's public address, one after the other at a bounded rate, until one
/// is answered, the last was tried, or the other end asks no more.
/// <code>
/// idle --Start--> scanning --OnResponse, all ports tried, not asked for a while, Stop--> idle
/// </code>
/// </summary>
internal sealed class PortScan
{
    /// <summary>
    /// Ports that are tried in a search. With 256 sockets waiting behind 64,512 ports one of them is found with a probability of 86 % after
    /// 500, 99 % after 1,160 and 99.996 % after this many.
    /// </summary>
    public const int PortsMax = 2_500;

    /// <summary>Ports that are tried in a second: 40 kB/s, a search of 2.5 s at most.</summary>
    public const int PortsPerSecond = 1_000;

    /// <summary>How many probes leave together after a timer was late or the budget was empty: 2 kB, which no queue on the way minds.</summary>
    private const int BurstMax = 50;

    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);

    /// <summary>A search goes on for so long after it was asked for: several times the interval of PORT_SEARCH.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(500);

    private readonly List<SentProbe> _probes = [];
    private NetworkAddress _host;
    private PortOrder _order;
    private Instant _lastTick;
    private Instant _end;
    private int _owed;

    /// <summary>When to call <see cref="HandleTimeout"/>, <see cref="Instant.Never"/> if nothing is searched.</summary>
    public Instant NextTimeout { get; private set; } = Instant.Never;

    /// <summary>Whether a search is going on.</summary>
    public bool IsScanning => NextTimeout != Instant.Never;

    /// <summary>Starts a search; answers to an earlier one mean nothing any more.</summary>
    /// <param name="now">The present.</param>
    /// <param name="host">The address whose ports are tried; its port does not matter.</param>
    /// <param name="random">Chooses the order of the ports.</param>
    public void Start(Instant now, NetworkAddress host, RandomSource random)
    {
        _probes.Clear();
        _host = host;
        _order = new PortOrder(random);
        _owed = 0;
        _lastTick = now;
        NextTimeout = now + Tick;
        OnAsked(now);
    }

    /// <summary>The other end still asks for the search.</summary>
    public void OnAsked(Instant now) => _end = now + Patience;

    /// <summary>Ends the search. Answers to what was sent still count.</summary>
    public void Stop()
    {
        _owed = 0;
        NextTimeout = Instant.Never;
    }

    /// <summary>Owes the probes for which the time has come.</summary>
    public void HandleTimeout(Instant now)
    {
        if (now < NextTimeout)
            return;
        int left = PortsMax - _probes.Count;
        if (left == 0 || now >= _end)
        {
            Stop();
            return;
        }

        int due = (int)Math.Min((now - _lastTick).TotalSeconds * PortsPerSecond, BurstMax);
        _owed = Math.Min(Math.Min(_owed + due, BurstMax), left);
        _lastTick = now;
        NextTimeout = now + Tick;
    }

    /// <summary>Where the next probe goes. False if none is owed now.</summary>
    public bool TryPeek(out NetworkAddress address)
    {
        address = _owed > 0 ? _host.WithPort(_order[_probes.Count]) : default;
        return _owed > 0;
    }

    /// <summary>A probe left for the address of <see cref="TryPeek"/>.</summary>
    public void OnSent(SentProbe probe)
    {
        _probes.Add(probe);
        _owed--;
    }

    /// <summary>A PATH_RESPONSE arrived. True, and the search ends, if it answers a probe from where that went.</summary>
    public bool OnResponse(NetworkAddress source, ulong data, out Instant sentAt)
    {
        sentAt = default;
        int index = _probes.FindIndex(probe => probe.Challenge == data);
        if (index < 0 || _host.WithPort(_order[index]) != source)
            return false;
        sentAt = _probes[index].At;
        Stop();
        return true;
    }
}
