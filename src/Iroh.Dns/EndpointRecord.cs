using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text;
using Iroh.Base;

namespace Iroh.Dns;

/// <summary>
/// What an endpoint publishes about itself: its addresses and a short text of its application. Its form in DNS is one TXT
/// string a value, as iroh 1.0 writes it: <c>relay=URL</c>, <c>addr=IP:PORT</c>, <c>user-data=TEXT</c>. Immutable.
/// </summary>
public sealed class EndpointRecord : IEquatable<EndpointRecord>
{
    /// <summary>The longest user data in bytes of UTF-8: with its key it fills one TXT string.</summary>
    public const int UserDataLengthMax = 245;

    private const string RelayKey = "relay";
    private const string AddressKey = "addr";
    private const string UserDataKey = "user-data";

    /// <summary>Wraps what is to be published.</summary>
    /// <param name="address">Who, and where.</param>
    /// <param name="userData">
    /// Anything the application likes, at most <see cref="UserDataLengthMax"/> bytes. iroh up to 1.0.3 reads it only up to its
    /// first '='.
    /// </param>
    /// <exception cref="ArgumentException">The user data is too long.</exception>
    public EndpointRecord(EndpointAddress address, string? userData = null)
    {
        ArgumentNullException.ThrowIfNull(address);
        if (userData is not null && Encoding.UTF8.GetByteCount(userData) is var length and > UserDataLengthMax)
            throw new ArgumentException($"User data of an endpoint record has at most {UserDataLengthMax} bytes; this has {length}.", nameof(userData));
        Address = address;
        UserData = userData;
    }

    /// <summary>Who publishes.</summary>
    public EndpointId Id => Address.Id;

    /// <summary>The publisher's id and addresses.</summary>
    public EndpointAddress Address { get; }

    /// <summary>The application's text; null if there is none.</summary>
    public string? UserData { get; }

    /// <summary>The same record with those addresses only that <paramref name="filter"/> lets pass.</summary>
    public EndpointRecord Where(Func<TransportAddress, bool> filter) => new(new EndpointAddress(Id, Address.Addresses.Where(filter)), UserData);

    /// <summary>The record's TXT values: relays, then addresses, then the user data. Scopes of IPv6 addresses are left out: they mean nothing elsewhere.</summary>
    public IReadOnlyList<string> ToAttributes()
    {
        var attributes = new List<string>();
        foreach (TransportAddress transport in Address.Addresses)
        {
            attributes.Add(transport switch
            {
                RelayTransportAddress relay => $"{RelayKey}={relay.Url}",
                IpTransportAddress ip => $"{AddressKey}={WithoutScope(ip.EndPoint)}",
                _ => throw new InvalidOperationException($"There is no attribute for {transport.GetType().Name}."),
            });
        }

        if (UserData is not null)
            attributes.Add($"{UserDataKey}={UserData}");
        return attributes;
    }

    /// <summary>
    /// Reads TXT values, already joined where a value was split over several strings. The first user data counts.
    /// DEVIATES from iroh 1.0, which gives up on the whole record for a key that it does not know and cuts a value at its second
    /// '=': here an attribute that is unknown or malformed is passed over and values are read whole.
    /// </summary>
    /// <param name="id">Whose record it is.</param>
    /// <param name="attributes">In any order; at most <see cref="EndpointAddressCodec.MaxAddresses"/> addresses are taken.</param>
    public static EndpointRecord FromAttributes(EndpointId id, IEnumerable<string> attributes)
    {
        ArgumentNullException.ThrowIfNull(attributes);
        var addresses = new List<TransportAddress>();
        string? userData = null;
        foreach (string attribute in attributes)
        {
            int separator = attribute.IndexOf('=', StringComparison.Ordinal);
            if (separator < 0)
                continue;
            string value = attribute[(separator + 1)..];
            switch (attribute[..separator])
            {
                case UserDataKey when userData is null && Encoding.UTF8.GetByteCount(value) <= UserDataLengthMax:
                    userData = value;
                    break;
                case RelayKey when addresses.Count < EndpointAddressCodec.MaxAddresses && RelayUrl.TryParse(value, out RelayUrl? url):
                    addresses.Add(TransportAddress.Relay(url));
                    break;
                case AddressKey when addresses.Count < EndpointAddressCodec.MaxAddresses && TryParseEndPoint(value, out IPEndPoint? endPoint):
                    addresses.Add(TransportAddress.Ip(endPoint));
                    break;
            }
        }

        return new EndpointRecord(new EndpointAddress(id, addresses), userData);
    }

    /// <inheritdoc/>
    public bool Equals(EndpointRecord? other) => other is not null && Address.Equals(other.Address) && UserData == other.UserData;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as EndpointRecord);

    /// <inheritdoc/>
    public override int GetHashCode() => Id.GetHashCode();

    /// <summary>The address and, if there is one, the user data.</summary>
    public override string ToString() => UserData is null ? Address.ToString() : $"{Address} \"{UserData}\"";

    private static bool TryParseEndPoint(string text, [NotNullWhen(true)] out IPEndPoint? endPoint)
    {
        // A missing port reads as port 0, which nobody can dial; an IPv6 address without brackets has no port either.
        if (!IPEndPoint.TryParse(text, out endPoint) || endPoint.Port == 0)
            return false;
        endPoint = WithoutScope(endPoint);
        return true;
    }

    private static IPEndPoint WithoutScope(IPEndPoint endPoint) =>
        endPoint.Address.GetAddressBytes() is { Length: 16 } bytes ? new IPEndPoint(new IPAddress(bytes), endPoint.Port) : endPoint;
}
