using System.Buffers.Binary;
using System.Net;

namespace Iroh.NetReport.Stun;

/// <summary>
/// Binding requests and their answers as RFC 8489 writes them. Pure: bytes in, values out. Whatever is not exactly a message that is
/// understood makes a reader return false; none throws, and none allocates by a number from the wire.
/// </summary>
internal static class StunMessage
{
    /// <summary>The header: type, length, magic cookie, transaction id (§5).</summary>
    public const int HeaderLength = 20;

    /// <summary>What a request takes: the header and a fingerprint.</summary>
    public const int RequestLength = HeaderLength + FingerprintLength;

    /// <summary>
    /// The longest answer that is written: an IPv6 address and a fingerprint. Less than three times the shortest request, so that a forged
    /// sender gains little.
    /// </summary>
    public const int AnswerLengthMax = HeaderLength + AttributeHeaderLength + 20 + FingerprintLength;

    private const uint MagicCookie = 0x2112a442;
    private const int AttributeHeaderLength = 4;
    private const int FingerprintLength = 8;

    private const ushort BindingRequest = 0x0001;
    private const ushort BindingSuccess = 0x0101;
    private const ushort BindingError = 0x0111;

    private const ushort AttributeErrorCode = 0x0009;
    private const ushort AttributeXorMappedAddress = 0x0020;
    private const ushort AttributeFingerprint = 0x8028;

    // Attributes from here on may be ignored by who does not know them (§14).
    private const ushort ComprehensionOptional = 0x8000;

    private const byte FamilyV4 = 1;
    private const byte FamilyV6 = 2;

    /// <summary>Whether a datagram is a STUN message by its form: two zero bits, the cookie, a length that is its own (§6.3).</summary>
    public static bool IsStun(ReadOnlySpan<byte> datagram) =>
        datagram.Length >= HeaderLength
        && (datagram[0] & 0xc0) == 0
        && BinaryPrimitives.ReadUInt32BigEndian(datagram[4..]) == MagicCookie
        && BinaryPrimitives.ReadUInt16BigEndian(datagram[2..]) == datagram.Length - HeaderLength
        && datagram.Length % 4 == 0;

    /// <summary>Writes a binding request with a fingerprint.</summary>
    /// <param name="destination">At least <see cref="RequestLength"/> bytes.</param>
    /// <param name="id">The transaction.</param>
    /// <returns>How many bytes were written.</returns>
    public static int WriteRequest(Span<byte> destination, StunTransactionId id)
    {
        WriteHeader(destination, BindingRequest, id);
        return WriteFingerprint(destination, HeaderLength);
    }

    /// <summary>Writes the answer that tells a client its address.</summary>
    /// <param name="destination">At least <see cref="AnswerLengthMax"/> bytes.</param>
    /// <param name="id">The transaction of the request.</param>
    /// <param name="mapped">Where the request came from.</param>
    /// <returns>How many bytes were written.</returns>
    public static int WriteSuccess(Span<byte> destination, StunTransactionId id, IPEndPoint mapped)
    {
        WriteHeader(destination, BindingSuccess, id);
        IPAddress address = mapped.Address.IsIPv4MappedToIPv6 ? mapped.Address.MapToIPv4() : mapped.Address;
        Span<byte> value = destination[(HeaderLength + AttributeHeaderLength)..];
        address.TryWriteBytes(value[4..], out int addressLength);
        BinaryPrimitives.WriteUInt16BigEndian(destination[HeaderLength..], AttributeXorMappedAddress);
        BinaryPrimitives.WriteUInt16BigEndian(destination[(HeaderLength + 2)..], (ushort)(4 + addressLength));
        value[0] = 0;
        value[1] = addressLength == 4 ? FamilyV4 : FamilyV6;
        BinaryPrimitives.WriteUInt16BigEndian(value[2..], (ushort)mapped.Port);
        Obfuscate(value[2..4], destination);
        Obfuscate(value.Slice(4, addressLength), destination);
        return WriteFingerprint(destination, HeaderLength + AttributeHeaderLength + 4 + addressLength);
    }

    /// <summary>Reads a binding request. One that demands something that is not understood is refused.</summary>
    public static bool TryReadRequest(ReadOnlySpan<byte> datagram, out StunTransactionId id)
    {
        id = default;
        if (!IsStun(datagram) || BinaryPrimitives.ReadUInt16BigEndian(datagram) != BindingRequest
            || !TryReadAttributes(datagram, out _, out _))
            return false;
        id = StunTransactionId.Read(datagram[8..]);
        return true;
    }

    /// <summary>
    /// Reads an answer to a binding request. Refused are: a wrong fingerprint, attributes that must be understood and are not (§6.3.3), a
    /// success without an XOR-MAPPED-ADDRESS, and addresses that nobody can have (unspecified, multicast, port 0). The plain
    /// MAPPED-ADDRESS is never read: some NATs rewrite it (§14.1).
    /// </summary>
    public static bool TryReadAnswer(ReadOnlySpan<byte> datagram, out StunAnswer answer)
    {
        answer = default;
        if (!IsStun(datagram) || !TryReadAttributes(datagram, out IPEndPoint? mapped, out int errorCode))
            return false;
        StunTransactionId id = StunTransactionId.Read(datagram[8..]);
        switch (BinaryPrimitives.ReadUInt16BigEndian(datagram))
        {
            case BindingSuccess when mapped is not null:
                answer = new StunAnswer(id, mapped, 0);
                return true;
            case BindingError when errorCode != 0:
                answer = new StunAnswer(id, null, errorCode);
                return true;
            default:
                return false;
        }
    }

