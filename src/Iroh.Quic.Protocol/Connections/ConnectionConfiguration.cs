using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Streams;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>Which congestion controller a connection uses.</summary>
public enum CongestionAlgorithm
{
    /// <summary>CUBIC (RFC 9438), the default.</summary>
    Cubic,

    /// <summary>NewReno (RFC 9002 §7).</summary>
    NewReno,
}

/// <summary>
/// How one connection behaves: limits, timers and sizes. Immutable, so one instance serves any number of connections on any threads. The
/// defaults are those of iroh 1.0.
/// </summary>
public sealed record ConnectionConfiguration
{
    /// <summary>
    /// How long nothing may arrive before the connection is given up (RFC 9000 §10.1). The smaller of both ends' values counts, and
    /// never less than three probe timeouts. Also bounds the handshake. Zero: no limit from this end, and none for a handshake that gets no
    /// answer. Default 30 s, at most one day.
    /// </summary>
    public TimeSpan MaxIdleTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// After how much silence on a path a PING keeps it and the middleboxes on it alive. Zero: never. Default 5 s: below the shortest
    /// UDP mapping lifetimes of home routers.
    /// </summary>
    public TimeSpan KeepAliveInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The round trip time assumed before the first sample (RFC 9002 §6.2.2). 1 ms to 10 s, default 333 ms.</summary>
    public TimeSpan InitialRtt { get; init; } = TimeSpan.FromMilliseconds(333);

    /// <summary>The largest UDP payload this end wants to receive, in bytes (max_udp_payload_size). 1200 to 65527, default 1472.</summary>
    public int MaxUdpPayloadSize { get; init; } = 1472;

    /// <summary>
    /// The largest UDP payload that path MTU discovery tries to send, in bytes. 1200 (no discovery) to 65527, default 1452: an Ethernet
    /// frame less the headers of IPv6 and UDP.
    /// </summary>
    public int MtuMax { get; init; } = 1452;

    /// <summary>How many bytes the peer may send on all streams beyond what was read. Up to 2^62-1, which is the default: no limit.</summary>
    public ulong ConnectionReceiveWindow { get; init; } = VarInt.Max;

    /// <summary>
    /// How many bytes the peer may send on one stream beyond what was read; with the number of streams it bounds the memory that a peer
    /// can make this end hold. Up to 2^30, default 1,250,000: 12.5 MB/s at a round trip of 100 ms.
    /// </summary>
    public ulong StreamReceiveWindow { get; init; } = 1_250_000;

    /// <summary>How many bytes of one stream may be written and not yet acknowledged. At least 1, default 1 MiB: 10 MB/s at 100 ms.</summary>
    public int StreamSendWindow { get; init; } = 1 << 20;

    /// <summary>The same over all streams. At least 1, default 10,000,000.</summary>
    public long SendWindow { get; init; } = 10_000_000;

    /// <summary>How many bidirectional streams the peer may have open at once. Up to 65,536, default 100.</summary>
    public ulong BidirectionalStreamsMax { get; init; } = 100;

    /// <summary>How many unidirectional streams the peer may have open at once. Up to 65,536, default 100.</summary>
    public ulong UnidirectionalStreamsMax { get; init; } = 100;

    /// <summary>How many of the peer's connection ids are kept, per path. 2 to 16, default 5.</summary>
    public int ActiveConnectionIdLimit { get; init; } = 5;

    /// <summary>
    /// The largest DATAGRAM frame this end accepts, in bytes with type and length (RFC 9221 §3). 0: none. At most 65535, the default.
    /// </summary>
    public int MaxDatagramFrameSize { get; init; } = 65535;

    /// <summary>Bytes of received datagrams kept for the application; the oldest are dropped for newer ones. At most 2^30, default 1,250,000.</summary>
    public int DatagramReceiveBuffer { get; init; } = 1_250_000;

    /// <summary>Bytes of datagrams queued to be sent before a send is blocked. At most 2^30, default 1 MiB.</summary>
    public int DatagramSendBuffer { get; init; } = 1 << 20;

    /// <summary>
    /// How many of the peer's addresses this end holds for NAT traversal; 0: it takes no part. 0 to 255, default 32 as in iroh. Without several
    /// paths (<see cref="ConcurrentPathsMax"/>) there is none.
    /// </summary>
    public int NatTraversalAddressesMax { get; init; } = 32;

