using System.Diagnostics.CodeAnalysis;
using System.Net;
using Iroh.Base;
using Iroh.Base.Serialization;

namespace Iroh.Blobs;

/// <summary>
/// A blob and who has it as one string to hand around: <c>blob</c> followed by lower-case base 32 of its bytes. Compatible with iroh
/// 0.35 and 1.0 in both directions. At most one relay fits in: of several, the first is written.
/// </summary>
/// <param name="Address">Who has it, and where they may be.</param>
/// <param name="Hash">What it is.</param>
/// <param name="Format">Whether it is a hash sequence whose children are meant, too.</param>
public sealed record BlobTicket(EndpointAddress Address, BlobHash Hash, BlobFormat Format)
{
    /// <summary>The longest text that is read: tickets with thirty addresses stay below 1,500 characters.</summary>
    public const int TextLengthMax = 64 * 1024;

    private const string Prefix = "blob";
    private const uint Variant = 0;

    /// <summary>What the ticket leads to.</summary>
    public HashAndFormat Content => new(Hash, Format);

    /// <summary>Reads the text form.</summary>
    /// <exception cref="FormatException">The text is not a ticket; the message says what is wrong with it.</exception>
    public static BlobTicket Parse(string text) =>
        TryParse(text, out BlobTicket? ticket, out string? problem) ? ticket : throw new FormatException(problem);

    /// <summary>Reads the text form. The prefix is lower case; the rest may have either case.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out BlobTicket? ticket) =>
        TryParse(text, out ticket, out _);

    /// <summary>Reads the text form, or says in words what is wrong with it.</summary>
    public static bool TryParse(
        [NotNullWhen(true)] string? text, [NotNullWhen(true)] out BlobTicket? ticket, [NotNullWhen(false)] out string? problem)
    {
        ticket = null;
        if (text is null || !text.StartsWith(Prefix, StringComparison.Ordinal))
            problem = $"This is not a blob ticket: it does not start with '{Prefix}'.";
        else if (text.Length > TextLengthMax)
            problem = $"A ticket has at most {TextLengthMax} characters; this text has {text.Length}.";
        else if (!Base32.TryDecode(text.AsSpan(Prefix.Length), out byte[] bytes))
            problem = "This ticket is damaged: after its prefix it is not base 32. Was it cut off or changed on the way?";
        else if (!TryRead(bytes, out ticket))
            problem = "This ticket is damaged: its bytes are not an address and a hash. Was it cut off or changed on the way?";
        else
            problem = null;
        return ticket is not null;
    }

    /// <summary>Reads the byte form. Bytes after it are ignored, as iroh does.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out BlobTicket? ticket)
    {
        ticket = null;
        var reader = new PostcardReader(bytes);
        if (!reader.TryReadUInt32(out uint variant)
            || variant != Variant
            || !TryReadAddress(ref reader, out EndpointAddress? address)
            || !reader.TryReadUInt32(out uint format)
            || format > (uint)BlobFormat.HashSequence
            || !reader.TryReadFixed(BlobHash.Length, out ReadOnlySpan<byte> hash))
            return false;
        ticket = new BlobTicket(address, new BlobHash(hash), (BlobFormat)format);
        return true;
    }

    /// <summary>The byte form.</summary>
    public byte[] ToBytes()
    {
        var writer = new PostcardWriter();
        writer.WriteVarint(Variant);
        writer.WriteFixed(Address.Id.Span);
        RelayUrl? relay = Address.RelayUrls.FirstOrDefault();
        writer.WriteBool(relay is not null);
        if (relay is not null)
            writer.WriteString(relay.ToString());
        IPEndPoint[] direct = [.. Address.DirectAddresses];
        writer.WriteVarint((ulong)direct.Length);
        foreach (IPEndPoint endPoint in direct)
        {
            byte[] ip = endPoint.Address.GetAddressBytes();
            writer.WriteVarint(ip.Length == 4 ? 0u : 1u);
            writer.WriteFixed(ip);
            writer.WriteVarint((ulong)endPoint.Port);
        }

        writer.WriteVarint((ulong)Format);
        writer.WriteFixed(Hash.ToArray());
        return writer.ToArray();
    }

    /// <summary>The text form.</summary>
    public override string ToString() => Prefix + Base32.Encode(ToBytes());

    private static bool TryReadAddress(ref PostcardReader reader, [NotNullWhen(true)] out EndpointAddress? address)
    {
        address = null;
        if (!reader.TryReadFixed(EndpointId.Length, out ReadOnlySpan<byte> idBytes)
            || !EndpointId.TryFromBytes(idBytes, out EndpointId id)
            || !reader.TryReadBool(out bool hasRelay))
            return false;
        var addresses = new List<TransportAddress>();
        if (hasRelay)
        {
            if (!reader.TryReadString(out string text) || !RelayUrl.TryParse(text, out RelayUrl? url))
                return false;
            addresses.Add(TransportAddress.Relay(url));
        }

        if (!reader.TryReadUInt64(out ulong count) || count > EndpointAddressCodec.MaxAddresses)
            return false;
        for (ulong i = 0; i < count; i++)
        {
            if (!reader.TryReadUInt32(out uint family)
                || family > 1
                || !reader.TryReadFixed(family == 0 ? 4 : 16, out ReadOnlySpan<byte> ip)
                || !reader.TryReadUInt16(out ushort port))
                return false;
            addresses.Add(TransportAddress.Ip(new IPEndPoint(new IPAddress(ip), port)));
        }

        address = new EndpointAddress(id, addresses);
        return true;
    }
}
