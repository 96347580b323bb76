using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Iroh.Base.Serialization;
using Iroh.Cryptography;

namespace Iroh.Blobs;

/// <summary>The BLAKE3 hash of some content, by which it is named, stored and asked for. The default value is 32 zeros, the hash of
/// nothing that anybody has seen.</summary>
public readonly struct BlobHash : IEquatable<BlobHash>, IComparable<BlobHash>
{
    /// <summary>Bytes of a hash.</summary>
    public const int Length = Blake3.HashLength;

    /// <summary>Characters of a hash in base 32.</summary>
    private const int Base32TextLength = 52;

    private static readonly SearchValues<char> s_lowerHex = SearchValues.Create("0123456789abcdef");

    private readonly Bytes32 _bytes;

    /// <summary>A hash from its bytes.</summary>
    /// <param name="bytes">Exactly <see cref="Length"/> bytes.</param>
    public BlobHash(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Length);
        bytes.CopyTo(_bytes);
    }

    /// <summary>The hash of no bytes at all. That blob is complete everywhere.</summary>
    public static BlobHash Empty { get; } = Of([]);

    /// <summary>Whether this is the hash of no bytes.</summary>
    public bool IsEmpty => this == Empty;

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

    /// <summary>
    /// Reads 64 lower-case hexadecimal digits (upper case is refused, so that a hash has one text), or the 52 characters of base 32, of
    /// either case, that iroh wrote before its version 0.90.
    /// </summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out BlobHash hash) => TryParse(text.AsSpan(), out hash);

    /// <inheritdoc cref="TryParse(string?, out BlobHash)"/>
    public static bool TryParse(ReadOnlySpan<char> text, out BlobHash hash)
    {
        hash = default;
        if (text.Length == Base32TextLength)
            return Base32.TryDecode(text, out byte[] bytes) && TryRead(bytes, out hash);
        if (text.Length != 2 * Length || text.ContainsAnyExcept(s_lowerHex))
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
