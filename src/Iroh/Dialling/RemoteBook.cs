using Iroh.Base;

namespace Iroh.Dialling;

/// <summary>
/// Where other endpoints were said or seen to be: from tickets, look-ups and connections. Anybody may make us learn addresses, so endpoints
/// and their addresses are kept in the order of their last use, and only so many. May be used from any thread.
/// </summary>
internal sealed class RemoteBook
{
    /// <summary>Endpoints that are remembered; at 100 bytes an address some megabytes.</summary>
    public const int RemotesMax = 2048;

    /// <summary>Addresses of one endpoint: iroh keeps 30 beside relays, and a dial goes to each of them.</summary>
    public const int AddressesMax = 32;

    private readonly Lock _lock = new();
    private readonly Dictionary<EndpointId, LinkedListNode<Remote>> _remotes = [];
    private readonly LinkedList<Remote> _byUse = new();

    /// <summary>Remembers addresses, or that they are still current. True if one of them is new.</summary>
    public bool Add(EndpointId id, IEnumerable<TransportAddress> addresses)
    {
        lock (_lock)
        {
            Remote remote = Use(id);
            bool isNew = false;
            foreach (TransportAddress address in addresses)
            {
                isNew |= !remote.Addresses.Remove(address);
                remote.Addresses.Add(address);
                if (remote.Addresses.Count > AddressesMax)
                    remote.Addresses.RemoveAt(0);
            }

            return isNew;
        }
    }

    /// <summary>The addresses of an endpoint, the last learnt or confirmed first; empty if nothing is known.</summary>
    public IReadOnlyList<TransportAddress> Find(EndpointId id)
    {
        lock (_lock)
            return _remotes.TryGetValue(id, out LinkedListNode<Remote>? node) ? [.. Enumerable.Reverse(node.Value.Addresses)] : [];
    }

    private Remote Use(EndpointId id)
    {
        if (_remotes.TryGetValue(id, out LinkedListNode<Remote>? node))
        {
            _byUse.Remove(node);
        }
        else
        {
            if (_remotes.Count == RemotesMax)
            {
                _remotes.Remove(_byUse.First!.Value.Id);
                _byUse.RemoveFirst();
            }

            node = new LinkedListNode<Remote>(new Remote(id));
            _remotes.Add(id, node);
        }

        _byUse.AddLast(node);
        return node.Value;
    }

    private sealed class Remote(EndpointId id)
    {
        public EndpointId Id { get; } = id;

        public List<TransportAddress> Addresses { get; } = [];
    }
}
