using System.Collections.Immutable;
using System.Net;

namespace Iroh.Base;

/// <summary>An endpoint's id together with the ways known to reach it; both may be shared freely. Immutable.</summary>
public sealed class EndpointAddress : IEquatable<EndpointAddress>
{
    /// <summary>An id and its addresses, which are sorted and made unique.</summary>
    public EndpointAddress(EndpointId id, IEnumerable<TransportAddress>? addresses = null)
    {
        Id = id;
        Addresses = addresses is null ? [] : addresses.ToImmutableSortedSet();
    }

    /// <summary>Who is meant.</summary>
    public EndpointId Id { get; }

    /// <summary>Where they may be, in the order of the wire; empty if only the id is known.</summary>
    public ImmutableSortedSet<TransportAddress> Addresses { get; }

    /// <summary>The UDP addresses among <see cref="Addresses"/>.</summary>
    public IEnumerable<IPEndPoint> DirectAddresses => Addresses.OfType<IpTransportAddress>().Select(address => address.EndPoint);

    /// <summary>The relays among <see cref="Addresses"/>.</summary>
    public IEnumerable<RelayUrl> RelayUrls => Addresses.OfType<RelayTransportAddress>().Select(address => address.Url);

    /// <summary>An address without any way to reach it: the id is looked up elsewhere.</summary>
    public static implicit operator EndpointAddress(EndpointId id) => FromEndpointId(id);

    /// <summary>An address without any way to reach it: the id is looked up elsewhere.</summary>
    public static EndpointAddress FromEndpointId(EndpointId id) => new(id);

    /// <inheritdoc/>
    public bool Equals(EndpointAddress? other) => other is not null && Id == other.Id && Addresses.SetEquals(other.Addresses);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as EndpointAddress);

    /// <inheritdoc/>
    public override int GetHashCode() => Id.GetHashCode();

    /// <summary>The id's short form and the addresses.</summary>
    public override string ToString() => $"{Id.ToShortString()} [{string.Join(", ", Addresses)}]";
}
