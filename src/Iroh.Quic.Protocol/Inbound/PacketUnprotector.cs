using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Inbound;

/// <summary>A packet that authenticated and is no duplicate. Points into the datagram.</summary>
internal readonly ref struct UnprotectedPacket
{
    /// <summary>Its encryption level.</summary>
    public EncryptionLevel Level { get; init; }

    /// <summary>Its full packet number.</summary>
    public PacketNumber Number { get; init; }

    /// <summary>Its frames.</summary>
    public ReadOnlySpan<byte> Payload { get; init; }

    /// <summary>How many key updates there were before the keys that opened it; 0 below 1-RTT.</summary>
    public ulong KeyGeneration { get; init; }
}

/// <summary>Removes packet and header protection and duplicates (RFC 9001 §5.3 to §5.5, RFC 9000 §12.3).</summary>
internal sealed class PacketUnprotector
{
    private readonly ConnectionKeys _keys;

    /// <summary>Reads the keys of one connection.</summary>
    public PacketUnprotector(ConnectionKeys keys) => _keys = keys;

    /// <summary>Opens a packet in place; keys of its level are there.</summary>
    /// <param name="now">The time of arrival.</param>
    /// <param name="packet">Exactly the packet.</param>
    /// <param name="level">Its level.</param>
    /// <param name="packetNumberOffset">Where its packet number is.</param>
    /// <param name="path">The path that its packet number belongs to.</param>
    /// <param name="space">That path's packet number space of the level.</param>
    /// <param name="keyRetention">Three probe timeouts, the largest over all paths.</param>
    /// <param name="opened">The result.</param>
    /// <param name="reason">Why the packet is dropped, if false is returned without an error.</param>
    /// <param name="error">Why the connection must close.</param>
    public bool TryUnprotect(
        Instant now,
        Span<byte> packet,
        EncryptionLevel level,
        int packetNumberOffset,
        Path path,
        PacketNumberSpace space,
        TimeSpan keyRetention,
        out UnprotectedPacket opened,
        out PacketDropReason reason,
        out TransportError? error)
    {
        opened = default;
        error = null;
        reason = PacketDropReason.AuthenticationFailed;
        PacketNumber number;
        Span<byte> payload;
        ulong generation = 0;
        if (level == EncryptionLevel.Application)
        {
            KeyUpdate keys = _keys.Application!;
            if (!keys.TryRemoveHeaderProtection(packet, packetNumberOffset, out int length, out ulong truncated))
                return false;
            number = PacketNumberCodec.Decode(space.Received.Largest, truncated, length);
            bool keyPhase = (packet[0] & PacketHeader.KeyPhaseBit) != 0;
            PacketOpening opening = keys.Open(
                packet, packetNumberOffset + length, keyPhase, path.Id, number, ref path.KeyPhaseWindow, now, keyRetention);
            if (!opening.IsOpened)
            {
                error = opening.Error;
                return false;
            }

            payload = packet.Slice(opening.PayloadOffset, opening.PayloadLength);
            generation = opening.Generation;
        }
        else
        {
            PacketKeys keys = _keys.Receiving(level);
            if (!keys.TryRemoveHeaderProtection(packet, packetNumberOffset, out int length, out ulong truncated))
                return false;
            number = PacketNumberCodec.Decode(space.Received.Largest, truncated, length);
            if (!keys.TryOpen(packet, packetNumberOffset + length, path.Id, number, out payload))
                return false;
        }

        // RFC 9000 §12.3: only after the protection was removed, so that timing tells nothing of the number.
        if (space.Received.IsDuplicate(number))
        {
            reason = PacketDropReason.Duplicate;
            return false;
        }

        // RFC 9000 §17.2, §17.3.1: an authentic packet with reserved bits.
        if (PacketHeader.HasReservedBits(packet[0]))
        {
            error = new TransportError(TransportErrorCode.ProtocolViolation, "reserved header bits are set");
            return false;
        }

        opened = new UnprotectedPacket { Level = level, Number = number, Payload = payload, KeyGeneration = generation };
        return true;
    }
}
