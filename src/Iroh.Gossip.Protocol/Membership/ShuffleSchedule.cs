using Iroh.Cryptography;

namespace Iroh.Gossip.Membership;

/// <summary>
/// When a peer shuffles: rarely while nothing happens; soon after a disturbance, and then less and less often until it is as rarely as before.
/// </summary>
internal sealed class ShuffleSchedule
{
    private readonly TimeSpan _delayMin;
    private readonly TimeSpan _delayMax;
    private readonly RandomSource _random;
    private TimeSpan _delay;

    public ShuffleSchedule(TimeSpan now, GossipConfiguration configuration, RandomSource random)
    {
        _delayMax = configuration.ShuffleInterval;
        _delayMin = configuration.UnsettledShuffleDelay < _delayMax ? configuration.UnsettledShuffleDelay : _delayMax;
        _random = random;
        _delay = _delayMax;
        // Spread, so that peers that start together do not shuffle together.
        DueAt = now + Part(_delay, 50, 150);
    }

    /// <summary>When the next shuffle is due.</summary>
    public TimeSpan DueAt { get; private set; }

    /// <summary>Whether there was a change lately: as long as shuffles are not as rare as they will be.</summary>
    public bool IsUnsettled => _delay < _delayMax;

    /// <summary>A neighbor is gone.</summary>
    public void OnDisturbance(TimeSpan now)
    {
        _delay = _delayMin;
        Hasten(now + Part(_delay, 50, 150));
    }

    /// <summary>A neighbor was found, and nobody else is known. It may soon be gone, and is asked for others before.</summary>
    public void OnFirstNeighbor(TimeSpan now)
    {
        _delay = _delayMin / 2;
        Hasten(now + Part(_delayMin, 5, 15));
    }

    /// <summary>A shuffle is being done.</summary>
    public void OnShuffle(TimeSpan now)
    {
        _delay = _delay * 2 < _delayMax ? _delay * 2 : _delayMax;
        DueAt = now + Part(_delay, 90, 110);
    }

    private void Hasten(TimeSpan soon) => DueAt = soon < DueAt ? soon : DueAt;

    private TimeSpan Part(TimeSpan whole, int percentMin, int percentMax) =>
        whole * (percentMin + (int)_random.NextBelow((ulong)(percentMax - percentMin + 1))) / 100;
}
