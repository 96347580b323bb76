using Iroh.Base;

namespace Iroh.Gossip.Membership;

/// <summary>
/// Peers that went silent without a word, in the order in which they are to be tried again. They may be beyond a cut of the network:
/// without them two halves of a topic would never find each other again.
/// </summary>
internal sealed class LostPeers
{
    /// <summary>How many are remembered, the last ones lost: a few that come back are enough, as they know others.</summary>
    public const int Capacity = 8;

    /// <summary>How often one is tried before it is forgotten: with one attempt a minute for eight peers, some hours.</summary>
    public const int AttemptsMax = 30;

    private readonly LinkedList<(EndpointId Peer, int Attempts)> _peers = new();

    public int Count => _peers.Count;

    public bool Contains(EndpointId peer) => _peers.Any(lost => lost.Peer == peer);

    /// <summary>Remembers a peer unless it is there.</summary>
    public void Add(EndpointId peer)
    {
        if (Contains(peer))
            return;
        if (_peers.Count == Capacity)
            _peers.RemoveFirst();
        _peers.AddLast((peer, 0));
    }

    public void Remove(EndpointId peer)
    {
        for (LinkedListNode<(EndpointId Peer, int Attempts)>? node = _peers.First; node is not null; node = node.Next)
        {
            if (node.Value.Peer != peer)
                continue;
            _peers.Remove(node);
            return;
        }
    }

    /// <summary>The one whose turn it is; it stays until it answers or has been tried too often. Null if there is none.</summary>
    public EndpointId? Next()
    {
        if (_peers.First is not { } node)
            return null;
        _peers.RemoveFirst();
        (EndpointId peer, int attempts) = node.Value;
        if (attempts + 1 < AttemptsMax)
            _peers.AddLast((peer, attempts + 1));
        return peer;
    }
}
