using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Spaces;

/// <summary>What recovery needs to know of a packet's contents and marking.</summary>
[Flags]
internal enum SentPacketFlags : byte
{
    /// <summary>Only ACK or CONNECTION_CLOSE: never counted, never repaired.</summary>
    None = 0,

    /// <summary>Holds a frame that the peer must acknowledge (RFC 9002 §2).</summary>
    AckEliciting = 1,

    /// <summary>Counts towards bytes in flight: ack-eliciting or padded (RFC 9002 §2).</summary>
    InFlight = 2,

    /// <summary>A probe of a larger datagram, whose loss says nothing of congestion (RFC 9000 §14.4).</summary>
    MtuProbe = 4,

    /// <summary>Left with ECT(0) in its IP header (RFC 9000 §13.4).</summary>
    EctMarked = 8,

    /// <summary>Holds what the peer waits for: application data or control frames, not only probes of the path.</summary>
    Data = 16,
}

/// <summary>One sent packet, as loss detection keeps it (RFC 9002 §A.1.1).</summary>
/// <param name="Number">Its number, larger than that of every packet recorded before.</param>
/// <param name="SentAt">When it was handed to the driver.</param>
/// <param name="Size">Bytes of the packet, without UDP and IP headers.</param>
/// <param name="PathGeneration">
/// The <c>Generation</c> of the 4-tuple it was sent on. After a migration, what becomes of packets of another generation must
/// not touch the RTT and the window of the current one (RFC 9000 §9.4).
/// </param>
/// <param name="Flags">Contents and marking.</param>
internal readonly record struct SentPacket(
    PacketNumber Number, Instant SentAt, int Size, int PathGeneration, SentPacketFlags Flags)
{
    /// <summary>Whether the peer must acknowledge it.</summary>
    public bool IsAckEliciting => (Flags & SentPacketFlags.AckEliciting) != 0;

    /// <summary>Whether it counts towards bytes in flight.</summary>
    public bool IsInFlight => (Flags & SentPacketFlags.InFlight) != 0;

    /// <summary>Whether it probes for a larger datagram size.</summary>
    public bool IsMtuProbe => (Flags & SentPacketFlags.MtuProbe) != 0;

    /// <summary>Whether it left with ECT(0).</summary>
    public bool IsEctMarked => (Flags & SentPacketFlags.EctMarked) != 0;

    /// <summary>Whether it holds what the peer waits for.</summary>
    public bool HoldsData => (Flags & SentPacketFlags.Data) != 0;
}
