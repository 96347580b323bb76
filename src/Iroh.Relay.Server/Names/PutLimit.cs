using System.Buffers.Binary;
using System.Net;

namespace Iroh.Relay.Server.Names;

/// <summary>
/// Limits how often one network address may put: a burst, then one in each interval (the generic cell rate algorithm: one time
/// an address). IPv6 hosts own 2^64 addresses, so that these count as one. One owner; not thread-safe.
/// </summary>
internal sealed class PutLimit
{
    /// <summary>The most addresses remembered, a few MiB. Each is forgotten after burst × interval; more new ones than this in that time are refused.</summary>
    public const int AddressesMax = 65_536;

    private readonly TimeSpan _interval;
    private readonly TimeSpan _tolerance;
    private readonly Dictionary<UInt128, DateTimeOffset> _freeAt = [];

    /// <param name="burst">At least 1.</param>
    /// <param name="interval">More than zero.</param>
    public PutLimit(int burst, TimeSpan interval)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(burst, 1);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(interval, TimeSpan.Zero);
        _interval = interval;
        _tolerance = interval * (burst - 1);
    }

    /// <summary>Counts one more from an address.</summary>
    /// <param name="now">The time.</param>
    /// <param name="address">Where it comes from.</param>
    /// <param name="retryAfter">How long to wait; zero if it is allowed.</param>
    /// <returns>Whether it is allowed.</returns>
    public bool TryTake(DateTimeOffset now, IPAddress address, out TimeSpan retryAfter)
    {
        UInt128 key = KeyOf(address);
        DateTimeOffset freeAt = _freeAt.TryGetValue(key, out DateTimeOffset known) && known > now ? known : now;
        retryAfter = freeAt - now - _tolerance;
        if (retryAfter > TimeSpan.Zero)
            return false;
        retryAfter = TimeSpan.Zero;
        if (_freeAt.Count >= AddressesMax && !_freeAt.ContainsKey(key))
        {
            Forget(now);
            if (_freeAt.Count >= AddressesMax)
            {
                retryAfter = _interval;
                return false;
            }
        }

        _freeAt[key] = freeAt + _interval;
        return true;
    }

    private static UInt128 KeyOf(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        address.TryWriteBytes(bytes, out int length);
        bytes[8..].Clear();

        // No IPv6 network starts with the mark of IPv4's.
        if (length == 4)
            bytes[8] = 4;
        return BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }

    private void Forget(DateTimeOffset now)
    {
        foreach ((UInt128 key, DateTimeOffset freeAt) in _freeAt)
        {
            if (freeAt <= now)
                _freeAt.Remove(key);
        }
    }
}
