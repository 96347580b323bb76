using Iroh.Base;

namespace Iroh.Relay.Client;

/// <summary>The peers that have been heard over one relay and have not left it. Thread-safe.</summary>
internal sealed class RelayPeers
{
    /// <summary>How many are remembered. When there are more, all are forgotten: whoever is still there is heard again soon.</summary>
    public const int Capacity = 4096;

    private readonly Lock _lock = new();
    private readonly HashSet<EndpointId> _peers = [];
    private EndpointId _last;

    /// <summary>A peer was heard.</summary>
    public void Add(EndpointId peer)
    {
        lock (_lock)
        {
            if (peer == _last && _peers.Count > 0)
                return;
            if (_peers.Count >= Capacity)
                _peers.Clear();
            _peers.Add(peer);
            _last = peer;
        }
    }

    /// <summary>A peer has left.</summary>
    public void Remove(EndpointId peer)
    {
        lock (_lock)
        {
            _peers.Remove(peer);
            _last = default;
        }
    }

    /// <summary>Whether a peer is there.</summary>
    public bool Contains(EndpointId peer)
    {
        lock (_lock)
            return _peers.Contains(peer);
    }

    /// <summary>The connection has ended: who is there is not known any more.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _peers.Clear();
            _last = default;
        }
    }
}
