using System.Diagnostics.CodeAnalysis;
using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Paths;

/// <summary>An endpoint behind a relay.</summary>
/// <param name="Relay">The relay.</param>
/// <param name="Endpoint">Who is asked for there.</param>
internal sealed record RelayedEndpoint(RelayUrl Relay, EndpointId Endpoint);

/// <summary>
/// Gives endpoints behind relays the numbers by which QUIC knows them (<see cref="NetworkAddress.Virtual"/>). Anybody who can reach one of
/// our relays can make us give out a number, so only the last <see cref="Capacity"/> in use are kept; a number is never given out twice.
/// May be used from any thread.
/// </summary>
internal sealed class RelayAddressBook
{
    /// <summary>Some hundred bytes each. A connection in use keeps its entry young by keep-alives.</summary>
    public const int Capacity = 16_384;

    private readonly Lock _lock = new();
    private readonly Dictionary<RelayedEndpoint, LinkedListNode<Entry>> _byEndpoint = [];
    private readonly Dictionary<NetworkAddress, LinkedListNode<Entry>> _byAddress = [];
    private readonly LinkedList<Entry> _byUse = new();
    private ulong _last;

    /// <summary>The address of an endpoint behind a relay, the same as long as it is kept.</summary>
    public NetworkAddress AddressOf(RelayUrl relay, EndpointId endpoint)
    {
        var key = new RelayedEndpoint(relay, endpoint);
        lock (_lock)
        {
            if (_byEndpoint.TryGetValue(key, out LinkedListNode<Entry>? known))
            {
                Touch(known);
                return known.Value.Address;
            }

            if (_byUse.Count == Capacity)
                Remove(_byUse.First!);
            var node = new LinkedListNode<Entry>(new Entry(key, NetworkAddress.Virtual(++_last)));
            _byEndpoint.Add(key, node);
            _byAddress.Add(node.Value.Address, node);
            _byUse.AddLast(node);
            return node.Value.Address;
        }
    }

    /// <summary>Who an address stands for; false if it is no virtual one, or was forgotten.</summary>
    public bool TryFind(NetworkAddress address, [NotNullWhen(true)] out RelayedEndpoint? endpoint)
    {
        lock (_lock)
        {
            endpoint = null;
            if (!_byAddress.TryGetValue(address, out LinkedListNode<Entry>? node))
                return false;
            Touch(node);
            endpoint = node.Value.Endpoint;
            return true;
        }
    }

    private void Touch(LinkedListNode<Entry> node)
    {
        if (node == _byUse.Last)
            return;
        _byUse.Remove(node);
        _byUse.AddLast(node);
    }

    private void Remove(LinkedListNode<Entry> node)
    {
        _byUse.Remove(node);
        _byEndpoint.Remove(node.Value.Endpoint);
        _byAddress.Remove(node.Value.Address);
    }

    private readonly record struct Entry(RelayedEndpoint Endpoint, NetworkAddress Address);
}
