using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Frames;

/// <summary>An IP address and port in a frame: 4 or 16 bytes, which of them the frame's type says, and 2 bytes for the port.</summary>
internal static class AddressField
{
    private const int IPv4Length = 4;
    private const int IPv6Length = 16;
    private const int PortLength = 2;

    /// <summary>
    /// Reads one. An IPv4-mapped IPv6 address becomes IPv4, as senders with one socket for both families write it. Whether the address is
    /// one to send to is not looked at here.
    /// </summary>
    public static bool TryRead(scoped ref WireReader reader, bool isIPv4, out NetworkAddress address)
    {
        address = default;
        if (!reader.TryReadBytes(isIPv4 ? (ulong)IPv4Length : IPv6Length, out ReadOnlySpan<byte> bytes)
            || !reader.TryReadUInt16(out ushort port))
            return false;
        address = isIPv4 ? NetworkAddress.FromIPv4(bytes, port) : NetworkAddress.FromIPv6(bytes, port);
        return true;
    }

    /// <summary>Bytes on the wire.</summary>
    /// <param name="address">An IP address: neither unspecified nor virtual.</param>
    public static int EncodedLength(NetworkAddress address) => (address.IsIPv4 ? IPv4Length : IPv6Length) + PortLength;

    /// <summary>Writes address and port; an IPv6 scope means nothing elsewhere and is left out.</summary>
    /// <param name="writer">Where they go.</param>
    /// <param name="address">An IP address: neither unspecified nor virtual.</param>
    public static void Write(ref WireWriter writer, NetworkAddress address)
    {
        Span<byte> bytes = stackalloc byte[IPv6Length];
        writer.WriteBytes(bytes[..address.WriteAddress(bytes)]);
        writer.WriteUInt16(address.Port);
    }
}
