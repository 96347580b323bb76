using System.Buffers.Binary;

namespace Iroh.NetReport.Stun;

/// <summary>The 96 bits that tie a STUN answer to its request (RFC 8489 §5). Random, so that only who saw the request can answer it.</summary>
internal readonly record struct StunTransactionId(ulong High, uint Low)
{
    /// <summary>Its length on the wire.</summary>
    public const int Length = 12;

    /// <summary>Reads 12 bytes.</summary>
    public static StunTransactionId Read(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]));

    /// <summary>Writes 12 bytes.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, High);
        BinaryPrimitives.WriteUInt32BigEndian(destination[8..], Low);
    }
}
