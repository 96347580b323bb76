using System.Net;
using System.Net.Sockets;

namespace Iroh.Base;

/// <summary>One way to reach an endpoint. Ordered as on the wire: relays, then IPv4, then IPv6 addresses.</summary>
public abstract class TransportAddress : IEquatable<TransportAddress>, IComparable<TransportAddress>
{
    private protected TransportAddress()
    {
    }

    /// <summary>An address and UDP port; IPv4-mapped IPv6 addresses become IPv4.</summary>
    public static TransportAddress Ip(IPEndPoint endPoint) => new IpTransportAddress(endPoint);

    /// <summary>A relay through which the endpoint can be reached.</summary>
    public static TransportAddress Relay(RelayUrl url) => new RelayTransportAddress(url);

    /// <inheritdoc/>
    public abstract int CompareTo(TransportAddress? other);

    /// <inheritdoc/>
    public bool Equals(TransportAddress? other) => other is not null && CompareTo(other) == 0;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as TransportAddress);

    /// <inheritdoc/>
    public abstract override int GetHashCode();
}

/// <summary>A UDP address.</summary>
public sealed class IpTransportAddress : TransportAddress
{
    /// <summary>Takes over the address, canonicalising IPv4-mapped ones.</summary>
    public IpTransportAddress(IPEndPoint endPoint)
    {
        ArgumentNullException.ThrowIfNull(endPoint);
        EndPoint = endPoint.Address.IsIPv4MappedToIPv6 ? new IPEndPoint(endPoint.Address.MapToIPv4(), endPoint.Port) : endPoint;
    }

    /// <summary>The address and port.</summary>
    public IPEndPoint EndPoint { get; }

    /// <inheritdoc/>
    public override int CompareTo(TransportAddress? other)
    {
        if (other is not IpTransportAddress ip)
            return 1;
        bool isIPv4 = EndPoint.AddressFamily == AddressFamily.InterNetwork;
        bool otherIsIPv4 = ip.EndPoint.AddressFamily == AddressFamily.InterNetwork;
        if (isIPv4 != otherIsIPv4)
            return isIPv4 ? -1 : 1;
        Span<byte> mine = stackalloc byte[16];
        Span<byte> theirs = stackalloc byte[16];
        EndPoint.Address.TryWriteBytes(mine, out int length);
        ip.EndPoint.Address.TryWriteBytes(theirs, out _);
        int order = mine[..length].SequenceCompareTo(theirs[..length]);
        return order != 0 ? order : EndPoint.Port.CompareTo(ip.EndPoint.Port);
    }

    /// <inheritdoc/>
    public override int GetHashCode() => EndPoint.GetHashCode();

    /// <summary><c>ip:192.0.2.1:4433</c></summary>
    public override string ToString() => $"ip:{EndPoint}";
}

/// <summary>A relay.</summary>
public sealed class RelayTransportAddress : TransportAddress
{
    /// <summary>Takes over the URL.</summary>
    public RelayTransportAddress(RelayUrl url)
    {
        ArgumentNullException.ThrowIfNull(url);
        Url = url;
    }

    /// <summary>The relay's URL.</summary>
    public RelayUrl Url { get; }

    /// <inheritdoc/>
    public override int CompareTo(TransportAddress? other) =>
        other is null ? 1 : other is RelayTransportAddress relay ? Url.CompareTo(relay.Url) : -1;

    /// <inheritdoc/>
    public override int GetHashCode() => Url.GetHashCode();

    /// <summary><c>relay:https://relay.example.com/</c></summary>
    public override string ToString() => $"relay:{Url}";
}
