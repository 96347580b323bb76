using System.Buffers.Binary;

namespace Iroh.Cryptography;

/// <summary>
/// Where a protocol core takes its random bytes from: the operating system in production, a seed in tests and simulations.
/// One instance has one owner and is not thread-safe unless its type says so.
/// </summary>
public abstract class RandomSource
{
    /// <summary>Fills <paramref name="destination"/> with random bytes.</summary>
    public abstract void Fill(Span<byte> destination);

    /// <summary>A uniformly distributed 64-bit number.</summary>
    public ulong NextUInt64()
    {
        Span<byte> bytes = stackalloc byte[8];
        Fill(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>A number in [0, <paramref name="exclusiveMax"/>), uniform up to a bias of 2^-32 for ranges below 2^32.</summary>
    /// <param name="exclusiveMax">At least 1.</param>
    public ulong NextBelow(ulong exclusiveMax)
    {
        ArgumentOutOfRangeException.ThrowIfZero(exclusiveMax);
        return (ulong)(((UInt128)NextUInt64() * exclusiveMax) >> 64);
    }
}
