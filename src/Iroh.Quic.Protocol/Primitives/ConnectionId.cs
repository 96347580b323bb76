using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Iroh.Quic.Protocol.Primitives;

/// <summary>A connection id of 0 to 20 bytes (RFC 9000 §5.1), held by value.</summary>
public readonly struct ConnectionId : IEquatable<ConnectionId>
{
    /// <summary>The longest id QUIC version 1 allows, in bytes (RFC 9000 §17.2).</summary>
    public const int MaxLength = 20;

    private readonly Bytes _bytes;
    private readonly byte _length;

    /// <summary>Copies <paramref name="value"/>, at most <see cref="MaxLength"/> bytes.</summary>
    /// <exception cref="ArgumentException">The value is longer.</exception>
    public ConnectionId(ReadOnlySpan<byte> value)
    {
        if (value.Length > MaxLength)
            throw new ArgumentException($"A connection id has at most {MaxLength} bytes; this one has {value.Length}.", nameof(value));
        _bytes = default;
        _length = (byte)value.Length;
        value.CopyTo(_bytes);
    }

    /// <summary>Number of bytes, 0 to 20.</summary>
    public int Length => _length;

    /// <summary>The bytes. The span must not outlive this value.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Span => ((ReadOnlySpan<byte>)_bytes)[.._length];

    /// <inheritdoc/>
    public bool Equals(ConnectionId other) => Span.SequenceEqual(other.Span);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is ConnectionId other && Equals(other);

    /// <summary>Spreads ids well because their generator does; ids chosen by a peer are only ever looked up next to random ones of ours.</summary>
    public override int GetHashCode()
    {
        ReadOnlySpan<byte> all = _bytes;
        return HashCode.Combine(
            BinaryPrimitives.ReadUInt64LittleEndian(all),
            BinaryPrimitives.ReadUInt64LittleEndian(all[8..]),
            BinaryPrimitives.ReadUInt32LittleEndian(all[16..]),
            _length);
    }

    /// <summary>Whether both have the same length and bytes.</summary>
    public static bool operator ==(ConnectionId left, ConnectionId right) => left.Equals(right);

    /// <summary>Whether they differ in length or bytes.</summary>
    public static bool operator !=(ConnectionId left, ConnectionId right) => !left.Equals(right);

    /// <summary>Lower-case hex.</summary>
    public override string ToString() => Convert.ToHexStringLower(Span);

    [InlineArray(MaxLength)]
    private struct Bytes
    {
        private byte _element0;
    }
}
