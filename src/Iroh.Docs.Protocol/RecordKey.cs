using System.Diagnostics.CodeAnalysis;
using Iroh.Base.Serialization;

namespace Iroh.Docs;

/// <summary>
/// The full name of an entry: namespace ‖ author ‖ key, one string of bytes whose order is plainly bytewise. Also the ends of ranges, which
/// need not name an entry. Immutable. On the wire: length, then the bytes.
/// </summary>
public sealed class RecordKey : IEquatable<RecordKey>, IComparable<RecordKey>
{
    /// <summary>Bytes of the namespace and the author together, the least a name has.</summary>
    public const int PrefixLength = NamespaceId.Length + AuthorId.Length;

    /// <summary>The longest key. iroh has no limit; its live updates carry keys up to 3.8 KB, so that nobody is known to come near this.</summary>
    public const int KeyLengthMax = 64 * 1024;

    private readonly byte[] _bytes;

    private RecordKey(byte[] bytes) => _bytes = bytes;

    /// <summary>Joins the three parts.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The key is longer than <see cref="KeyLengthMax"/>.</exception>
    public RecordKey(NamespaceId document, AuthorId author, ReadOnlySpan<byte> key)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(key.Length, KeyLengthMax, nameof(key));
        _bytes = new byte[PrefixLength + key.Length];
        document.Span.CopyTo(_bytes);
        author.Span.CopyTo(_bytes.AsSpan(NamespaceId.Length));
        key.CopyTo(_bytes.AsSpan(PrefixLength));
    }

    /// <summary>64 zero bytes: what a replica without entries calls its first key.</summary>
    public static RecordKey Zero { get; } = new(new byte[PrefixLength]);

    /// <summary>All bytes: at least <see cref="PrefixLength"/>.</summary>
    public ReadOnlySpan<byte> Span => _bytes;

    /// <summary>The document.</summary>
    public NamespaceId Document => new(_bytes.AsSpan(0, NamespaceId.Length));

    /// <summary>The author.</summary>
    public AuthorId Author => new(_bytes.AsSpan(NamespaceId.Length, AuthorId.Length));

    /// <summary>The key within the document, chosen by the application; may be empty.</summary>
    public ReadOnlyMemory<byte> Key => _bytes.AsMemory(PrefixLength);

    /// <summary>Whether both are the same bytes.</summary>
    public static bool operator ==(RecordKey? left, RecordKey? right) => left is null ? right is null : left.Equals(right);

    /// <summary>Whether they differ.</summary>
    public static bool operator !=(RecordKey? left, RecordKey? right) => !(left == right);

    /// <summary>Whether <paramref name="left"/> comes first in the order of bytes.</summary>
    public static bool operator <(RecordKey left, RecordKey right) => Compare(left, right) < 0;

    /// <summary>Whether <paramref name="left"/> does not come last in the order of bytes.</summary>
    public static bool operator <=(RecordKey left, RecordKey right) => Compare(left, right) <= 0;

    /// <summary>Whether <paramref name="left"/> comes last in the order of bytes.</summary>
    public static bool operator >(RecordKey left, RecordKey right) => Compare(left, right) > 0;

    /// <summary>Whether <paramref name="left"/> does not come first in the order of bytes.</summary>
    public static bool operator >=(RecordKey left, RecordKey right) => Compare(left, right) >= 0;

    /// <summary>Takes over bytes; false if they are fewer than <see cref="PrefixLength"/> or the key is too long.</summary>
    public static bool TryFromBytes(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out RecordKey? key)
    {
        key = bytes.Length is >= PrefixLength and <= PrefixLength + KeyLengthMax ? new RecordKey(bytes.ToArray()) : null;
        return key is not null;
    }

    /// <summary>Reads the wire form.</summary>
    public static bool TryRead(ref PostcardReader reader, [NotNullWhen(true)] out RecordKey? key)
    {
        key = null;
        return reader.TryReadBytes(out ReadOnlySpan<byte> bytes) && TryFromBytes(bytes, out key);
    }

    /// <summary>Appends the wire form.</summary>
    public void Write(PostcardWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteBytes(_bytes);
    }

    /// <summary>Whether this names an entry of <paramref name="document"/>.</summary>
    public bool IsOf(NamespaceId document) => _bytes.AsSpan(0, NamespaceId.Length).SequenceEqual(document.Span);

    /// <summary>Whether <paramref name="other"/> is of the same document and author and its key begins with (or is) this one's.</summary>
    public bool IsPrefixOf(RecordKey other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return other._bytes.AsSpan().StartsWith(_bytes);
    }

    /// <inheritdoc/>
    public bool Equals(RecordKey? other) => other is not null && _bytes.AsSpan().SequenceEqual(other._bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as RecordKey);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(_bytes);
        return hash.ToHashCode();
    }

    /// <inheritdoc/>
    public int CompareTo(RecordKey? other) => other is null ? 1 : _bytes.AsSpan().SequenceCompareTo(other._bytes);

    /// <summary>The short forms of document and author, and the key as hex.</summary>
    public override string ToString() => $"{Document.ToShortString()}/{Author.ToShortString()}/{Convert.ToHexStringLower(Key.Span)}";

    private static int Compare(RecordKey left, RecordKey right)
    {
        ArgumentNullException.ThrowIfNull(left);
        return left.CompareTo(right);
    }
}
