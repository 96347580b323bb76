using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Recovery.Congestion;

namespace Iroh.Quic.Protocol.Recovery;

/// <summary>
/// What is measured of the network between two addresses and replaced as a whole by a migration (RFC 9000 §9.4). The packet
/// number spaces of the path id stay.
/// </summary>
internal sealed class PathRecovery
{
    /// <summary>Starts measuring a 4-tuple.</summary>
    /// <param name="generation">Unique among the 4-tuples of the path id; every packet sent on it is recorded with this number.</param>
    /// <param name="rtt">Fresh, or seeded with what a validation measured.</param>
    /// <param name="congestion">Fresh.</param>
    /// <param name="mtu">Fresh.</param>
    /// <param name="amplification">Validated already, or limiting.</param>
    public PathRecovery(
        int generation, RttEstimator rtt, CongestionController congestion, MtuDiscovery mtu, AmplificationLimit amplification)
    {
        Generation = generation;
        Rtt = rtt;
        Congestion = congestion;
        Mtu = mtu;
        Amplification = amplification;
    }

    /// <summary>Names the 4-tuple in <see cref="Spaces.SentPacket.PathGeneration"/>.</summary>
    public int Generation { get; }

    /// <summary>The round-trip time.</summary>
    public RttEstimator Rtt { get; }

    /// <summary>The congestion window and the bytes in flight.</summary>
    public CongestionController Congestion { get; }

    /// <summary>Spreads the window over the round trip.</summary>
    public Pacer Pacer { get; } = new();

    /// <summary>Whether ECN marks survive the way.</summary>
    public EcnValidator Ecn { get; } = new();

    /// <summary>The datagram size.</summary>
    public MtuDiscovery Mtu { get; }

    /// <summary>What may be sent before the address is validated.</summary>
    public AmplificationLimit Amplification { get; }
}
