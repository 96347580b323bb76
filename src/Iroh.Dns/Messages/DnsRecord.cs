using System.Net;

namespace Iroh.Dns.Messages;

/// <summary>What is asked (RFC 1035 §4.1.2).</summary>
/// <param name="Name">The name.</param>
/// <param name="Type">The type of the records wanted.</param>
/// <param name="Class">Their class; multicast DNS uses the highest bit to ask for a unicast answer.</param>
public sealed record DnsQuestion(DomainName Name, DnsType Type, ushort Class = DnsClass.Internet);

/// <summary>A resource record (RFC 1035 §4.1.3).</summary>
/// <param name="Name">Whose record it is.</param>
/// <param name="Type">Its type, which decides the type of <paramref name="Data"/>.</param>
/// <param name="Class">Its class; for OPT the largest UDP payload; multicast DNS uses the highest bit to flush caches.</param>
/// <param name="TimeToLive">Seconds that it may be cached; for OPT extended code, version and flags.</param>
/// <param name="Data">Its data.</param>
public sealed record DnsRecord(DomainName Name, DnsType Type, ushort Class, uint TimeToLive, DnsData Data)
{
    /// <summary>A TXT record of one value.</summary>
    public static DnsRecord Text(DomainName name, uint timeToLive, string value) =>
        new(name, DnsType.TXT, DnsClass.Internet, timeToLive, TextData.FromValue(value));

    /// <summary>An A or AAAA record, by the family of the address.</summary>
    public static DnsRecord Address(DomainName name, uint timeToLive, IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        DnsType type = address.GetAddressBytes().Length == 4 ? DnsType.A : DnsType.AAAA;
        return new DnsRecord(name, type, DnsClass.Internet, timeToLive, new AddressData(address));
    }
}
