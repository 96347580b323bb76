using System.Buffers.Binary;
using System.Net;

namespace Iroh.PortMapping;

/// <summary>What a gateway answered to a PCP MAP request.</summary>
/// <param name="Result">0 for success, otherwise why not (RFC 6887 §7.4).</param>
/// <param name="Lifetime">Of the mapping, or, after a refusal, of the refusal.</param>
/// <param name="InternalPort">The port of this machine.</param>
/// <param name="External">The public address and port.</param>
internal readonly record struct PcpAnswer(int Result, TimeSpan Lifetime, int InternalPort, IPEndPoint External);

/// <summary>MAP messages of the Port Control Protocol (RFC 6887). Pure; a reader returns false for whatever is no answer.</summary>
internal static class PcpMessage
{
    /// <summary>The length of a MAP request without options.</summary>
    public const int RequestLength = 60;

    /// <summary>The length of a nonce.</summary>
    public const int NonceLength = 12;

    private const byte Version = 2, OperationMap = 1, Response = 0x80, Udp = 17;
    private const int HeaderLength = 24;

    /// <summary>Result code: the gateway speaks another version, most likely NAT-PMP alone.</summary>
    public const int UnsupportedVersion = 1;

    /// <summary>Asks for a UDP mapping, or, with no lifetime, for its end (§11.1, §15.1).</summary>
    /// <param name="destination">At least <see cref="RequestLength"/> bytes.</param>
    /// <param name="client">The address from which the request goes out; the gateway compares it (§8.1).</param>
    /// <param name="internalPort">The port of this machine.</param>
    /// <param name="suggestedPort">The port that is wanted outside.</param>
    /// <param name="lifetime">For how long.</param>
    /// <param name="nonce">12 bytes, the same for the whole life of the mapping.</param>
    /// <returns>The length.</returns>
    public static int WriteMapRequest(
        Span<byte> destination, IPAddress client, int internalPort, int suggestedPort, TimeSpan lifetime, ReadOnlySpan<byte> nonce)
    {
        destination[..RequestLength].Clear();
        destination[0] = Version;
        destination[1] = OperationMap;
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], (uint)lifetime.TotalSeconds);
        client.MapToIPv6().TryWriteBytes(destination[8..], out _);
        Span<byte> map = destination[HeaderLength..];
        nonce[..NonceLength].CopyTo(map);
        map[12] = Udp;
        BinaryPrimitives.WriteUInt16BigEndian(map[16..], (ushort)internalPort);
        BinaryPrimitives.WriteUInt16BigEndian(map[18..], (ushort)suggestedPort);
        // No address in particular: the unspecified one of the family (§11.1).
        IPAddress.Any.MapToIPv6().TryWriteBytes(map[20..], out _);
        return RequestLength;
    }

    /// <summary>Reads an answer. One with another nonce is somebody else's (§11.4).</summary>
    public static bool TryReadMap(ReadOnlySpan<byte> datagram, ReadOnlySpan<byte> nonce, out PcpAnswer answer)
    {
        answer = default;
        if (datagram.Length < 4 || (datagram[1] & Response) == 0)
            return false;
        int result = datagram[3];
        // A gateway that speaks NAT-PMP alone refuses in its own words (RFC 6886 §3.5, RFC 6887 appendix A).
        if (datagram[0] == 0 && datagram.Length >= 8)
        {
            answer = new PcpAnswer(UnsupportedVersion, TimeSpan.Zero, 0, new IPEndPoint(IPAddress.Any, 0));
            return true;
        }

        if (datagram.Length < HeaderLength || datagram[0] != Version)
            return false;
        TimeSpan lifetime = TimeSpan.FromSeconds(BinaryPrimitives.ReadUInt32BigEndian(datagram[4..]));
        if (result == UnsupportedVersion)
        {
            answer = new PcpAnswer(result, lifetime, 0, new IPEndPoint(IPAddress.Any, 0));
            return true;
        }

        if (datagram.Length < RequestLength || datagram[1] != (Response | OperationMap))
            return false;
        ReadOnlySpan<byte> map = datagram[HeaderLength..];
        if (!map[..NonceLength].SequenceEqual(nonce[..NonceLength]) || map[12] != Udp)
            return false;
        var address = new IPAddress(map.Slice(20, 16));
        answer = new PcpAnswer(
            result, lifetime, BinaryPrimitives.ReadUInt16BigEndian(map[16..]),
            new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, BinaryPrimitives.ReadUInt16BigEndian(map[18..])));
        return true;
    }

    /// <summary>What a result code means, for people.</summary>
    public static string Explain(int result) => result switch
    {
        UnsupportedVersion => "it does not speak PCP",
        2 => "it does not allow it (often: the feature is switched off)",
        4 => "it does not know the request",
        7 => "its network is down",
        8 => "it has no room for another mapping",
        12 => "there is another NAT between it and us",
        _ => $"result code {result}",
    };
}
