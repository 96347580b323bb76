using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.TransportParameters;

/// <summary>Where a server would rather be reached after the handshake (RFC 9000 §18.2).</summary>
/// <param name="IPv4">Unspecified if there is none.</param>
/// <param name="IPv6">Unspecified if there is none.</param>
/// <param name="ConnectionId">1 to 20 bytes; its sequence number is 1.</param>
/// <param name="ResetToken">Of that id.</param>
internal sealed record PreferredAddress(
    NetworkAddress IPv4, NetworkAddress IPv6, ConnectionId ConnectionId, StatelessResetToken ResetToken)
{
    private const int IPv4Length = 4;
    private const int IPv6Length = 16;

    /// <summary>Bytes of the value.</summary>
    public int EncodedLength => IPv4Length + 2 + IPv6Length + 2 + 1 + ConnectionId.Length + StatelessResetToken.Length;

    /// <summary>Reads a value; null unless it fills <paramref name="value"/> exactly and has an id of 1 to 20 bytes.</summary>
    public static PreferredAddress? Read(ReadOnlySpan<byte> value)
    {
        var reader = new WireReader(value);
        if (!reader.TryReadBytes(IPv4Length, out ReadOnlySpan<byte> ipv4)
            || !reader.TryReadUInt16(out ushort ipv4Port)
            || !reader.TryReadBytes(IPv6Length, out ReadOnlySpan<byte> ipv6)
            || !reader.TryReadUInt16(out ushort ipv6Port)
            || !reader.TryReadByte(out byte idLength)
            || idLength is 0 or > ConnectionId.MaxLength // RFC 9000 §18.2: an id of no bytes MUST be refused.
            || !reader.TryReadBytes(idLength, out ReadOnlySpan<byte> id)
            || !reader.TryReadBytes(StatelessResetToken.Length, out ReadOnlySpan<byte> token)
            || reader.Remaining != 0)
            return null;
        return new PreferredAddress(
            IsAbsent(ipv4, ipv4Port) ? default : NetworkAddress.FromIPv4(ipv4, ipv4Port),
            IsAbsent(ipv6, ipv6Port) ? default : NetworkAddress.FromIPv6(ipv6, ipv6Port),
            new ConnectionId(id),
            new StatelessResetToken(token));
    }

    /// <summary>Writes the value, zeros for an address that there is not.</summary>
    public void Write(ref WireWriter writer)
    {
        WriteAddress(ref writer, IPv4, IPv4Length);
        WriteAddress(ref writer, IPv6, IPv6Length);
        writer.WriteByte((byte)ConnectionId.Length);
        writer.WriteBytes(ConnectionId.Span);
        ResetToken.CopyTo(writer.Rest);
        writer.Advance(StatelessResetToken.Length);
    }

    private static bool IsAbsent(ReadOnlySpan<byte> address, ushort port) => port == 0 && !address.ContainsAnyExcept((byte)0);

    private static void WriteAddress(ref WireWriter writer, NetworkAddress address, int length)
    {
        Span<byte> bytes = stackalloc byte[IPv6Length];
        int written = address.WriteAddress(bytes);
        writer.Rest[..length].Clear();
        // An IPv4 address in the IPv6 field had the mapped form, ten zeros and two 0xff before it.
        if (written < length && written > 0)
            writer.Rest.Slice(length - written - 2, 2).Fill(0xff);
        bytes[..written].CopyTo(writer.Rest[(length - written)..]);
        writer.Advance(length);
        writer.WriteUInt16(address.Port);
    }
}
