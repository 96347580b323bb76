namespace Iroh.Dns.Messages;

/// <summary>The extension record of a message (RFC 6891).</summary>
/// <param name="PayloadSize">The largest UDP payload that the sender takes, in bytes.</param>
/// <param name="Version">0 is the only one there is.</param>
/// <param name="ExtendedCode">The upper 8 bits of the response code.</param>
public sealed record Edns(ushort PayloadSize, byte Version = 0, byte ExtendedCode = 0)
{
    /// <summary>The OPT record that says this; options are never sent.</summary>
    public DnsRecord ToRecord() => new(
        DomainName.Root, DnsType.OPT, PayloadSize, ((uint)ExtendedCode << 24) | ((uint)Version << 16), new RawData(ReadOnlyMemory<byte>.Empty));

    /// <summary>Reads an OPT record; its options are passed over.</summary>
    public static Edns FromRecord(DnsRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        return new Edns(record.Class, (byte)(record.TimeToLive >> 16), (byte)(record.TimeToLive >> 24));
    }
}
