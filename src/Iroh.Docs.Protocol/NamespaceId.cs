using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Iroh.Cryptography;

namespace Iroh.Docs;

/// <summary>
/// The public key that names a document: whoever holds its secret may write.
/// Written as 64 lower-case hex digits. Texts are checked for being a point of the curve; bytes from the wire are not, since the
/// signatures that come with them say more (<see cref="IsPoint"/>). The default value is 32 zeros.
/// </summary>
public readonly struct NamespaceId : IEquatable<NamespaceId>, IComparable<NamespaceId>
{
    /// <summary>Bytes of an id.</summary>
    public const int Length = Ed25519.PublicKeyLength;

    private readonly Bytes32 _bytes;

    /// <summary>Takes over exactly <see cref="Length"/> bytes.</summary>
    public NamespaceId(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Length);
        bytes.CopyTo(_bytes);
    }

    /// <summary>The raw bytes. The span must not outlive this value.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Span => _bytes;

    /// <summary>Whether the bytes are a point of the Ed25519 curve, without which nobody can sign for this id.</summary>
    public bool IsPoint => Ed25519.IsValidPublicKey(_bytes);

    /// <summary>Whether both are the same.</summary>
    public static bool operator ==(NamespaceId left, NamespaceId right) => left.Equals(right);

    /// <summary>Whether they differ.</summary>
    public static bool operator !=(NamespaceId left, NamespaceId right) => !left.Equals(right);

    /// <summary>Whether <paramref name="left"/> comes first in the order of bytes.</summary>
    public static bool operator <(NamespaceId left, NamespaceId right) => left.CompareTo(right) < 0;

    /// <summary>Whether <paramref name="left"/> does not come last in the order of bytes.</summary>
    public static bool operator <=(NamespaceId left, NamespaceId right) => left.CompareTo(right) <= 0;

    /// <summary>Whether <paramref name="left"/> comes last in the order of bytes.</summary>
    public static bool operator >(NamespaceId left, NamespaceId right) => left.CompareTo(right) > 0;

    /// <summary>Whether <paramref name="left"/> does not come first in the order of bytes.</summary>
    public static bool operator >=(NamespaceId left, NamespaceId right) => left.CompareTo(right) >= 0;

    /// <summary>Reads 64 hex digits of either case that name a point of the curve.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out NamespaceId id)
    {
        id = default;
        if (!KeyText.TryRead(text, out byte[] bytes) || !Ed25519.IsValidPublicKey(bytes))
            return false;
        id = new NamespaceId(bytes);
        return true;
    }

    /// <summary>Reads the form of <see cref="TryParse"/>.</summary>
    /// <exception cref="FormatException">The text is not an id; the message says what one looks like.</exception>
    public static NamespaceId Parse(string text) => TryParse(text, out NamespaceId id)
        ? id
        : throw new FormatException($"'{text}' is not a document id: expected 64 hex digits that name an Ed25519 public key.");

    /// <summary>Whether <paramref name="signature"/> (64 bytes) over <paramref name="message"/> was made with this id's secret; strict, as iroh checks.</summary>
    public bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) =>
        IsPoint && Ed25519.Verify(_bytes, message, signature);

    /// <summary>A copy of the bytes.</summary>
    public byte[] ToArray() => Span.ToArray();

    /// <summary>The first ten hex digits, for messages to people.</summary>
    public string ToShortString() => Convert.ToHexStringLower(Span[..5]);

    /// <summary>64 lower-case hex digits.</summary>
    public override string ToString() => Convert.ToHexStringLower(Span);

    /// <inheritdoc/>
    public bool Equals(NamespaceId other) => Span.SequenceEqual(other.Span);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is NamespaceId other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => BinaryPrimitives.ReadInt32LittleEndian(Span);

    /// <inheritdoc/>
    public int CompareTo(NamespaceId other) => Span.SequenceCompareTo(other.Span);
}
