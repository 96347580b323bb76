using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.AddressDiscovery;

/// <summary>Which of the addresses that a peer names can be one end of a path. What it names is its claim, so nothing else is believed of it.</summary>
internal static class AddressRules
{
    /// <summary>
    /// Whether a datagram could be sent there: a port, and no unspecified, multicast, broadcast or virtual address. Neither a link-local IPv6
    /// address: without its scope, which frames do not carry, it names no host.
    /// </summary>
    public static bool IsReachable(NetworkAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        int length = address.WriteAddress(bytes);
        if (length == 0 || address.Port == 0)
            return false;
        bytes = bytes[..length];
        if (length == 4)
            return bytes[0] is not 0 and < 224; // RFC 1122 §3.2.1.3: "this network"; RFC 5771: multicast; RFC 1112 §4: reserved, broadcast
        bool isMulticast = bytes[0] == 0xff;
        bool isLinkLocal = bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
        return !isMulticast && !isLinkLocal && bytes.ContainsAnyExcept((byte)0);
    }

    /// <summary>Whether it names the own host.</summary>
    public static bool IsLoopback(NetworkAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        return address.WriteAddress(bytes) switch
        {
            4 => bytes[0] == 127,
            16 => bytes[15] == 1 && !bytes[..15].ContainsAnyExcept((byte)0),
            _ => false,
        };
    }
}
