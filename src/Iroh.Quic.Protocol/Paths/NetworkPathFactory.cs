using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Recovery;
using Iroh.Quic.Protocol.Recovery.Congestion;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>Starts the measurements of new 4-tuples as the configuration and the peer want them.</summary>
internal sealed class NetworkPathFactory
{
    private readonly ConnectionConfiguration _configuration;

    public NetworkPathFactory(ConnectionConfiguration configuration) => _configuration = configuration;

    /// <summary>The peer's max_udp_payload_size.</summary>
    public ulong PeerUdpPayloadMax { get; set; } = ulong.MaxValue;

    /// <summary>Measurements of a 4-tuple about which nothing is known, not validated.</summary>
    /// <param name="generation">Unique among those of the path id.</param>
    public PathRecovery CreateRecovery(int generation) => CreateRecovery(generation, isValidated: false);

    /// <summary>The same for a 4-tuple that may need no validation: a client's own choice.</summary>
    public PathRecovery CreateRecovery(int generation, bool isValidated)
    {
        var mtu = new MtuDiscovery(_configuration.MtuMax);
        if (PeerUdpPayloadMax != ulong.MaxValue)
            mtu.SetPeerLimit(PeerUdpPayloadMax);
        CongestionController congestion = _configuration.Congestion == CongestionAlgorithm.NewReno
            ? new NewReno(MtuDiscovery.BaseSize)
            : new Cubic(MtuDiscovery.BaseSize);
        return new PathRecovery(
            generation, new RttEstimator(_configuration.InitialRtt), congestion, mtu, new AmplificationLimit(isValidated, MtuDiscovery.BaseSize));
    }
}
