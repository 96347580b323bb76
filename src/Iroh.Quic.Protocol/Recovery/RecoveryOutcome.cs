using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Recovery;

/// <summary>
/// What an ACK or a timeout decided. One instance is reused: every call that takes it starts by clearing it, and the owner
/// hands the frames to their rooms before the next.
/// </summary>
internal sealed class RecoveryOutcome
{
    /// <summary>Frames of newly acknowledged packets, in the order in which they were sent.</summary>
    public SentFrameList Acknowledged { get; } = new();

    /// <summary>Frames of packets declared lost, in the order in which they were sent.</summary>
    public SentFrameList Lost { get; } = new();

    /// <summary>Packets newly acknowledged.</summary>
    public int PacketsAcknowledged { get; internal set; }

    /// <summary>Packets declared lost, MTU probes included.</summary>
    public int PacketsLost { get; internal set; }

    /// <summary>Bytes of the packets declared lost.</summary>
    public long BytesLost { get; internal set; }

    /// <summary>Whether the RTT estimate took a sample.</summary>
    public bool IsRttUpdated { get; internal set; }

    /// <summary>Whether the datagram size of the path changed, either way.</summary>
    public bool IsMtuChanged { get; internal set; }

    /// <summary>Whether persistent congestion was established (RFC 9002 §7.6).</summary>
    public bool IsPersistentCongestion { get; internal set; }

    /// <summary>Starts the next call.</summary>
    public void Clear()
    {
        Acknowledged.Clear();
        Lost.Clear();
        PacketsAcknowledged = PacketsLost = 0;
        BytesLost = 0;
        IsRttUpdated = IsMtuChanged = IsPersistentCongestion = false;
    }
}
