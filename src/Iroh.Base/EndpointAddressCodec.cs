using System.Diagnostics.CodeAnalysis;
using System.Net;
using Iroh.Base.Serialization;

namespace Iroh.Base;

/// <summary>
/// The postcard form of an <see cref="EndpointAddress"/> as iroh 1.0 writes it: id, number of addresses, then tagged addresses
/// (0 relay, 1 IP, 2 custom transport). Custom addresses are skipped on reading and never written: nothing here can dial them.
/// </summary>
public static class EndpointAddressCodec
{
    /// <summary>The most addresses that are read: iroh keeps 30 addresses a remote; four times that leaves room for its successors.</summary>
    public const int MaxAddresses = 128;

    private const uint RelayTag = 0;
    private const uint IpTag = 1;
    private const uint CustomTag = 2;

    // iroh 1.0.0 to 1.0.3 write up to 30 bytes of a custom address into a fixed field.
    private const int InlineCustomLength = 30;

    private enum CustomForm
    {
        FixedField,
        LengthPrefixed,
    }

    /// <summary>Appends the address.</summary>
    public static void Write(PostcardWriter writer, EndpointAddress address)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(address);
        writer.WriteFixed(address.Id.Span);
        writer.WriteVarint((ulong)address.Addresses.Count);
        foreach (TransportAddress transport in address.Addresses)
        {
            switch (transport)
            {
                case RelayTransportAddress relay:
                    writer.WriteVarint(RelayTag);
                    writer.WriteString(relay.Url.ToString());
                    break;
                case IpTransportAddress ip:
                    writer.WriteVarint(IpTag);
                    byte[] bytes = ip.EndPoint.Address.GetAddressBytes();
                    writer.WriteVarint(bytes.Length == 4 ? 0u : 1u);
                    writer.WriteFixed(bytes);
                    writer.WriteVarint((ulong)ip.EndPoint.Port);
                    break;
            }
        }
    }

    /// <summary>Reads an address from the front of <paramref name="bytes"/>; what follows it is ignored.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out EndpointAddress? address) => TryRead(bytes, out address, out _);

    /// <summary>Reads an address from the front of <paramref name="bytes"/> and says how many of them it took.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out EndpointAddress? address, out int length) =>
        // The form of custom addresses changed after 1.0.3 without a mark: the released form is tried first.
        TryRead(bytes, CustomForm.FixedField, out address, out length) || TryRead(bytes, CustomForm.LengthPrefixed, out address, out length);

    private static bool TryRead(ReadOnlySpan<byte> bytes, CustomForm form, [NotNullWhen(true)] out EndpointAddress? address, out int length)
    {
        address = null;
        length = 0;
        var reader = new PostcardReader(bytes);
        if (!reader.TryReadFixed(EndpointId.Length, out ReadOnlySpan<byte> idBytes)
            || !EndpointId.TryFromBytes(idBytes, out EndpointId id)
            || !reader.TryReadUInt64(out ulong count)
            || count > MaxAddresses)
            return false;

        var addresses = new List<TransportAddress>();
        for (ulong i = 0; i < count; i++)
        {
            if (!TryReadTransport(ref reader, form, out TransportAddress? transport))
                return false;
            if (transport is not null)
                addresses.Add(transport);
        }

        address = new EndpointAddress(id, addresses);
        length = reader.Position;
        return true;
    }

    private static bool TryReadTransport(ref PostcardReader reader, CustomForm form, out TransportAddress? transport)
    {
        transport = null;
        if (!reader.TryReadUInt32(out uint tag))
            return false;
        switch (tag)
        {
            case RelayTag:
                if (!reader.TryReadString(out string text) || !RelayUrl.TryParse(text, out RelayUrl? url))
                    return false;
                transport = TransportAddress.Relay(url);
                return true;
            case IpTag:
                return TryReadIp(ref reader, out transport);
            case CustomTag:
                return TrySkipCustom(ref reader, form);
            default:
                return false;
        }
    }

    private static bool TryReadIp(ref PostcardReader reader, out TransportAddress? transport)
    {
        transport = null;
        if (!reader.TryReadUInt32(out uint family)
            || family > 1
            || !reader.TryReadFixed(family == 0 ? 4 : 16, out ReadOnlySpan<byte> ip)
            || !reader.TryReadUInt16(out ushort port))
            return false;
        transport = TransportAddress.Ip(new IPEndPoint(new IPAddress(ip), port));
        return true;
    }

    private static bool TrySkipCustom(ref PostcardReader reader, CustomForm form)
    {
        if (!reader.TryReadUInt64(out _))
            return false;
        if (form == CustomForm.LengthPrefixed)
            return reader.TryReadBytes(out _);
        if (!reader.TryReadUInt32(out uint variant))
            return false;
        return variant switch
        {
            0 => reader.TryReadByte(out byte size) && size <= InlineCustomLength && reader.TryReadFixed(InlineCustomLength, out _),
            1 => reader.TryReadBytes(out _),
            _ => false,
        };
    }
}
