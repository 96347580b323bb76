using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.NatTraversal;

/// <summary>
/// The probes of one round: which addresses are tried, when again, and which answer belongs to which. Both ends use it, as a hole opens
/// when both send at about the same time.
/// <code>
/// Begin: no targets --Add--> a probe is owed to the target at once
/// owed --OnSent--> waiting --HandleTimeout--> owed again, until it was tried often enough
/// any --OnResponse--> answered: not tried any more
/// </code>
/// </summary>
internal sealed class ProbeRound
{
    /// <summary>
    /// Probes per address, as iroh sends: the first may only open the own NAT, some get lost, and whoever lives at a wrong address has to
    /// bear no more.
    /// </summary>
    public const int TriesMax = 9;

    /// <summary>The first retry comes after this part of the initial RTT, 33 ms by default: the light needs longer for 10,000 km.</summary>
    private const int RetryDivisor = 10;

    private static readonly TimeSpan IntervalMax = TimeSpan.FromSeconds(2);

    private readonly List<Target> _targets = [];
    private readonly int _targetsMax;
    private readonly TimeSpan _interval;
    private int _attempt;
    private int _owed;

    /// <summary>Creates a round without targets.</summary>
    /// <param name="targetsMax">How many addresses a round may try in all.</param>
    /// <param name="initialRtt">What is assumed of a path of which nothing is known.</param>
    public ProbeRound(int targetsMax, TimeSpan initialRtt)
    {
        _targetsMax = targetsMax;
        _interval = initialRtt / RetryDivisor;
    }

    /// <summary>When to call <see cref="HandleTimeout"/>, <see cref="Instant.Never"/> if nothing will be tried again.</summary>
    public Instant NextTimeout { get; private set; } = Instant.Never;

    /// <summary>Addresses in the round.</summary>
    public int TargetCount => _targets.Count;

    /// <summary>Whether the round can take another address.</summary>
    public bool IsFull => _targets.Count == _targetsMax;

    /// <summary>Throws the old round away, so that late answers to it mean nothing.</summary>
    public void Begin()
    {
        _targets.Clear();
        _attempt = _owed = 0;
        NextTimeout = Instant.Never;
    }

    /// <summary>Whether the address is tried in this round, or was.</summary>
    public bool Contains(NetworkAddress address) => IndexOf(address) >= 0;

    /// <summary>Adds an address, to which a probe is owed at once. Nothing happens if it is there or the round is full.</summary>
    public void Add(Instant now, NetworkAddress address)
    {
        if (IsFull || Contains(address))
            return;
        _targets.Add(new Target(address));
        _owed++;
        if (NextTimeout == Instant.Never)
            NextTimeout = now + Interval();
    }

    /// <summary>Stops trying an address: the peer has taken it back.</summary>
    public void Remove(NetworkAddress address)
    {
        int index = IndexOf(address);
        if (index < 0)
            return;
        _targets[index].Stop();
        Count();
    }

    /// <summary>The address that a probe is owed to, the one added first before others.</summary>
    public bool TryPeek(out NetworkAddress address)
    {
        int index = _owed == 0 ? -1 : _targets.FindIndex(static target => target.IsOwed);
        address = index >= 0 ? _targets[index].Address : default;
        return index >= 0;
    }

    /// <summary>A probe left.</summary>
    /// <param name="address">Where to.</param>
    /// <param name="probe">Its challenge and time.</param>
    public void OnSent(NetworkAddress address, SentProbe probe)
    {
        int index = IndexOf(address);
        if (index < 0)
            return;
        _targets[index].OnSent(probe);
        Count();
    }

    /// <summary>
    /// A PATH_RESPONSE arrived. True if it answers a probe of this round and comes from the address that was probed; another one would mean
    /// that somebody answers for it.
    /// </summary>
    /// <param name="source">Where it came from.</param>
    /// <param name="data">Its data.</param>
    /// <param name="sentAt">When the probe left.</param>
    public bool OnResponse(NetworkAddress source, ulong data, out Instant sentAt)
    {
        sentAt = default;
        int index = IndexOf(source);
        if (index < 0 || !_targets[index].IsAnswer(data, out sentAt))
            return false;
        _targets[index].Stop();
        _targets[index].Forget();
        Count();
        return true;
    }

    /// <summary>If the time has come, owes another probe to all addresses that did not answer and were not tried often enough.</summary>
    public void HandleTimeout(Instant now)
    {
        if (now < NextTimeout)
            return;
        _attempt++;
        bool isAnyLeft = false;
        foreach (Target target in _targets)
        {
            target.Retry();
            isAnyLeft |= target.HasRetries;
        }

        Count();
        NextTimeout = isAnyLeft ? now + Interval() : Instant.Never;
    }

    // 1, 1, 2, 4, ... times the first interval, so that the probes leave at 1, 2, 4, 8, ... of it.
    private TimeSpan Interval()
    {
        TimeSpan interval = _interval * Math.Pow(2, Math.Max(_attempt - 1, 0));
        return interval < IntervalMax ? interval : IntervalMax;
    }

    // Asked for with every packet, so kept.
    private void Count() => _owed = _targets.Count(static target => target.IsOwed);

    private int IndexOf(NetworkAddress address)
    {
        for (int i = 0; i < _targets.Count; i++)
        {
            if (_targets[i].Address == address)
                return i;
        }

        return -1;
    }

    private sealed class Target(NetworkAddress address)
    {
        private readonly SentProbe[] _probes = new SentProbe[TriesMax];
        private int _sent;
        private int _retries = TriesMax - 1;

        public NetworkAddress Address { get; } = address;

        public bool IsOwed { get; private set; } = true;

        public bool HasRetries => _retries > 0;

        public void OnSent(SentProbe probe)
        {
            IsOwed = false;
            _probes[_sent++ % TriesMax] = probe;
        }

        public bool IsAnswer(ulong data, out Instant sentAt)
        {
            foreach (SentProbe probe in _probes.AsSpan(0, Math.Min(_sent, TriesMax)))
            {
                sentAt = probe.At;
                if (probe.Challenge == data)
                    return true;
            }

            sentAt = default;
            return false;
        }

        // A probe that could not leave in time is not owed twice.
        public void Retry()
        {
            if (_retries == 0)
                return;
            _retries--;
            IsOwed = true;
        }

        // One answer is enough: no other means anything.
        public void Forget() => _sent = 0;

        public void Stop() => (IsOwed, _retries) = (false, 0);
    }
}