    /// <summary>
    /// Whether this end takes part in port searches with peers of our kind, where a NAT that maps by destination meets one that lets in only
    /// what it has sent to (docs/decisions/0013-port-search.md). Default true.
    /// </summary>
    public bool SearchesPorts { get; init; } = true;

    /// <summary>
    /// Whether the peer is told the address at which it is seen, and whether this end wants to be told. Default: neither, as between iroh's
    /// endpoints; a relay's address discovery server provides, its clients receive.
    /// </summary>
    public AddressReports AddressReports { get; init; }

    /// <summary>The congestion controller. Default CUBIC.</summary>
    public CongestionAlgorithm Congestion { get; init; }

    /// <summary>
    /// After how many packets of one key phase this end updates the 1-RTT keys by itself (RFC 9001 §6). The AEAD's confidentiality limit
    /// counts in any case. Default: only that limit.
    /// </summary>
    public ulong PacketsPerKeyMax { get; init; } = ulong.MaxValue;

    /// <summary>
    /// How many paths the connection may have at once (draft-ietf-quic-multipath-21); 1: only one, and the peer is not asked for more.
    /// 1 to 64, default 8.
    /// </summary>
    public int ConcurrentPathsMax { get; init; } = 8;

    /// <summary>
    /// How long nothing may arrive on a path before it is given up, while there is another. 1 s to one day, default 15 s.
    /// </summary>
    public TimeSpan PathIdleTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The same for paths over virtual addresses, which are relays. 1 s to one day, default 30 s.</summary>
    public TimeSpan VirtualPathIdleTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Checks every range above.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it.</exception>
    public void Validate()
    {
        CheckRange(MaxIdleTimeout, TimeSpan.Zero, TimeSpan.FromDays(1), nameof(MaxIdleTimeout));
        CheckRange(KeepAliveInterval, TimeSpan.Zero, TimeSpan.FromDays(1), nameof(KeepAliveInterval));
        CheckRange(InitialRtt, TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(10), nameof(InitialRtt));
        CheckRange(MaxUdpPayloadSize, 1200, 65527, nameof(MaxUdpPayloadSize));
        CheckRange(MtuMax, 1200, 65527, nameof(MtuMax));
        CheckRange(ConnectionReceiveWindow, 0UL, VarInt.Max, nameof(ConnectionReceiveWindow));
        CheckRange(StreamReceiveWindow, 0UL, StreamConfiguration.StreamReceiveWindowMax, nameof(StreamReceiveWindow));
        CheckRange(StreamSendWindow, 1, int.MaxValue, nameof(StreamSendWindow));
        CheckRange(SendWindow, 1L, long.MaxValue, nameof(SendWindow));
        CheckRange(BidirectionalStreamsMax, 0UL, StreamConfiguration.StreamsMax, nameof(BidirectionalStreamsMax));
        CheckRange(UnidirectionalStreamsMax, 0UL, StreamConfiguration.StreamsMax, nameof(UnidirectionalStreamsMax));
        CheckRange(ActiveConnectionIdLimit, 2, 16, nameof(ActiveConnectionIdLimit));
        CheckRange(MaxDatagramFrameSize, 0, 65535, nameof(MaxDatagramFrameSize));
        CheckRange(DatagramReceiveBuffer, 0, 1 << 30, nameof(DatagramReceiveBuffer));
        CheckRange(DatagramSendBuffer, 0, 1 << 30, nameof(DatagramSendBuffer));
        CheckRange(NatTraversalAddressesMax, 0, byte.MaxValue, nameof(NatTraversalAddressesMax));
        CheckRange((int)AddressReports, (int)AddressReports.None, (int)AddressReports.Both, nameof(AddressReports));
        CheckRange(ConcurrentPathsMax, 1, 64, nameof(ConcurrentPathsMax));
        CheckRange(PathIdleTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), nameof(PathIdleTimeout));
        CheckRange(VirtualPathIdleTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), nameof(VirtualPathIdleTimeout));
        CheckRange(PacketsPerKeyMax, 1UL, ulong.MaxValue, nameof(PacketsPerKeyMax));
    }

    private static void CheckRange<T>(T value, T min, T max, string name)
        where T : IComparable<T>
    {
        if (value.CompareTo(min) < 0 || value.CompareTo(max) > 0)
            throw new ArgumentOutOfRangeException(name, value, $"{name} is between {min} and {max}.");
    }
}
