using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text;
using Iroh.Base;
using Iroh.Base.Serialization;
using Iroh.Dns.Messages;

namespace Iroh.Dns.Multicast;

/// <summary>
/// The messages by which endpoints of one link find each other over multicast DNS (RFC 6762), in the form of iroh: everything
/// about an endpoint is in one packet, without pointer records. What iroh does not have: a query that names endpoints and a
/// goodbye; iroh passes over both.
/// </summary>
public sealed class MulticastMessage
{
    /// <summary>The port of multicast DNS.</summary>
    public const int Port = 5353;

    /// <summary>The most bytes that are sent or read: iroh's receive buffer, one Ethernet frame.</summary>
    public const int LengthMax = 1472;

    /// <summary>The most endpoints that one query names, so that it fits with room to spare.</summary>
    public const int QueriedIdsMax = 8;

    // Checking that a name is a point of the curve takes a third of a millisecond: more names than this are not looked at.
    private const int NamesReadMax = QueriedIdsMax;

    private const string RelayPrefix = "relay=";
    private const string UserDataPrefix = "user-data=";

    private MulticastMessage()
    {
    }

    /// <summary>The IPv4 group.</summary>
    public static IPAddress GroupV4 { get; } = new([224, 0, 0, 251]);

    /// <summary>The IPv6 group of the link.</summary>
    public static IPAddress GroupV6 { get; } = new([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb]);

    /// <summary>The service that every endpoint offers.</summary>
    public static DomainName ServiceName { get; } = DomainName.Parse("_irohv1._udp.local.");

    private static DomainName Local { get; } = DomainName.Parse("local.");

    /// <summary>Whether everybody is asked.</summary>
    public bool AsksAll { get; private init; }

    /// <summary>Who is asked by name; at most <see cref="QueriedIdsMax"/>.</summary>
    public IReadOnlyList<EndpointId> AskedIds { get; private init; } = [];

    /// <summary>The endpoints that the message announces, each with at least one address.</summary>
    public IReadOnlyList<EndpointRecord> Announced { get; private init; } = [];

    /// <summary>The endpoints that say that they leave.</summary>
    public IReadOnlyList<EndpointId> Leaving { get; private init; } = [];

