using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Sockets;

/// <summary>Linux's <c>sockaddr_in</c> and <c>sockaddr_in6</c>: family in host order, port and address in network order.</summary>
internal static class SocketAddressCodec
{
    /// <summary>Room for either structure, in bytes.</summary>
    public const int LengthMax = 28;

    private const int IPv4Length = 16;

    /// <summary>Writes <paramref name="address"/> and returns the structure's length.</summary>
    /// <param name="address">An IPv4 or IPv6 address.</param>
    /// <param name="destination">At least <see cref="LengthMax"/> bytes.</param>
    public static int Write(NetworkAddress address, Span<byte> destination)
    {
        destination[..LengthMax].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], address.Port);
        if (address.IsIPv4)
        {
            WriteHostOrder(destination, (ushort)LibC.AF_INET);
            address.WriteAddress(destination[4..]);
            return IPv4Length;
        }

        WriteHostOrder(destination, (ushort)LibC.AF_INET6);
        address.WriteAddress(destination[8..]);
        WriteHostOrder(destination[24..], address.Scope);
        return LengthMax;
    }

    /// <summary>Reads what the kernel wrote; unspecified if it is of another family or too short.</summary>
    public static NetworkAddress Read(ReadOnlySpan<byte> source)
    {
        if (source.Length < IPv4Length)
            return default;
        ushort port = BinaryPrimitives.ReadUInt16BigEndian(source[2..]);
        return MemoryMarshal.Read<ushort>(source) switch
        {
            LibC.AF_INET => NetworkAddress.FromIPv4(source.Slice(4, 4), port),
            LibC.AF_INET6 when source.Length >= LengthMax =>
                NetworkAddress.FromIPv6(source.Slice(8, 16), port, MemoryMarshal.Read<uint>(source[24..])),
            _ => default,
        };
    }

    private static void WriteHostOrder<T>(Span<byte> destination, T value)
        where T : unmanaged => MemoryMarshal.Write(destination, in value);
}
