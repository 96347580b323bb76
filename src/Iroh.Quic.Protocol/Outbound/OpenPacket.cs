using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Outbound;

/// <summary>A packet that has its header and frames and is not sealed yet: padding may still be added behind it.</summary>
internal sealed class OpenPacket
{
    /// <summary>The level whose keys will seal it.</summary>
    public EncryptionLevel Level { get; set; }

    /// <summary>Where it begins in the datagram.</summary>
    public int Start { get; set; }

    /// <summary>Where its packet number is, counted from <see cref="Start"/>.</summary>
    public int PacketNumberOffset { get; set; }

    /// <summary>Bytes of its packet number, 1 to 4.</summary>
    public int PacketNumberLength { get; set; }

    /// <summary>Its packet number.</summary>
    public PacketNumber Number { get; set; }

    /// <summary>Where its payload ends in the datagram; the tag comes behind.</summary>
    public int PayloadEnd { get; set; }

    /// <summary>What it contains.</summary>
    public SentFrameList Frames { get; } = new();

    /// <summary>Whether it contains a frame that asks for an acknowledgement (RFC 9002 §2).</summary>
    public bool IsAckEliciting { get; set; }

    /// <summary>Whether it contains data or control frames that the peer waits for.</summary>
    public bool HoldsData { get; set; }

    /// <summary>Whether an ACK frame is in it.</summary>
    public bool ContainsAck { get; set; }

    /// <summary>Whether padding was added.</summary>
    public bool IsPadded { get; set; }

    /// <summary>Where the payload begins in the datagram.</summary>
    public int PayloadStart => Start + PacketNumberOffset + PacketNumberLength;
}
