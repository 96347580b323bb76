using Iroh.Base;

namespace Iroh.Gossip.Links;

/// <summary>
/// Where peers are, as they and others said. It is only hearsay, so only so much is kept; whoever dials adds what the endpoint's look-ups know.
/// Not thread-safe.
/// </summary>
internal sealed class LearnedAddresses
{
    /// <summary>Peers that are remembered: the views of many topics; the one that nothing was heard of for longest goes.</summary>
    public const int PeersMax = 1024;

    private readonly Dictionary<EndpointId, LinkedListNode<EndpointAddress>> _addresses = [];
    private readonly LinkedList<EndpointAddress> _byAge = new();

    /// <summary>Replaces what was known of a peer.</summary>
    public void Set(EndpointAddress address)
    {
        if (address.Addresses.IsEmpty)
            return;
        if (_addresses.Remove(address.Id, out LinkedListNode<EndpointAddress>? known))
        {
            _byAge.Remove(known);
        }
        else if (_addresses.Count == PeersMax)
        {
            _addresses.Remove(_byAge.First!.Value.Id);
            _byAge.RemoveFirst();
        }

        _addresses.Add(address.Id, _byAge.AddLast(address));
    }

    /// <summary>What is known of a peer; its bare id if that is nothing.</summary>
    public EndpointAddress Find(EndpointId peer) =>
        _addresses.TryGetValue(peer, out LinkedListNode<EndpointAddress>? known) ? known.Value : peer;
}
