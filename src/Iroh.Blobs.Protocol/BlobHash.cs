using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Iroh.Cryptography;

namespace Iroh.Blobs;

/// <summary>The BLAKE3 hash of some content, by which it is named, stored and asked for. The default value is 32 zeros, the hash of
/// nothing that anybody has seen.</summary>
public readonly struct BlobHash : IEquatable<BlobHash>, IComparable<BlobHash>
{
    /// <summary>Bytes of a hash.</summary>
    public const int Length = Blake3.HashLength;

    private readonly Bytes32 _bytes;

    /// <summary>A hash from its bytes.</summary>
    /// <param name="bytes">Exactly <see cref="Length"/> bytes.</param>
    public BlobHash(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Length);
        bytes.CopyTo(_bytes);
    }

    [UnscopedRef]
    private ReadOnlySpan<byte> Span => MemoryMarshal.CreateReadOnlySpan(in Unsafe.As<Bytes32, byte>(ref Unsafe.AsRef(in _bytes)), Length);

    /// <summary>Equality of all bytes.</summary>
    public static bool operator ==(BlobHash left, BlobHash right) => left.Equals(right);

    /// <summary>The opposite of equality.</summary>
    public static bool operator !=(BlobHash left, BlobHash right) => !left.Equals(right);

    /// <summary>Whether <paramref name="left"/> comes first in the order of bytes.</summary>
    public static bool operator <(BlobHash left, BlobHash right) => left.CompareTo(right) < 0;

    /// <summary>Whether <paramref name="left"/> does not come last in the order of bytes.</summary>
    public static bool operator <=(BlobHash left, BlobHash right) => left.CompareTo(right) <= 0;

    /// <summary>Whether <paramref name="left"/> comes last in the order of bytes.</summary>
    public static bool operator >(BlobHash left, BlobHash right) => left.CompareTo(right) > 0;

    /// <summary>Whether <paramref name="left"/> does not come first in the order of bytes.</summary>
    public static bool operator >=(BlobHash left, BlobHash right) => left.CompareTo(right) >= 0;

    /// <summary>The hash of content that is in memory.</summary>
    public static BlobHash Of(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[Length];
        Blake3.Hash(content, hash);
        return new BlobHash(hash);
    }

    /// <summary>Reads 64 lower-case hexadecimal digits: upper case is refused, so that a hash has one text.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out BlobHash hash)
    {
        hash = default;
        if (text is not { Length: 2 * Length })
            return false;
        foreach (char c in text)
            if (c is not ((>= '0' and <= '9') or (>= 'a' and <= 'f')))
                return false;
        hash = new BlobHash(Convert.FromHexString(text));
        return true;
    }

    /// <summary>Reads bytes from the wire.</summary>
    /// <returns>False unless there are exactly <see cref="Length"/>.</returns>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out BlobHash hash)
    {
        hash = bytes.Length == Length ? new BlobHash(bytes) : default;
        return bytes.Length == Length;
    }

    /// <summary>Writes the bytes to the front of <paramref name="destination"/>, which has room for <see cref="Length"/>.</summary>
    public void CopyTo(Span<byte> destination) => Span.CopyTo(destination);

    /// <summary>A copy of the bytes.</summary>
    public byte[] ToArray() => Span.ToArray();

    /// <summary>The first ten hexadecimal digits, for messages to people.</summary>
    public string ToShortString() => Convert.ToHexStringLower(Span[..5]);

    /// <summary>64 lower-case hexadecimal digits.</summary>
    public override string ToString() => Convert.ToHexStringLower(Span);

    /// <inheritdoc/>
    public bool Equals(BlobHash other) => Span.SequenceEqual(other.Span);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is BlobHash other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => MemoryMarshal.Read<int>(Span);

    /// <inheritdoc/>
    public int CompareTo(BlobHash other) => Span.SequenceCompareTo(other.Span);

    [InlineArray(Length)]
    private struct Bytes32
    {
        private byte _element0;
    }
}
