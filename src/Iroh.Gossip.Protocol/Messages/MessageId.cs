using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Iroh.Cryptography;

namespace Iroh.Gossip.Messages;

/// <summary>The name of a message: the BLAKE3 hash of its content, 32 bytes.</summary>
public readonly struct MessageId : IEquatable<MessageId>, IComparable<MessageId>
{
    /// <summary>Number of bytes of an id.</summary>
    public const int Length = Bytes32.Length;

    private readonly Bytes32 _bytes;

    private MessageId(ReadOnlySpan<byte> bytes) => bytes.CopyTo(_bytes);

    /// <summary>The raw bytes. The span must not outlive this value.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Span => _bytes;

    /// <summary>The id of a message with this content.</summary>
    public static MessageId OfContent(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[Length];
        Blake3.Hash(content, hash);
        return new MessageId(hash);
    }

    /// <summary>Takes over 32 bytes.</summary>
    /// <exception cref="ArgumentException">They are not 32.</exception>
    public static MessageId FromBytes(ReadOnlySpan<byte> bytes) => bytes.Length == Length
        ? new MessageId(bytes)
        : throw new ArgumentException($"A message id has {Length} bytes; these are {bytes.Length}.", nameof(bytes));

    /// <summary>64 lower-case hex digits.</summary>
    public override string ToString() => Convert.ToHexStringLower(Span);

    /// <inheritdoc/>
    public bool Equals(MessageId other) => Span.SequenceEqual(other.Span);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is MessageId other && Equals(other);

    /// <summary>The first bytes: what peers announce need not be hashes, but tables of them are bounded.</summary>
    public override int GetHashCode() => BinaryPrimitives.ReadInt32LittleEndian(Span);

    /// <summary>Byte-lexicographic order.</summary>
    public int CompareTo(MessageId other) => Span.SequenceCompareTo(other.Span);

    /// <summary>Whether both name the same message.</summary>
    public static bool operator ==(MessageId left, MessageId right) => left.Equals(right);

    /// <summary>Whether they name different messages.</summary>
    public static bool operator !=(MessageId left, MessageId right) => !left.Equals(right);
}
