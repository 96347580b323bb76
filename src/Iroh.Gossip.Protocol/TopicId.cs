using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using Iroh.Cryptography;

namespace Iroh.Gossip;

/// <summary>The name of a topic: 32 bytes of any value, on which whoever wants to talk has agreed. Written as 64 lower-case hex digits.</summary>
public readonly struct TopicId : IEquatable<TopicId>, IComparable<TopicId>
{
    /// <summary>Number of bytes of an id.</summary>
    public const int Length = Bytes32.Length;

    private readonly Bytes32 _bytes;

    private TopicId(ReadOnlySpan<byte> bytes) => bytes.CopyTo(_bytes);

    /// <summary>The raw bytes. The span must not outlive this value.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Span => _bytes;

    /// <summary>Takes over 32 bytes.</summary>
    /// <exception cref="ArgumentException">They are not 32.</exception>
    public static TopicId FromBytes(ReadOnlySpan<byte> bytes) => bytes.Length == Length
        ? new TopicId(bytes)
        : throw new ArgumentException($"A topic id has {Length} bytes; these are {bytes.Length}.", nameof(bytes));

    /// <summary>The topic that a text names: the BLAKE3 hash of its UTF-8 bytes. Convenient where people choose topics.</summary>
    public static TopicId FromName(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        Span<byte> hash = stackalloc byte[Length];
        Blake3.Hash(System.Text.Encoding.UTF8.GetBytes(name), hash);
        return new TopicId(hash);
    }

    /// <summary>Reads 64 hex digits of either case.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out TopicId topic)
    {
        Span<byte> bytes = stackalloc byte[Length];
        bool isHex = text.Length == Length * 2 && Convert.FromHexString(text, bytes, out _, out _) == OperationStatus.Done;
        topic = isHex ? new TopicId(bytes) : default;
        return isHex;
    }

    /// <summary>The first 10 hex digits, for logs.</summary>
    public string ToShortString() => Convert.ToHexStringLower(Span[..5]);

    /// <summary>64 lower-case hex digits.</summary>
    public override string ToString() => Convert.ToHexStringLower(Span);

    /// <inheritdoc/>
    public bool Equals(TopicId other) => Span.SequenceEqual(other.Span);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is TopicId other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        // Unlike keys and hashes a topic may have equal bytes at any place.
        var hash = new HashCode();
        hash.AddBytes(Span);
        return hash.ToHashCode();
    }

    /// <summary>Byte-lexicographic order.</summary>
    public int CompareTo(TopicId other) => Span.SequenceCompareTo(other.Span);

    /// <summary>Whether both name the same topic.</summary>
    public static bool operator ==(TopicId left, TopicId right) => left.Equals(right);

    /// <summary>Whether they name different topics.</summary>
    public static bool operator !=(TopicId left, TopicId right) => !left.Equals(right);
}
