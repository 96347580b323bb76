using System.Diagnostics.CodeAnalysis;
using System.Text;
using Iroh.Base.Serialization;

namespace Iroh.Docs;

/// <summary>
/// Matches keys: one key, or all that begin with some bytes. Immutable. On the wire variant 0 (prefix) or 1 (exact) and the
/// length-prefixed bytes; as text <c>prefix:utf8:…</c>, <c>exact:hex:…</c> and the other two pairs.
/// </summary>
public sealed class KeyFilter : IEquatable<KeyFilter>
{
    private static readonly UTF8Encoding s_strictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly byte[] _bytes;

    private KeyFilter(bool isExact, byte[] bytes)
    {
        IsExact = isExact;
        _bytes = bytes;
    }

    /// <summary>Whether the whole key has to be the same, not only its beginning.</summary>
    public bool IsExact { get; }

    /// <summary>The key or its beginning.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes;

    /// <summary>Matches the keys that begin with <paramref name="bytes"/>, which are copied; none match everything.</summary>
    public static KeyFilter Prefix(ReadOnlySpan<byte> bytes) => Create(false, bytes);

    /// <summary>Matches one key, which is copied.</summary>
    public static KeyFilter Exact(ReadOnlySpan<byte> bytes) => Create(true, bytes);

    /// <summary>Reads the wire form.</summary>
    public static bool TryRead(ref PostcardReader reader, [NotNullWhen(true)] out KeyFilter? filter)
    {
        filter = null;
        if (!reader.TryReadUInt32(out uint variant)
            || variant > 1
            || !reader.TryReadBytes(out ReadOnlySpan<byte> bytes)
            || bytes.Length > RecordKey.KeyLengthMax)
            return false;
        filter = new KeyFilter(variant == 1, bytes.ToArray());
        return true;
    }

    /// <summary>Reads the text form.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out KeyFilter? filter)
    {
        filter = null;
        string[] parts = text?.Split(':', 3) ?? [];
        if (parts.Length != 3 || parts[0] is not ("prefix" or "exact"))
            return false;
        byte[] bytes;
        try
        {
            switch (parts[1])
            {
                case "utf8":
                    bytes = s_strictUtf8.GetBytes(parts[2]);
                    break;
                case "hex":
                    bytes = Convert.FromHexString(parts[2]);
                    break;
                default:
                    return false;
            }
        }
        catch (Exception exception) when (exception is FormatException or EncoderFallbackException)
        {
            return false;
        }

        filter = bytes.Length <= RecordKey.KeyLengthMax ? new KeyFilter(parts[0] == "exact", bytes) : null;
        return filter is not null;
    }

    /// <summary>Whether <paramref name="key"/> is meant.</summary>
    public bool Matches(ReadOnlySpan<byte> key) => IsExact ? key.SequenceEqual(_bytes) : key.StartsWith(_bytes);

    /// <summary>Appends the wire form.</summary>
    public void Write(PostcardWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteVarint(IsExact ? 1u : 0u);
        writer.WriteBytes(_bytes);
    }

    /// <inheritdoc/>
    public bool Equals(KeyFilter? other) => other is not null && IsExact == other.IsExact && _bytes.AsSpan().SequenceEqual(other._bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as KeyFilter);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(IsExact);
        hash.AddBytes(_bytes);
        return hash.ToHashCode();
    }

    /// <summary>The text form: UTF-8 where the bytes are that, hex otherwise.</summary>
    public override string ToString()
    {
        string kind = IsExact ? "exact" : "prefix";
        return System.Text.Unicode.Utf8.IsValid(_bytes)
            ? $"{kind}:utf8:{s_strictUtf8.GetString(_bytes)}"
            : $"{kind}:hex:{Convert.ToHexStringLower(_bytes)}";
    }

    private static KeyFilter Create(bool isExact, ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, RecordKey.KeyLengthMax, nameof(bytes));
        return new KeyFilter(isExact, bytes.ToArray());
    }
}
