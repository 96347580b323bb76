using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Iroh.Relay.Server.AddressDiscovery;

/// <summary>
/// Counts connections, all and by where they come from: an IPv4 address, or a network of 64 bits in IPv6, of which one customer has at
/// least one. Holds no more entries than there are connections. Thread-safe.
/// </summary>
internal sealed class AddressTally
{
    private readonly int _max;
    private readonly int _perAddressMax;
    private readonly Lock _lock = new();
    private readonly Dictionary<UInt128, int> _counts = [];
    private int _count;

    /// <param name="max">The most of all.</param>
    /// <param name="perAddressMax">The most from one address.</param>
    public AddressTally(int max, int perAddressMax) => (_max, _perAddressMax) = (max, perAddressMax);

    /// <summary>How many there are.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Counts one more, unless there is no room for it.</summary>
    public bool TryAdd(IPAddress address)
    {
        lock (_lock)
        {
            if (_count >= _max)
                return false;
            ref int count = ref CollectionsMarshal.GetValueRefOrAddDefault(_counts, KeyOf(address), out _);
            if (count >= _perAddressMax)
                return false;
            count++;
            _count++;
            return true;
        }
    }

    /// <summary>One that was counted has ended.</summary>
    public void Remove(IPAddress address)
    {
        lock (_lock)
        {
            UInt128 key = KeyOf(address);
            if (!_counts.TryGetValue(key, out int count))
                return;
            _count--;
            if (count == 1)
                _counts.Remove(key);
            else
                _counts[key] = count - 1;
        }
    }

    // IPv4 addresses are told apart from networks by their place in the mapped range.
    private static UInt128 KeyOf(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.MapToIPv6().TryWriteBytes(bytes, out _);
        if (address.AddressFamily == AddressFamily.InterNetworkV6 && !address.IsIPv4MappedToIPv6)
            bytes[8..].Clear();
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }
}
