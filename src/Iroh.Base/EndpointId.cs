using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Iroh.Base.Serialization;
using Iroh.Cryptography;

namespace Iroh.Base;

/// <summary>
/// The public key that names an endpoint: 32 bytes of a compressed Ed25519 point. Written as 64 lower-case hex digits.
/// The default value is 32 zero bytes, which happens to be a valid point; no endpoint has it.
/// </summary>
public readonly struct EndpointId : IEquatable<EndpointId>, IComparable<EndpointId>, ISpanParsable<EndpointId>
{
    /// <summary>Number of bytes of an id.</summary>
    public const int Length = Ed25519.PublicKeyLength;

    private const int HexLength = Length * 2;
    private const int Base32Length = 52;
    private const int ShortByteCount = 5;

    private readonly Bytes _bytes;

    private EndpointId(ReadOnlySpan<byte> bytes) => bytes.CopyTo(_bytes);

    /// <summary>The raw bytes. The span must not outlive this value.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Span => _bytes;

    /// <summary>Takes over 32 bytes.</summary>
    /// <exception cref="FormatException">The bytes are not a point of the curve, or not 32.</exception>
    public static EndpointId FromBytes(ReadOnlySpan<byte> bytes) => TryFromBytes(bytes, out EndpointId id)
        ? id
        : throw new FormatException("An endpoint id is 32 bytes that encode a point of the Ed25519 curve.");

    /// <summary>Takes over 32 bytes if they encode a point of the curve.</summary>
    public static bool TryFromBytes(ReadOnlySpan<byte> bytes, out EndpointId id)
    {
        bool valid = bytes.Length == Length && Ed25519.IsValidPublicKey(bytes);
        id = valid ? new EndpointId(bytes) : default;
        return valid;
    }

    /// <summary>Reads the forms that iroh reads: 64 lower-case hex digits, or 52 characters of base 32 in either case.</summary>
    /// <exception cref="FormatException">The text is neither, or does not name a point of the curve.</exception>
    public static EndpointId Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return TryParse(text, out EndpointId id)
            ? id
            : throw new FormatException(
                $"'{text}' is not an endpoint id: expected 64 lower-case hex digits (or 52 characters of base 32) that name an Ed25519 public key.");
    }

    /// <summary>Reads the forms of <see cref="Parse(string)"/> without throwing.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out EndpointId id)
    {
        id = default;
        return TryReadKeyText(text, out byte[] bytes) && TryFromBytes(bytes, out id);
    }

    /// <summary>Whether <paramref name="signature"/> over <paramref name="message"/> was made with this id's secret key; strict, as iroh checks.</summary>
    public bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature) => Ed25519.Verify(_bytes, message, signature);

    /// <summary>The first 10 hex digits, for logs and tables.</summary>
    public string ToShortString() => Convert.ToHexStringLower(Span[..ShortByteCount]);

    /// <summary>52 characters of z-base-32: the form used in DNS names and pkarr URLs.</summary>
    public string ToZBase32() => Base32.EncodeZ(Span);

    /// <summary>Reads the form of <see cref="ToZBase32"/>: 52 characters in lower case that name a point of the curve.</summary>
    public static bool TryParseZBase32(ReadOnlySpan<char> text, out EndpointId id)
    {
        id = default;
        return text.Length == Base32Length && Base32.TryDecodeZ(text, out byte[] bytes) && TryFromBytes(bytes, out id);
    }

    /// <summary>64 lower-case hex digits.</summary>
    public override string ToString() => Convert.ToHexStringLower(Span);

    /// <inheritdoc/>
    public bool Equals(EndpointId other) => Span.SequenceEqual(other.Span);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is EndpointId other && Equals(other);

    /// <summary>The first bytes of the key: keys are uniformly distributed.</summary>
    public override int GetHashCode() => BinaryPrimitives.ReadInt32LittleEndian(Span);

    /// <summary>Byte-lexicographic order, the order of sorted sets on the wire.</summary>
    public int CompareTo(EndpointId other) => Span.SequenceCompareTo(other.Span);

    /// <summary>Whether both name the same endpoint.</summary>
    public static bool operator ==(EndpointId left, EndpointId right) => left.Equals(right);

    /// <summary>Whether they name different endpoints.</summary>
    public static bool operator !=(EndpointId left, EndpointId right) => !left.Equals(right);

    static EndpointId IParsable<EndpointId>.Parse(string s, IFormatProvider? provider) => Parse(s);

    static EndpointId ISpanParsable<EndpointId>.Parse(ReadOnlySpan<char> s, IFormatProvider? provider) => Parse(s.ToString());

    static bool IParsable<EndpointId>.TryParse(string? s, IFormatProvider? provider, out EndpointId result) => TryParse(s, out result);

    static bool ISpanParsable<EndpointId>.TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out EndpointId result) =>
        TryParse(s, out result);

    /// <summary>The text form that ids and secret keys share: hex if 64 characters long, else base 32.</summary>
    internal static bool TryReadKeyText(ReadOnlySpan<char> text, out byte[] bytes)
    {
        if (text.Length == HexLength)
        {
            bytes = new byte[Length];
            return text.IndexOfAnyInRange('A', 'F') < 0
                && Convert.FromHexString(text, bytes, out _, out _) == System.Buffers.OperationStatus.Done;
        }

        bytes = [];
        return text.Length == Base32Length && Base32.TryDecode(text, out bytes);
    }

    [InlineArray(Length)]
    private struct Bytes
    {
        private byte _element0;
    }
}
