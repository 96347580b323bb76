using System.Buffers.Binary;
using System.Globalization;
using System.Net;

namespace Iroh.Quic.Protocol.Primitives;

/// <summary>
/// The address of one end of a path as a value without references: an IP address with its port, or the number of another way than
/// UDP, such as a relay (<see cref="IsVirtual"/>). IPv4 and IPv6 are kept apart; an IPv4-mapped IPv6 address becomes IPv4 on the way in.
/// The default value means "unspecified".
/// </summary>
public readonly record struct NetworkAddress
{
    private readonly ulong _high;
    private readonly ulong _low;
    private readonly uint _scope;
    private readonly ushort _port;
    private readonly byte _family;

    private NetworkAddress(ulong high, ulong low, uint scope, ushort port, byte family) =>
        (_high, _low, _scope, _port, _family) = (high, low, scope, port, family);

    /// <summary>Takes over an IP end point, canonicalising IPv4-mapped addresses.</summary>
    public static NetworkAddress From(IPEndPoint endPoint)
    {
        ArgumentNullException.ThrowIfNull(endPoint);
        Span<byte> bytes = stackalloc byte[16];
        endPoint.Address.TryWriteBytes(bytes, out int written);
        return written == 4
            ? FromIPv4(bytes[..4], (ushort)endPoint.Port)
            : FromIPv6(bytes, (ushort)endPoint.Port, (uint)endPoint.Address.ScopeId);
    }

    /// <summary>An IPv4 address from its 4 bytes in network order.</summary>
    public static NetworkAddress FromIPv4(ReadOnlySpan<byte> address, ushort port) =>
        new(0, BinaryPrimitives.ReadUInt32BigEndian(address), 0, port, 4);

    /// <summary>An IPv6 address from its 16 bytes in network order; an IPv4-mapped one becomes IPv4.</summary>
    public static NetworkAddress FromIPv6(ReadOnlySpan<byte> address, ushort port, uint scope = 0)
    {
        ulong high = BinaryPrimitives.ReadUInt64BigEndian(address);
        ulong low = BinaryPrimitives.ReadUInt64BigEndian(address[8..]);
        return high == 0 && low >> 32 == 0xffff
            ? new NetworkAddress(0, low & 0xffffffff, 0, port, 4)
            : new NetworkAddress(high, low, scope, port, 6);
    }

    /// <summary>
    /// A place that datagrams reach otherwise than by UDP. Only the endpoint that gave the number out knows what it means: it never goes
    /// into a frame.
    /// </summary>
    public static NetworkAddress Virtual(ulong number) => new(0, number, 0, 0, 1);

    /// <summary>Whether this is no IP address but the number of another way.</summary>
    public bool IsVirtual => _family == 1;

    /// <summary>The number of a virtual address, 0 for any other.</summary>
    public ulong VirtualNumber => IsVirtual ? _low : 0;

    /// <summary>Whether no address was given.</summary>
    public bool IsUnspecified => _family == 0;

    /// <summary>Whether this is an IPv4 address.</summary>
    public bool IsIPv4 => _family == 4;

    /// <summary>The UDP port.</summary>
    public ushort Port => _port;

    /// <summary>The IPv6 scope id, 0 if there is none.</summary>
    public uint Scope => _scope;

    /// <summary>Writes 4 or 16 bytes in network order and returns how many; 0 for an unspecified or virtual address.</summary>
    /// <param name="destination">At least 16 bytes.</param>
    public int WriteAddress(Span<byte> destination)
    {
        switch (_family)
        {
            case 4:
                BinaryPrimitives.WriteUInt32BigEndian(destination, (uint)_low);
                return 4;
            case 6:
                BinaryPrimitives.WriteUInt64BigEndian(destination, _high);
                BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _low);
                return 16;
            default:
                return 0;
        }
    }

    /// <summary>The same address as the class library's type.</summary>
    /// <exception cref="InvalidOperationException">The address is unspecified or virtual.</exception>
    public IPEndPoint ToIPEndPoint()
    {
        Span<byte> bytes = stackalloc byte[16];
        int length = WriteAddress(bytes);
        if (length == 0)
            throw new InvalidOperationException($"{this} has no IP end point.");
        return new IPEndPoint(length == 4 ? new IPAddress(bytes[..4]) : new IPAddress(bytes, _scope), _port);
    }

    /// <summary>The same address with another port.</summary>
    public NetworkAddress WithPort(ushort port) => new(_high, _low, _scope, port, _family);

    /// <summary>Whether both have the same IP address, whatever the ports.</summary>
    public bool HasSameAddress(NetworkAddress other) => _high == other._high && _low == other._low && _family == other._family;

    /// <inheritdoc/>
    public override string ToString() => _family switch
    {
        0 => "unspecified",
        1 => string.Create(CultureInfo.InvariantCulture, $"virtual address {_low}"),
        _ => ToIPEndPoint().ToString(),
    };
}

/// <summary>
/// The two addresses that a datagram travels between. The local one is unspecified where the socket does not know it.
/// What is measured of the network (RTT, congestion, MTU, ECN, validation) belongs to one of these.
/// </summary>
public readonly record struct FourTuple(NetworkAddress Local, NetworkAddress Remote);
