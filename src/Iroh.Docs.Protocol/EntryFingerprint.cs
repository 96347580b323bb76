using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Iroh.Blobs;
using Iroh.Cryptography;

namespace Iroh.Docs;

/// <summary>
/// A hash of a set of entries by which two replicas see that a range is the same at both: BLAKE3 of nothing, exclusive-or the hash of each
/// entry's name, timestamp and content hash. The order does not matter, and an entry counted twice would cancel itself.
/// </summary>
public readonly struct EntryFingerprint : IEquatable<EntryFingerprint>
{
    /// <summary>Bytes of a fingerprint.</summary>
    public const int Length = Bytes32.Length;

    private readonly Bytes32 _bytes;

    /// <summary>Takes over exactly <see cref="Length"/> bytes.</summary>
    public EntryFingerprint(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Length);
        bytes.CopyTo(_bytes);
    }

    /// <summary>The fingerprint of no entries.</summary>
    public static EntryFingerprint Empty { get; } = new(BlobHash.Empty.ToArray());

    /// <summary>The raw bytes. The span must not outlive this value.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Span => _bytes;

    /// <summary>Whether both are the same.</summary>
    public static bool operator ==(EntryFingerprint left, EntryFingerprint right) => left.Equals(right);

    /// <summary>Whether they differ.</summary>
    public static bool operator !=(EntryFingerprint left, EntryFingerprint right) => !left.Equals(right);

    /// <summary>The hash of one entry, to be combined with <see cref="Xor"/>; by itself it is not the fingerprint of a set.</summary>
    public static EntryFingerprint OfEntry(RecordKey key, EntryRecord record)
    {
        ArgumentNullException.ThrowIfNull(key);
        // Keys are short; only one beyond this takes memory from elsewhere.
        const int StackLength = 256;
        int length = key.Span.Length + sizeof(ulong) + BlobHash.Length;
        Span<byte> bytes = length <= StackLength ? stackalloc byte[StackLength] : new byte[length];
        key.Span.CopyTo(bytes);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[key.Span.Length..], record.Timestamp.Microseconds);
        record.Hash.CopyTo(bytes[(key.Span.Length + sizeof(ulong))..]);
        Span<byte> hash = stackalloc byte[Length];
        Blake3.Hash(bytes[..length], hash);
        return new EntryFingerprint(hash);
    }

    /// <summary>Adds what <paramref name="other"/> stands for, or takes it away again.</summary>
    public EntryFingerprint Xor(EntryFingerprint other)
    {
        Span<byte> result = stackalloc byte[Length];
        ReadOnlySpan<ulong> left = MemoryMarshal.Cast<byte, ulong>(Span), right = MemoryMarshal.Cast<byte, ulong>(other.Span);
        Span<ulong> both = MemoryMarshal.Cast<byte, ulong>(result);
        for (int i = 0; i < both.Length; i++)
            both[i] = left[i] ^ right[i];
        return new EntryFingerprint(result);
    }

    /// <inheritdoc/>
    public bool Equals(EntryFingerprint other) => Span.SequenceEqual(other.Span);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is EntryFingerprint other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => BinaryPrimitives.ReadInt32LittleEndian(Span);

    /// <summary>64 lower-case hex digits.</summary>
    public override string ToString() => Convert.ToHexStringLower(Span);
}
