using System.Net;
using System.Text;

namespace Iroh.Dns.Messages;

/// <summary>The data of a record, by its type.</summary>
public abstract record DnsData
{
    private protected DnsData()
    {
    }
}

/// <summary>An A or AAAA record's address.</summary>
/// <param name="Address">IPv4 for A, IPv6 for AAAA.</param>
public sealed record AddressData(IPAddress Address) : DnsData;

/// <summary>The name of an NS, CNAME or PTR record.</summary>
/// <param name="Name">The name pointed to.</param>
public sealed record NameData(DomainName Name) : DnsData;

/// <summary>An SRV record (RFC 2782).</summary>
/// <param name="Priority">Lower ones are tried first.</param>
/// <param name="Weight">Share among those of equal priority.</param>
/// <param name="Port">The port; 0 with the root as target: the service is not there.</param>
/// <param name="Target">The host.</param>
public sealed record ServiceData(ushort Priority, ushort Weight, ushort Port, DomainName Target) : DnsData;

/// <summary>An SOA record (RFC 1035 §3.3.13); all times in seconds.</summary>
/// <param name="PrimaryServer">The first name server.</param>
/// <param name="Mailbox">The zone's mail address with a dot for the at sign.</param>
/// <param name="Serial">Version of the zone.</param>
/// <param name="Refresh">How often secondaries look for changes.</param>
/// <param name="Retry">How soon they try again.</param>
/// <param name="Expire">When they stop answering without news.</param>
/// <param name="Minimum">How long the absence of a record may be remembered (RFC 2308 §4).</param>
public sealed record StartOfAuthorityData(
    DomainName PrimaryServer, DomainName Mailbox, uint Serial, uint Refresh, uint Retry, uint Expire, uint Minimum) : DnsData;

/// <summary>A TXT record: strings of at most 255 bytes each.</summary>
/// <param name="Strings">In the order of the wire; at least one.</param>
public sealed record TextData(IReadOnlyList<ReadOnlyMemory<byte>> Strings) : DnsData
{
    /// <summary>The most bytes of one string.</summary>
    public const int StringLengthMax = 255;

    /// <summary>One value, split into as many strings as it needs; readers join them again.</summary>
    public static TextData FromValue(string value)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(value);
        var strings = new List<ReadOnlyMemory<byte>>();
        for (int i = 0; i == 0 || i < bytes.Length; i += StringLengthMax)
            strings.Add(bytes.AsMemory(i, Math.Min(StringLengthMax, bytes.Length - i)));
        return new TextData(strings);
    }

    /// <summary>The strings joined, as UTF-8; bytes that are not UTF-8 become U+FFFD.</summary>
    public string ToValue() => Encoding.UTF8.GetString([.. Strings.SelectMany(text => text.ToArray())]);
}

/// <summary>The data of a type that is not understood, and of OPT.</summary>
/// <param name="Bytes">As on the wire.</param>
public sealed record RawData(ReadOnlyMemory<byte> Bytes) : DnsData;
