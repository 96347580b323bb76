using Iroh.Base;
using Iroh.Cryptography;

namespace Iroh.Gossip.Membership;

/// <summary>A few peers of which random ones are picked. Small enough for a list; its order is that of insertion, so that a seed replays.</summary>
/// <param name="capacity">How many it holds.</param>
internal sealed class PeerSet(int capacity)
{
    private readonly List<EndpointId> _peers = [];

    public int Count => _peers.Count;

    public bool IsFull => _peers.Count >= capacity;

    public IReadOnlyList<EndpointId> All => _peers;

    public bool Contains(EndpointId peer) => _peers.Contains(peer);

    /// <summary>Adds a peer. False if it was there, or there is no room.</summary>
    public bool Add(EndpointId peer)
    {
        if (IsFull || Contains(peer))
            return false;
        _peers.Add(peer);
        return true;
    }

    public bool Remove(EndpointId peer) => _peers.Remove(peer);

    public void Clear() => _peers.Clear();

    /// <summary>A random peer among those that fit; null if none does.</summary>
    public EndpointId? Pick(RandomSource random, Func<EndpointId, bool>? fits = null)
    {
        EndpointId[] candidates = fits is null ? [.. _peers] : [.. _peers.Where(fits)];
        return candidates.Length == 0 ? null : candidates[(int)random.NextBelow((ulong)candidates.Length)];
    }

    /// <summary>Up to <paramref name="count"/> random peers without <paramref name="except"/>, in random order.</summary>
    public List<EndpointId> Sample(RandomSource random, int count, EndpointId? except = null)
    {
        List<EndpointId> candidates = [.. _peers.Where(peer => peer != except)];
        for (int i = 0; i < candidates.Count && i < count; i++)
        {
            int other = i + (int)random.NextBelow((ulong)(candidates.Count - i));
            (candidates[i], candidates[other]) = (candidates[other], candidates[i]);
        }

        return candidates.Count <= count ? candidates : candidates[..count];
    }
}
