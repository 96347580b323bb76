using System.Buffers.Binary;

namespace Iroh.Quic.Protocol.ConnectionIds;

/// <summary>The 16 bytes that end a stateless reset (RFC 9000 §10.3), held by value. Comparing takes the same time for all values.</summary>
internal readonly struct StatelessResetToken : IEquatable<StatelessResetToken>
{
    /// <summary>Bytes of a token.</summary>
    public const int Length = 16;

    private readonly ulong _high;
    private readonly ulong _low;

    /// <summary>Copies exactly <see cref="Length"/> bytes.</summary>
    /// <exception cref="ArgumentException">Another length.</exception>
    public StatelessResetToken(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Length)
            throw new ArgumentException($"A stateless reset token has {Length} bytes; this one has {bytes.Length}.", nameof(bytes));
        _high = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        _low = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
    }

    /// <summary>Writes the bytes to the front of <paramref name="destination"/>.</summary>
    /// <param name="destination">At least <see cref="Length"/> bytes.</param>
    public void CopyTo(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, _high);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _low);
    }

    /// <inheritdoc/>
    /// <remarks>RFC 9000 §10.3.1: must not leak by its duration how much of a token was right.</remarks>
    public bool Equals(StatelessResetToken other) => ((_high ^ other._high) | (_low ^ other._low)) == 0;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is StatelessResetToken other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(_high, _low);

    /// <summary>Whether all bytes are equal.</summary>
    public static bool operator ==(StatelessResetToken left, StatelessResetToken right) => left.Equals(right);

    /// <summary>Whether any byte differs.</summary>
    public static bool operator !=(StatelessResetToken left, StatelessResetToken right) => !left.Equals(right);

    /// <summary>Lower-case hex.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Length];
        CopyTo(bytes);
        return Convert.ToHexStringLower(bytes);
    }
}