    private static bool TryReadAttributes(ReadOnlySpan<byte> datagram, out IPEndPoint? mapped, out int errorCode)
    {
        (mapped, errorCode) = (null, 0);
        int offset = HeaderLength;
        while (offset < datagram.Length)
        {
            if (datagram.Length - offset < AttributeHeaderLength)
                return false;
            ushort type = BinaryPrimitives.ReadUInt16BigEndian(datagram[offset..]);
            int length = BinaryPrimitives.ReadUInt16BigEndian(datagram[(offset + 2)..]);
            int padded = (length + 3) & ~3;
            if (padded > datagram.Length - offset - AttributeHeaderLength)
                return false;
            ReadOnlySpan<byte> value = datagram.Slice(offset + AttributeHeaderLength, length);
            switch (type)
            {
                // Of several with one type the first counts (§14).
                case AttributeXorMappedAddress when mapped is null:
                    if (!TryReadXorAddress(value, datagram, out mapped))
                        return false;
                    break;
                case AttributeErrorCode when errorCode == 0:
                    if (!TryReadErrorCode(value, out errorCode))
                        return false;
                    break;
                case AttributeFingerprint:
                    // It is the last one (§14.7).
                    return length == 4 && offset + AttributeHeaderLength + padded == datagram.Length
                        && BinaryPrimitives.ReadUInt32BigEndian(value) == StunFingerprint.Compute(datagram[..offset]);
                default:
                    if (type < ComprehensionOptional && !IsKnown(type))
                        return false;
                    break;
            }

            offset += AttributeHeaderLength + padded;
        }

        return true;
    }

    // Known and of no interest: MAPPED-ADDRESS, the addresses of RFC 3489 that old servers still send, credentials, and a second one of
    // what was read already.
    private static bool IsKnown(ushort type) => type is
        0x0001 or 0x0004 or 0x0005 or 0x0006 or 0x0008 or AttributeErrorCode or 0x000a or 0x0014 or 0x0015
        or 0x001c or 0x001d or 0x001e or AttributeXorMappedAddress;

    private static bool TryReadXorAddress(ReadOnlySpan<byte> value, ReadOnlySpan<byte> message, out IPEndPoint? endPoint)
    {
        endPoint = null;
        int length = value.Length switch
        {
            8 when value[1] == FamilyV4 => 4,
            20 when value[1] == FamilyV6 => 16,
            _ => 0,
        };
        if (length == 0)
            return false;
        Span<byte> clear = stackalloc byte[18];
        value[2..].CopyTo(clear);
        Obfuscate(clear[..2], message);
        Obfuscate(clear.Slice(2, length), message);
        var address = new IPAddress(clear.Slice(2, length));
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        int port = BinaryPrimitives.ReadUInt16BigEndian(clear);
        if (port == 0 || !IsPossible(address))
            return false;
        endPoint = new IPEndPoint(address, port);
        return true;
    }

    private static bool IsPossible(IPAddress address)
    {
        if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any) || address.IsIPv6Multicast)
            return false;
        Span<byte> first = stackalloc byte[16];
        // 224.0.0.0/4 and 240.0.0.0/4 with the broadcast address.
        return !address.TryWriteBytes(first, out int length) || length != 4 || first[0] < 224;
    }

    private static bool TryReadErrorCode(ReadOnlySpan<byte> value, out int code)
    {
        code = value.Length >= 4 ? ((value[2] & 7) * 100) + value[3] : 0;
        return code is >= 300 and <= 699 && value[3] < 100;
    }

    // §14.2: the port with the cookie's first half, the address with the cookie and the transaction id: bytes 4 to 19 of the header.
    private static void Obfuscate(Span<byte> value, ReadOnlySpan<byte> message)
    {
        for (int i = 0; i < value.Length; i++)
            value[i] ^= message[4 + i];
    }

    private static void WriteHeader(Span<byte> destination, ushort type, StunTransactionId id)
    {
        BinaryPrimitives.WriteUInt16BigEndian(destination, type);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], MagicCookie);
        id.Write(destination[8..]);
    }

    // The length in the header includes the fingerprint when that is computed.
    private static int WriteFingerprint(Span<byte> message, int length)
    {
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], (ushort)(length + FingerprintLength - HeaderLength));
        BinaryPrimitives.WriteUInt16BigEndian(message[length..], AttributeFingerprint);
        BinaryPrimitives.WriteUInt16BigEndian(message[(length + 2)..], 4);
        BinaryPrimitives.WriteUInt32BigEndian(message[(length + 4)..], StunFingerprint.Compute(message[..length]));
        return length + FingerprintLength;
    }
}
