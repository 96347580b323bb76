using System.Diagnostics;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Outbound;

/// <summary>Writes headers, pads, and seals (RFC 9000 §17, RFC 9001 §5.3). What is in between is <see cref="FrameFiller"/>'s.</summary>
internal sealed class PacketBuilder
{
    /// <summary>Bytes of an AEAD tag.</summary>
    public const int TagLength = PacketHeader.TagLength;

    /// <summary>
    /// Packet number and payload together need so many bytes for the header protection sample (RFC 9001 §5.4.2): the sample starts four
    /// bytes after the start of the packet number and is as long as the tag.
    /// </summary>
    private const int NumberAndPayloadMin = PacketNumberCodec.LengthMax;

    private readonly ConnectionKeys _keys;
    private readonly HeaderFields _fields;

    public PacketBuilder(ConnectionKeys keys, HeaderFields fields)
    {
        _keys = keys;
        _fields = fields;
    }

    /// <summary>Writes the header of a packet. False if there is too little room for one with any content.</summary>
    /// <param name="datagram">The datagram; the packet may use what lies behind <paramref name="start"/>.</param>
    /// <param name="start">Where the packet begins.</param>
    /// <param name="level">Its level, whose keys are there.</param>
    /// <param name="space">Its packet number space.</param>
    /// <param name="destinationId">The peer's connection id to use.</param>
    /// <param name="packet">Gets the result.</param>
    public bool TryBegin(
        Span<byte> datagram,
        int start,
        EncryptionLevel level,
        PacketNumberSpace space,
        in ConnectionId destinationId,
        OpenPacket packet)
    {
        PacketNumber number = space.NextNumber;
        int numberLength = PacketNumberCodec.EncodedLength(number, space.LargestAcknowledged);
        int headerLength = level == EncryptionLevel.Application
            ? ShortHeader.EncodedLength(destinationId.Length, numberLength)
            : LongHeader.EncodedLength(TypeOf(level), destinationId.Length, _fields.SourceId.Length, TokenOf(level).Length, numberLength);
        if (datagram.Length - start < headerLength + NumberAndPayloadMin + TagLength)
            return false;

        var writer = new WireWriter(datagram[start..]);
        packet.PacketNumberOffset = level == EncryptionLevel.Application
            ? ShortHeader.Write(ref writer, destinationId, _fields.NextSpinBit(), _keys.Application!.KeyPhase, number, numberLength)
            : LongHeader.Write(ref writer, TypeOf(level), destinationId, _fields.SourceId, TokenOf(level), number, numberLength);
        packet.Level = level;
        packet.Start = start;
        packet.PacketNumberLength = numberLength;
        packet.Number = number;
        packet.PayloadEnd = packet.PayloadStart;
        packet.Frames.Clear();
        packet.IsAckEliciting = packet.HoldsData = packet.ContainsAck = packet.IsPadded = false;
        return true;
    }

    /// <summary>Adds PADDING frames until the packet with its tag ends at an offset of the datagram, if it ends before.</summary>
    public static void PadTo(Span<byte> datagram, OpenPacket packet, int end)
    {
        int payloadEnd = end - TagLength;
        if (packet.PayloadEnd >= payloadEnd)
            return;
        datagram[packet.PayloadEnd..payloadEnd].Clear(); // PADDING is a zero byte (RFC 9000 §19.1)
        packet.PayloadEnd = payloadEnd;
        packet.IsPadded = true;
    }

    /// <summary>Seals the packet and takes its number. Returns where it ends in the datagram.</summary>
    public int Finish(Span<byte> datagram, OpenPacket packet, Path path, PacketNumberSpace space)
    {
        PadTo(datagram, packet, packet.PayloadStart - packet.PacketNumberLength + NumberAndPayloadMin + TagLength);
        int end = packet.PayloadEnd + TagLength;
        Span<byte> bytes = datagram[packet.Start..end];
        PacketNumber number = space.TakeNumber();
        Debug.Assert(number == packet.Number, "Two packets of one space were open at once.");
        if (packet.Level == EncryptionLevel.Application)
        {
            _keys.Application!.Protect(
                bytes, packet.PacketNumberOffset, packet.PacketNumberLength, path.Id, number, ref path.KeyPhaseWindow, packet.ContainsAck);
        }
        else
        {
            LongHeader.PatchLength(bytes, packet.PacketNumberOffset);
            _keys.Sending(packet.Level).Protect(bytes, packet.PacketNumberOffset, packet.PacketNumberLength, path.Id, number);
        }

        return end;
    }

    private static PacketType TypeOf(EncryptionLevel level) =>
        level == EncryptionLevel.Initial ? PacketType.Initial : PacketType.Handshake;

    private ReadOnlySpan<byte> TokenOf(EncryptionLevel level) => level == EncryptionLevel.Initial ? _fields.Token.Span : default;
}
