using Iroh.Base;

namespace Iroh.Gossip.Links;

/// <summary>
/// Where peers are, as they and others said. It is only hearsay, so it is kept for some minutes; whoever dials adds what the endpoint's
/// look-ups know. Not thread-safe.
/// </summary>
internal sealed class LearnedAddresses
{
    /// <summary>Peers that are remembered: many topics' views; the oldest goes.</summary>
    public const int PeersMax = 1024;

    /// <summary>How long.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromMinutes(5);

    private readonly Dictionary<EndpointId, (EndpointAddress Address, TimeSpan At)> _addresses = [];

    /// <summary>Replaces what was known of a peer.</summary>
    public void Set(TimeSpan now, EndpointAddress address)
    {
        if (address.Addresses.IsEmpty)
            return;
        if (_addresses.Count >= PeersMax && !_addresses.ContainsKey(address.Id))
        {
            foreach (EndpointId old in _addresses.Where(known => known.Value.At + Retention <= now).Select(known => known.Key).ToArray())
                _addresses.Remove(old);
            if (_addresses.Count >= PeersMax)
                _addresses.Remove(_addresses.MinBy(known => known.Value.At).Key);
        }

        _addresses[address.Id] = (address, now);
    }

    /// <summary>What is known of a peer; its bare id if that is nothing.</summary>
    public EndpointAddress Find(TimeSpan now, EndpointId peer) =>
        _addresses.TryGetValue(peer, out (EndpointAddress Address, TimeSpan At) known) && known.At + Retention > now ? known.Address : peer;
}
