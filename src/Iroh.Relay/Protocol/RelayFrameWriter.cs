using System.Buffers.Binary;
using System.Text;
using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Relay.Protocol;

/// <summary>
/// Writes frames into the caller's buffer. Each method returns the number of bytes written and throws
/// <see cref="ArgumentException"/> if the buffer is too small.
/// </summary>
public static class RelayFrameWriter
{
    /// <summary>
    /// Writes what stands in front of a datagram's or a batch's payload, which the caller puts behind it:
    /// <see cref="RelayFrame.DatagramHeaderLength"/> or <see cref="RelayFrame.BatchHeaderLength"/> bytes.
    /// </summary>
    /// <param name="destination">At least <see cref="RelayFrame.BatchHeaderLength"/> bytes.</param>
    /// <param name="sender">Who sends the frame.</param>
    /// <param name="peer">The destination if a client sends, the source if a relay does.</param>
    /// <param name="ecn">The datagram's ECN bits.</param>
    /// <param name="segmentSize">Bytes of each datagram of a batch but the last; 0 if the payload is one datagram.</param>
    public static int WriteDatagramHeader(Span<byte> destination, RelayRole sender, EndpointId peer, EcnCodepoint ecn, ushort segmentSize)
    {
        RelayFrameType single = sender == RelayRole.Client ? RelayFrameType.ClientToRelayDatagram : RelayFrameType.RelayToClientDatagram;
        destination[0] = (byte)(segmentSize == 0 ? single : single + 1);
        peer.Span.CopyTo(destination[1..]);
        destination[1 + EndpointId.Length] = (byte)ecn;
        if (segmentSize == 0)
            return RelayFrame.DatagramHeaderLength;
        BinaryPrimitives.WriteUInt16BigEndian(destination[RelayFrame.DatagramHeaderLength..], segmentSize);
        return RelayFrame.BatchHeaderLength;
    }

    /// <summary>Writes a whole datagram frame.</summary>
    /// <param name="destination">Header and payload have to fit.</param>
    /// <param name="sender">Who sends the frame.</param>
    /// <param name="peer">The destination if a client sends, the source if a relay does.</param>
    /// <param name="ecn">The datagram's ECN bits.</param>
    /// <param name="segmentSize">Bytes of each datagram of a batch but the last; 0 if the payload is one datagram.</param>
    /// <param name="payload">1 to <see cref="RelayFrame.PayloadLengthMax"/> bytes.</param>
    public static int WriteDatagram(
        Span<byte> destination, RelayRole sender, EndpointId peer, EcnCodepoint ecn, ushort segmentSize, ReadOnlySpan<byte> payload)
    {
        if (payload.IsEmpty || payload.Length > RelayFrame.PayloadLengthMax)
            throw new ArgumentException($"A frame carries 1 to {RelayFrame.PayloadLengthMax} bytes, not {payload.Length}.", nameof(payload));
        int length = WriteDatagramHeader(destination, sender, peer, ecn, segmentSize);
        payload.CopyTo(destination[length..]);
        return length + payload.Length;
    }

    /// <summary>Writes an <see cref="RelayFrameType.EndpointGone"/> frame: 33 bytes.</summary>
    public static int WriteEndpointGone(Span<byte> destination, EndpointId peer)
    {
        destination[0] = (byte)RelayFrameType.EndpointGone;
        peer.Span.CopyTo(destination[1..]);
        return 1 + EndpointId.Length;
    }

    /// <summary>Writes a <see cref="RelayFrameType.Ping"/> frame: <see cref="RelayFrame.PingLength"/> bytes.</summary>
    public static int WritePing(Span<byte> destination, ulong data) => WriteNumber(destination, RelayFrameType.Ping, data);

    /// <summary>Writes a <see cref="RelayFrameType.Pong"/> frame: <see cref="RelayFrame.PingLength"/> bytes.</summary>
    public static int WritePong(Span<byte> destination, ulong data) => WriteNumber(destination, RelayFrameType.Pong, data);

    /// <summary>Writes a <see cref="RelayFrameType.Restarting"/> frame: 9 bytes.</summary>
    /// <param name="destination">At least 9 bytes.</param>
    /// <param name="reconnectIn">When clients shall connect again; capped to what 32 bits of milliseconds hold.</param>
    /// <param name="tryFor">For how long they shall try; capped likewise.</param>
    public static int WriteRestarting(Span<byte> destination, TimeSpan reconnectIn, TimeSpan tryFor)
    {
        destination[0] = (byte)RelayFrameType.Restarting;
        BinaryPrimitives.WriteUInt32BigEndian(destination[1..], Milliseconds(reconnectIn));
        BinaryPrimitives.WriteUInt32BigEndian(destination[(1 + sizeof(uint))..], Milliseconds(tryFor));
        return 1 + (2 * sizeof(uint));
    }

    /// <summary>Writes a <see cref="RelayFrameType.Status"/> frame, for version 2 only: 2 bytes.</summary>
    public static int WriteStatus(Span<byte> destination, RelayStatus status)
    {
        destination[0] = (byte)RelayFrameType.Status;
        destination[1] = (byte)status;
        return 2;
    }

    /// <summary>Writes a <see cref="RelayFrameType.Health"/> frame, for version 1 only: 1 byte and the text as UTF-8.</summary>
    public static int WriteHealth(Span<byte> destination, string text)
    {
        destination[0] = (byte)RelayFrameType.Health;
        return 1 + Encoding.UTF8.GetBytes(text, destination[1..]);
    }

    private static int WriteNumber(Span<byte> destination, RelayFrameType type, ulong data)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination[1..], data);
        destination[0] = (byte)type;
        return RelayFrame.PingLength;
    }

    private static uint Milliseconds(TimeSpan time) => (uint)Math.Clamp(time.TotalMilliseconds, 0, uint.MaxValue);
}
