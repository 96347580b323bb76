using System.Diagnostics;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Codec.Headers;

/// <summary>Truncates packet numbers for the wire and restores them (RFC 9000 §17.1, appendix A.2 and A.3).</summary>
internal static class PacketNumberCodec
{
    /// <summary>Longest form in bytes.</summary>
    public const int LengthMax = 4;

    /// <summary>The fewest bytes from which the peer can restore the number: half of their range covers all that is in flight.</summary>
    /// <param name="packetNumber">The number about to be sent.</param>
    /// <param name="largestAcknowledged">By the peer, in the same packet number space; null if none is yet.</param>
    public static int EncodedLength(PacketNumber packetNumber, PacketNumber? largestAcknowledged)
    {
        ulong unacknowledged = largestAcknowledged is { } largest
            ? packetNumber.Value - largest.Value
            : packetNumber.Value + 1;
        Debug.Assert(unacknowledged <= 1UL << 31, "More packets in flight than four bytes can tell apart.");
        return unacknowledged switch
        {
            <= 1UL << 7 => 1,
            <= 1UL << 15 => 2,
            <= 1UL << 23 => 3,
            _ => LengthMax,
        };
    }

    /// <summary>Writes the low bytes of the number.</summary>
    /// <param name="writer">Where they go.</param>
    /// <param name="packetNumber">The full number.</param>
    /// <param name="length">1 to 4.</param>
    public static void Write(ref WireWriter writer, PacketNumber packetNumber, int length)
    {
        for (int shift = 8 * (length - 1); shift >= 0; shift -= 8)
            writer.WriteByte((byte)(packetNumber.Value >> shift));
    }

    /// <summary>The number nearest to the one expected next that ends in the truncated one (RFC 9000 §A.3).</summary>
    /// <param name="largestReceived">Authenticated so far in the same packet number space; null if none is yet.</param>
    /// <param name="truncated">The bytes on the wire as a number.</param>
    /// <param name="length">How many bytes there were, 1 to 4.</param>
    public static PacketNumber Decode(PacketNumber? largestReceived, ulong truncated, int length)
    {
        ulong expected = largestReceived is { } largest ? largest.Value + 1 : 0;
        ulong window = 1UL << (8 * length);
        ulong half = window / 2;
        ulong candidate = (expected & ~(window - 1)) | truncated;
        if (candidate + half <= expected && candidate < PacketNumber.Max.Value + 1 - window)
            return new PacketNumber(candidate + window);
        if (candidate > expected + half && candidate >= window)
            return new PacketNumber(candidate - window);
        return new PacketNumber(candidate);
    }
}
