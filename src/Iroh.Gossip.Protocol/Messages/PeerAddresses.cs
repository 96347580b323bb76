using System.Diagnostics.CodeAnalysis;
using System.Net;
using Iroh.Base;
using Iroh.Base.Serialization;

namespace Iroh.Gossip.Messages;

/// <summary>
/// A peer's addresses as iroh writes them into its <see cref="PeerData"/>: an optional relay URL and a sorted set of UDP addresses, in
/// postcard. Empty data is a peer that says nothing.
/// </summary>
public static class PeerAddresses
{
    /// <summary>The most UDP addresses that are written: a machine rarely has more that lead anywhere, and the data travels in every shuffle.</summary>
    public const int WrittenMax = 12;

    /// <summary>The most UDP addresses that are read; more than the endpoint would keep of one peer.</summary>
    public const int ReadMax = 64;

    // With twelve IPv6 addresses it stays within what others pass on.
    private const int RelayLengthMax = 240;

    private const int V4Length = 4;
    private const int V6Length = 16;

    /// <summary>Writes the first relay, unless its URL is extremely long, and the first <see cref="WrittenMax"/> UDP addresses.</summary>
    public static PeerData Encode(EndpointAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        var writer = new PostcardWriter();
        RelayUrl? relay = address.RelayUrls.FirstOrDefault(url => url.ToString().Length <= RelayLengthMax);
        writer.WriteBool(relay is not null);
        if (relay is not null)
            writer.WriteString(relay.ToString());
        IPEndPoint[] direct = [.. address.DirectAddresses.Take(WrittenMax)];
        writer.WriteVarint((ulong)direct.Length);
        foreach (IPEndPoint endPoint in direct)
        {
            byte[] bytes = endPoint.Address.GetAddressBytes();
            writer.WriteVarint(bytes.Length == V4Length ? 0u : 1u);
            writer.WriteFixed(bytes);
            writer.WriteVarint((ulong)endPoint.Port);
        }

        return new PeerData(writer.Written);
    }

    /// <summary>Reads what <see cref="Encode"/> writes. Empty data gives an address without any way; a URL that is no relay's is left out.</summary>
    public static bool TryDecode(EndpointId id, PeerData data, [NotNullWhen(true)] out EndpointAddress? address)
    {
        ArgumentNullException.ThrowIfNull(data);
        address = null;
        var addresses = new List<TransportAddress>();
        if (data.Length > 0 && !TryRead(data.Span, addresses))
            return false;
        address = new EndpointAddress(id, addresses);
        return true;
    }

    private static bool TryRead(ReadOnlySpan<byte> bytes, List<TransportAddress> addresses)
    {
        var reader = new PostcardReader(bytes);
        if (!reader.TryReadBool(out bool hasRelay))
            return false;
        if (hasRelay)
        {
            if (!reader.TryReadString(out string text))
                return false;
            if (RelayUrl.TryParse(text, out RelayUrl? relay))
                addresses.Add(TransportAddress.Relay(relay));
        }

        if (!reader.TryReadUInt64(out ulong count) || count > ReadMax)
            return false;
        for (ulong i = 0; i < count; i++)
        {
            if (!reader.TryReadUInt32(out uint family)
                || family > 1
                || !reader.TryReadFixed(family == 0 ? V4Length : V6Length, out ReadOnlySpan<byte> ip)
                || !reader.TryReadUInt16(out ushort port))
                return false;
            addresses.Add(TransportAddress.Ip(new IPEndPoint(new IPAddress(ip), port)));
        }

        return true;
    }
}