    /// <summary>A query to everybody that also names endpoints, whose own answers it wants in any case.</summary>
    /// <param name="ids">At most <see cref="QueriedIdsMax"/>; may be empty.</param>
    public static byte[] Query(IReadOnlyCollection<EndpointId> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ids.Count, QueriedIdsMax);
        return new DnsMessage
        {
            Questions = [new DnsQuestion(ServiceName, DnsType.PTR), .. ids.Select(id => new DnsQuestion(NameOf(id), DnsType.SRV))],
        }.ToBytes();
    }

    /// <summary>Announces an endpoint: all its UDP addresses, its first relay and its user data, as far as they fit.</summary>
    /// <returns>Null if the record holds no UDP address: nothing could be dialled on this link.</returns>
    public static byte[]? Announcement(EndpointRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        for (List<IPEndPoint> addresses = [.. record.Address.DirectAddresses]; addresses.Count > 0; addresses.RemoveAt(addresses.Count - 1))
        {
            byte[] bytes = Announcement(record, addresses).ToBytes();
            if (bytes.Length <= LengthMax)
                return bytes;
        }

        return null;
    }

    /// <summary>Says that an endpoint leaves: its service is decidedly not there (RFC 2782, target "."); iroh sees no address and ignores it.</summary>
    public static byte[] Goodbye(EndpointId id) => new DnsMessage
    {
        IsResponse = true,
        IsAuthoritative = true,
        Answers = [new DnsRecord(NameOf(id), DnsType.SRV, DnsClass.Internet, 0, new ServiceData(0, 0, 0, DomainName.Root))],
    }.ToBytes();

    /// <summary>Reads a message of the group.</summary>
    /// <returns>False if it is malformed, too long, or says nothing about endpoints.</returns>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out MulticastMessage? message)
    {
        message = null;
        if (bytes.Length > LengthMax || !DnsMessage.TryRead(bytes, out DnsMessage? dns))
            return false;
        message = dns.IsResponse ? ReadResponse(dns) : ReadQuery(dns);
        return message is not null;
    }

    private static DomainName NameOf(EndpointId id) => ServiceName.Prepend(Label(id));

    private static string Label(EndpointId id) => Base32.Encode(id.Span);

    private static DnsMessage Announcement(EndpointRecord record, List<IPEndPoint> addresses)
    {
        DomainName name = NameOf(record.Id);
        var answers = new List<DnsRecord>();
        var additionals = new List<DnsRecord>();
        foreach (IGrouping<int, IPEndPoint> port in addresses.GroupBy(address => address.Port))
        {
            DomainName target = Local.Prepend($"{Label(record.Id)}-{port.Key}");
            answers.Add(new DnsRecord(name, DnsType.SRV, DnsClass.Internet, 0, new ServiceData(0, 0, (ushort)port.Key, target)));
            additionals.AddRange(port.Select(address => DnsRecord.Address(target, 0, address.Address)));
        }

        var strings = new List<ReadOnlyMemory<byte>>();
        if (record.Address.RelayUrls.FirstOrDefault() is { } relay && Encoding.UTF8.GetBytes(RelayPrefix + relay) is { Length: <= TextData.StringLengthMax } relayText)
            strings.Add(relayText);
        if (record.UserData is not null)
            strings.Add(Encoding.UTF8.GetBytes(UserDataPrefix + record.UserData));
        if (strings.Count > 0)
            answers.Add(new DnsRecord(name, DnsType.TXT, DnsClass.Internet, 0, new TextData(strings)));
        return new DnsMessage { IsResponse = true, IsAuthoritative = true, Answers = answers, Additionals = additionals };
    }

    private static MulticastMessage? ReadQuery(DnsMessage dns)
    {
        bool asksAll = dns.Questions.Any(question => question.Type == DnsType.PTR && IsInternet(question.Class) && question.Name.Equals(ServiceName));
        var ids = new List<EndpointId>();
        var names = new Dictionary<DomainName, EndpointId?>();
        foreach (DnsQuestion question in dns.Questions)
        {
            if (question.Type == DnsType.SRV && IsInternet(question.Class) && TryReadId(question.Name, names, out EndpointId id) && !ids.Contains(id))
                ids.Add(id);
        }

        return asksAll || ids.Count > 0 ? new MulticastMessage { AsksAll = asksAll, AskedIds = ids } : null;
    }

    private static MulticastMessage? ReadResponse(DnsMessage dns)
    {
        var names = new Dictionary<DomainName, EndpointId?>();
        var services = new Dictionary<DomainName, List<(EndpointId Id, ushort Port)>>();
        var found = new SortedDictionary<EndpointId, SortedSet<TransportAddress>>();
        var texts = new Dictionary<EndpointId, TextData>();
        var leaving = new List<EndpointId>();
        foreach (DnsRecord answer in dns.Answers)
        {
            if (!IsInternet(answer.Class) || !TryReadId(answer.Name, names, out EndpointId id))
                continue;
            if (answer.Data is TextData text)
                texts.TryAdd(id, text);
            else if (answer.Data is ServiceData { Port: 0 } none && none.Target.IsRoot)
                leaving.Add(id);
            else if (answer.Data is ServiceData { Port: not 0 } service)
                (services.TryGetValue(service.Target, out var ports) ? ports : services[service.Target] = []).Add((id, service.Port));
        }

        foreach (DnsRecord additional in dns.Additionals)
        {
            if (additional.Data is not AddressData address || !IsInternet(additional.Class) || !services.TryGetValue(additional.Name, out var ports))
                continue;
            foreach ((EndpointId id, ushort port) in ports)
                (found.TryGetValue(id, out var addresses) ? addresses : found[id] = []).Add(TransportAddress.Ip(new IPEndPoint(address.Address, port)));
        }

        if (found.Count == 0 && leaving.Count == 0)
            return null;
        return new MulticastMessage
        {
            Announced = [.. found.Select(endpoint => ToRecord(endpoint.Key, endpoint.Value, texts.GetValueOrDefault(endpoint.Key)))],
            Leaving = leaving,
        };
    }

    private static EndpointRecord ToRecord(EndpointId id, SortedSet<TransportAddress> addresses, TextData? text)
    {
        string? userData = null;
        RelayUrl? relay = null;
        foreach (ReadOnlyMemory<byte> part in text?.Strings ?? [])
        {
            string value = Encoding.UTF8.GetString(part.Span);
            if (relay is null && value.StartsWith(RelayPrefix, StringComparison.Ordinal) && RelayUrl.TryParse(value[RelayPrefix.Length..], out RelayUrl? url))
                relay = url;
            else if (value.StartsWith(UserDataPrefix, StringComparison.Ordinal) && part.Length <= UserDataPrefix.Length + EndpointRecord.UserDataLengthMax)
                userData ??= value[UserDataPrefix.Length..];
        }

        IEnumerable<TransportAddress> all = relay is null ? addresses : addresses.Append(TransportAddress.Relay(relay));

        // Bytes that are not UTF-8 became longer in the reading.
        bool fits = userData is null || Encoding.UTF8.GetByteCount(userData) <= EndpointRecord.UserDataLengthMax;
        return new EndpointRecord(new EndpointAddress(id, all.Take(EndpointAddressCodec.MaxAddresses)), fits ? userData : null);
    }

    /// <summary>The id in a name below the service's. The names of one message are kept: most of its records have the same one.</summary>
    private static bool TryReadId(DomainName name, Dictionary<DomainName, EndpointId?> names, out EndpointId id)
    {
        if (!names.TryGetValue(name, out EndpointId? known)
            && names.Count < NamesReadMax
            && !name.IsRoot
            && name.Parent.Equals(ServiceName))
        {
            known = EndpointId.TryParse(Encoding.Latin1.GetString(name.FirstLabel), out EndpointId read) ? read : null;
            names.Add(name, known);
        }

        id = known ?? default;
        return known is not null;
    }

    // RFC 6762 §5.4 and §10.2 use the highest bit for other things.
    private static bool IsInternet(ushort @class) => (@class & 0x7fff) == DnsClass.Internet;
}
