using Iroh.Cryptography;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;
using Iroh.Quic.Protocol.Recovery.Congestion;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>Starts the measurements of new 4-tuples as the configuration and the peer want them.</summary>
internal sealed class NetworkPathFactory
{
    /// <summary>Idle timeouts up to this make the probe timeout shorter, as noq has it.</summary>
    private static readonly TimeSpan ShortIdleTimeout = TimeSpan.FromSeconds(25);

    /// <summary>The longest probe timeout of a path that is given up soon.</summary>
    private static readonly TimeSpan ShortProbeTimeout = TimeSpan.FromSeconds(1);

    private readonly ConnectionConfiguration _configuration;

    public NetworkPathFactory(ConnectionConfiguration configuration) => _configuration = configuration;

    /// <summary>The peer's max_udp_payload_size.</summary>
    public ulong PeerUdpPayloadMax { get; set; } = ulong.MaxValue;

    /// <summary>How long the peer may hold acknowledgements back.</summary>
    public TimeSpan PeerMaxAckDelay { get; set; } = TimeSpan.FromMilliseconds(25);

    /// <summary>Measurements of a 4-tuple about which nothing is known, not validated.</summary>
    /// <param name="generation">Unique among those of the path id.</param>
    public PathRecovery CreateRecovery(int generation) => CreateRecovery(generation, isValidated: false);

    /// <summary>The same for a 4-tuple that may need no validation: a client's own choice.</summary>
    public PathRecovery CreateRecovery(int generation, bool isValidated) =>
        CreateRecovery(generation, _configuration.InitialRtt, new AmplificationLimit(isValidated, MtuDiscovery.BaseSize));

    /// <summary>The path of a path id that is opened after the handshake.</summary>
    /// <param name="side">Which end this is. A client chooses the address itself and need not be careful with it.</param>
    /// <param name="entry">Its ids.</param>
    /// <param name="address">Its addresses.</param>
    /// <param name="random">For its packet numbers.</param>
    /// <param name="isValidated">Whether the peer is known to receive there: another path has these addresses, or a probe was answered.</param>
    /// <param name="knownRtt">What that path measured, or the probe; null if neither is known.</param>
    public Path CreatePath(Side side, PathEntry entry, FourTuple address, RandomSource random, bool isValidated, TimeSpan? knownRtt)
    {
        var amplification = new AmplificationLimit(isValidated || side == Side.Client, Path.MigratedDatagramMin);
        PathRecovery recovery = CreateRecovery(0, knownRtt ?? _configuration.InitialRtt, amplification);
        var space = new PacketNumberSpace(EncryptionLevel.Application, random);
        var loss = new LossDetector(side, space) { PeerMaxAckDelay = PeerMaxAckDelay };
        var path = new Path(entry.Id, new NetworkPath(address, recovery, isValidated), space, loss, entry.LocalIds, entry.RemoteIds);
        LimitProbeTimeout(path);
        return path;
    }

    /// <summary>
    /// How long nothing may arrive on a path before it is given up while there are others; longer on a way that is no UDP, since relays are
    /// for times when nothing else works.
    /// </summary>
    public TimeSpan IdleTimeoutOf(Path path) =>
        path.Current.Address.Remote.IsVirtual ? _configuration.VirtualPathIdleTimeout : _configuration.PathIdleTimeout;

    /// <summary>A path that is given up after a short silence is probed more often, so that one loss or two do not make it look idle.</summary>
    public void LimitProbeTimeout(Path path)
    {
        if (IdleTimeoutOf(path) <= ShortIdleTimeout)
            path.Loss.ProbeTimeout.IntervalMax = ShortProbeTimeout;
    }

    private PathRecovery CreateRecovery(int generation, TimeSpan initialRtt, AmplificationLimit amplification)
    {
        var mtu = new MtuDiscovery(_configuration.MtuMax);
        if (PeerUdpPayloadMax != ulong.MaxValue)
            mtu.SetPeerLimit(PeerUdpPayloadMax);
        CongestionController congestion = _configuration.Congestion == CongestionAlgorithm.NewReno
            ? new NewReno(MtuDiscovery.BaseSize)
            : new Cubic(MtuDiscovery.BaseSize);
        return new PathRecovery(generation, new RttEstimator(initialRtt), congestion, mtu, amplification);
    }
}
