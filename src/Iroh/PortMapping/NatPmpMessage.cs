using System.Buffers.Binary;
using System.Net;

namespace Iroh.PortMapping;

/// <summary>Messages of NAT-PMP (RFC 6886). Pure; a reader returns false for whatever is no message of its kind.</summary>
internal static class NatPmpMessage
{
    /// <summary>Where gateways listen (UDP), as for PCP.</summary>
    public const int Port = 5351;

    /// <summary>The longest request.</summary>
    public const int RequestLengthMax = 12;

    private const byte Version = 0, OperationAddress = 0, OperationMapUdp = 1, Response = 128;

    /// <summary>Asks for the gateway's public address (§3.2).</summary>
    /// <returns>The length: 2.</returns>
    public static int WriteAddressRequest(Span<byte> destination)
    {
        destination[0] = Version;
        destination[1] = OperationAddress;
        return 2;
    }

    /// <summary>Asks for a UDP mapping, or, with no lifetime, for its end (§3.3, §3.4).</summary>
    /// <returns>The length: 12.</returns>
    public static int WriteMapRequest(Span<byte> destination, int internalPort, int suggestedPort, TimeSpan lifetime)
    {
        destination[0] = Version;
        destination[1] = OperationMapUdp;
        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(destination[4..], (ushort)internalPort);
        BinaryPrimitives.WriteUInt16BigEndian(destination[6..], (ushort)suggestedPort);
        BinaryPrimitives.WriteUInt32BigEndian(destination[8..], (uint)lifetime.TotalSeconds);
        return 12;
    }

    /// <summary>Reads an answer about the address.</summary>
    /// <param name="datagram">What came.</param>
    /// <param name="result">0 for success, otherwise why not (§3.5).</param>
    /// <param name="address">The public address; unspecified if there is none.</param>
    public static bool TryReadAddress(ReadOnlySpan<byte> datagram, out int result, out IPAddress address)
    {
        (result, address) = (0, IPAddress.Any);
        if (datagram.Length < 8 || datagram[0] != Version || datagram[1] != Response + OperationAddress)
            return false;
        result = BinaryPrimitives.ReadUInt16BigEndian(datagram[2..]);
        if (result == 0 && datagram.Length < 12)
            return false;
        if (result == 0)
            address = new IPAddress(datagram.Slice(8, 4));
        return true;
    }

    /// <summary>Reads an answer about a UDP mapping.</summary>
    /// <param name="datagram">What came.</param>
    /// <param name="result">0 for success, otherwise why not (§3.5).</param>
    /// <param name="mapping">Internal port, external port and lifetime.</param>
    public static bool TryReadMap(ReadOnlySpan<byte> datagram, out int result, out (int Internal, int External, TimeSpan Lifetime) mapping)
    {
        (result, mapping) = (0, default);
        if (datagram.Length < 8 || datagram[0] != Version || datagram[1] != Response + OperationMapUdp)
            return false;
        result = BinaryPrimitives.ReadUInt16BigEndian(datagram[2..]);
        if (result != 0)
            return true;
        if (datagram.Length < 16)
            return false;
        mapping = (
            BinaryPrimitives.ReadUInt16BigEndian(datagram[8..]), BinaryPrimitives.ReadUInt16BigEndian(datagram[10..]),
            TimeSpan.FromSeconds(BinaryPrimitives.ReadUInt32BigEndian(datagram[12..])));
        return true;
    }

    /// <summary>What a result code means, for people.</summary>
    public static string Explain(int result) => result switch
    {
        1 => "it does not speak this version",
        2 => "it does not allow it (often: the feature is switched off)",
        3 => "it has no public address itself",
        4 => "it has no room for another mapping",
        5 => "it does not know the request",
        _ => $"result code {result}",
    };
}
