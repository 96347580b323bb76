using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>A datagram on its way, with the addresses as the network sees them.</summary>
public sealed record SimulatedDatagram(long Number, NetworkAddress Source, NetworkAddress Destination, EcnCodepoint Ecn, byte[] Payload)
{
    /// <summary>Whether the first packet has a long header of this type (0 Initial, 2 Handshake, 3 Retry).</summary>
    public bool StartsWithLongHeader(int type) => (Payload[0] & 0x80) != 0 && ((Payload[0] >> 4) & 3) == type;
}
