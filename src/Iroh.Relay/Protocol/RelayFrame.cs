using System.Buffers.Binary;
using System.Text;
using System.Text.Unicode;
using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Relay.Protocol;

/// <summary>
/// A frame after the handshake, read in place from one WebSocket message (iroh-relay protos/relay.rs). Which members have a value depends
/// on <see cref="Type"/>; the others are empty or zero. Frames of the handshake are read by <see cref="RelayHandshake"/>.
/// </summary>
public readonly ref struct RelayFrame
{
    /// <summary>The longest body, everything after the type: iroh refuses more, in either direction.</summary>
    public const int BodyLengthMax = 65_536;

    /// <summary>The longest frame that may be sent, type included.</summary>
    public const int LengthMax = 65_536;

    /// <summary>Bytes in front of the payload of a single datagram: type, endpoint id, ECN.</summary>
    public const int DatagramHeaderLength = 1 + EndpointId.Length + 1;

    /// <summary>Bytes in front of the payload of a batch: type, endpoint id, ECN, segment size.</summary>
    public const int BatchHeaderLength = DatagramHeaderLength + sizeof(ushort);

    /// <summary>The most payload one frame carries, whether one datagram or a batch.</summary>
    public const int PayloadLengthMax = LengthMax - BatchHeaderLength;

    /// <summary>Bytes of a ping or pong frame.</summary>
    public const int PingLength = 1 + sizeof(ulong);

    private RelayFrame(RelayFrameType type, ReadOnlySpan<byte> peer, byte ecn, ushort segmentSize, ReadOnlySpan<byte> payload)
    {
        Type = type;
        Peer = peer;
        Ecn = (EcnCodepoint)(ecn & 0b11);
        SegmentSize = segmentSize;
        Payload = payload;
    }

    /// <summary>What kind of frame this is.</summary>
    public RelayFrameType Type { get; }

    /// <summary>
    /// Of datagrams and <see cref="RelayFrameType.EndpointGone"/>: the 32 bytes that name the destination (from a client) or the source
    /// (from a relay). Not checked to be a point of the curve, which is dear: <see cref="EndpointIdCache"/> does it once an endpoint.
    /// </summary>
    public ReadOnlySpan<byte> Peer { get; }

    /// <summary>Of datagrams: the ECN bits that the sender wants to have.</summary>
    public EcnCodepoint Ecn { get; }

    /// <summary>Of batches: bytes of each datagram but the last; 0 means that the payload is one datagram, as in all other frames.</summary>
    public ushort SegmentSize { get; }

    /// <summary>Of datagrams: the data. Of all others: the body.</summary>
    public ReadOnlySpan<byte> Payload { get; }

    /// <summary>Whether this carries datagrams.</summary>
    public bool IsDatagram => Type is >= RelayFrameType.ClientToRelayDatagram and <= RelayFrameType.RelayToClientDatagramBatch;

    /// <summary>Of <see cref="RelayFrameType.Ping"/> and <see cref="RelayFrameType.Pong"/>: the 8 bytes as a big-endian number, else 0.</summary>
    public ulong PingData => Type is RelayFrameType.Ping or RelayFrameType.Pong ? BinaryPrimitives.ReadUInt64BigEndian(Payload) : 0;

    /// <summary>Of <see cref="RelayFrameType.Status"/>: the code, else <see cref="RelayStatus.Healthy"/>.</summary>
    public RelayStatus Status => Type == RelayFrameType.Status ? (RelayStatus)Payload[0] : RelayStatus.Healthy;

    /// <summary>Of <see cref="RelayFrameType.Health"/>: the text, else empty.</summary>
    public string Text => Type == RelayFrameType.Health ? Encoding.UTF8.GetString(Payload) : "";

    /// <summary>Of <see cref="RelayFrameType.Restarting"/>: how long to wait before connecting again, at least 0, below 50 days.</summary>
    public TimeSpan ReconnectIn => Milliseconds(0);

    /// <summary>Of <see cref="RelayFrameType.Restarting"/>: for how long to try after that, at least 0, below 50 days.</summary>
    public TimeSpan TryFor => Milliseconds(sizeof(uint));

    /// <summary>Reads the frame of one message. The frame refers to <paramref name="message"/> and copies nothing.</summary>
    /// <param name="message">A whole WebSocket message.</param>
    /// <param name="sender">Who sent it.</param>
    /// <param name="version">What was agreed on.</param>
    /// <param name="frame">The frame; meaningless on failure.</param>
    /// <param name="error">What is wrong on failure.</param>
    /// <returns>Whether the message is a frame that this sender may send now.</returns>
    public static bool TryRead(
        ReadOnlySpan<byte> message, RelayRole sender, RelayVersion version, out RelayFrame frame, out RelayFrameError error)
    {
        frame = default;
        if (!TryReadType(message, out ulong typeNumber, out int typeLength))
        {
            error = RelayFrameError.Truncated;
            return false;
        }

        var type = (RelayFrameType)Math.Min(typeNumber, int.MaxValue);
        error = CheckType(type, sender, version);
        if (error != RelayFrameError.None)
            return false;
        ReadOnlySpan<byte> body = message[typeLength..];
        error = body.Length > BodyLengthMax ? RelayFrameError.TooLarge : CheckBody(type, body);
        if (error != RelayFrameError.None)
            return false;
        frame = type switch
        {
            RelayFrameType.ClientToRelayDatagram or RelayFrameType.RelayToClientDatagram =>
                new RelayFrame(type, body[..EndpointId.Length], body[EndpointId.Length], 0, body[(EndpointId.Length + 1)..]),
            RelayFrameType.ClientToRelayDatagramBatch or RelayFrameType.RelayToClientDatagramBatch =>
                new RelayFrame(
                    type,
                    body[..EndpointId.Length],
                    body[EndpointId.Length],
                    BinaryPrimitives.ReadUInt16BigEndian(body[(EndpointId.Length + 1)..]),
                    body[(EndpointId.Length + 1 + sizeof(ushort))..]),
            RelayFrameType.EndpointGone => new RelayFrame(type, body, 0, 0, body),
            _ => new RelayFrame(type, default, 0, 0, body),
        };
        return true;
    }

    /// <summary>
    /// Turns a client's datagram message into the one that its destination gets, in place: the type changes and the sender's id takes the
    /// place of the destination's.
    /// </summary>
    /// <param name="message">A message that <see cref="TryRead"/> has accepted as <see cref="IsDatagram"/> from a client.</param>
    /// <param name="source">Who sent it.</param>
    /// <returns>The part of <paramref name="message"/> to send.</returns>
    public static Span<byte> Forward(Span<byte> message, EndpointId source)
    {
        if (!TryReadType(message, out ulong type, out int typeLength)
            || type is not ((ulong)RelayFrameType.ClientToRelayDatagram or (ulong)RelayFrameType.ClientToRelayDatagramBatch)
            || message.Length < typeLength + EndpointId.Length)
            throw new ArgumentException("Only a client's datagrams are forwarded.", nameof(message));
        // A type of more than one byte is legal; its last byte alone is enough.
        Span<byte> forwarded = message[(typeLength - 1)..];
        forwarded[0] = (byte)((RelayFrameType)type + (RelayFrameType.RelayToClientDatagram - RelayFrameType.ClientToRelayDatagram));
        source.Span.CopyTo(forwarded[1..]);
        return forwarded;
    }

    internal static bool TryReadType(ReadOnlySpan<byte> message, out ulong type, out int length)
    {
        type = 0;
        length = message.IsEmpty ? 0 : 1 << (message[0] >> 6);
        if (length == 0 || message.Length < length)
            return false;
        type = message[0] & 0x3fu;
        for (int i = 1; i < length; i++)
            type = type << 8 | message[i];
        return true;
    }

    private static RelayFrameError CheckType(RelayFrameType type, RelayRole sender, RelayVersion version)
    {
        bool expected;
        switch (type)
        {
            case RelayFrameType.ServerChallenge or RelayFrameType.ClientAuth or RelayFrameType.ServerConfirmsAuth or RelayFrameType.ServerDeniesAuth:
                expected = false;
                break;
            case RelayFrameType.ClientToRelayDatagram or RelayFrameType.ClientToRelayDatagramBatch:
                expected = sender == RelayRole.Client;
                break;
            case RelayFrameType.Ping or RelayFrameType.Pong:
                expected = true;
                break;
            case RelayFrameType.RelayToClientDatagram or RelayFrameType.RelayToClientDatagramBatch or RelayFrameType.EndpointGone
                or RelayFrameType.Restarting:
                expected = sender == RelayRole.Relay;
                break;
            case RelayFrameType.Health:
                expected = sender == RelayRole.Relay && version == RelayVersion.V1;
                break;
            case RelayFrameType.Status:
                expected = sender == RelayRole.Relay && version == RelayVersion.V2;
                break;
            default:
                return RelayFrameError.UnknownType;
        }

        return expected ? RelayFrameError.None : RelayFrameError.UnexpectedType;
    }

    private static RelayFrameError CheckBody(RelayFrameType type, ReadOnlySpan<byte> body)
    {
        bool fits = type switch
        {
            RelayFrameType.ClientToRelayDatagram or RelayFrameType.RelayToClientDatagram => body.Length > EndpointId.Length,
            RelayFrameType.ClientToRelayDatagramBatch or RelayFrameType.RelayToClientDatagramBatch =>
                body.Length >= EndpointId.Length + 1 + sizeof(ushort),
            RelayFrameType.EndpointGone => body.Length == EndpointId.Length,
            RelayFrameType.Ping or RelayFrameType.Pong => body.Length == sizeof(ulong),
            RelayFrameType.Restarting => body.Length == 2 * sizeof(uint),
            // What follows the code is ignored, as iroh does.
            RelayFrameType.Status => body.Length >= 1,
            _ => true,
        };
        if (!fits)
            return RelayFrameError.WrongLength;
        return type == RelayFrameType.Health && !Utf8.IsValid(body) ? RelayFrameError.InvalidText : RelayFrameError.None;
    }

    private TimeSpan Milliseconds(int offset) => Type == RelayFrameType.Restarting
        ? TimeSpan.FromMilliseconds(BinaryPrimitives.ReadUInt32BigEndian(Payload[offset..]))
        : TimeSpan.Zero;
}
