namespace Iroh.Quic.Protocol.TransportParameters;

/// <summary>
/// Ids of transport parameters: RFC 9000 §18.2, RFC 9221 §3, draft-ietf-quic-multipath-21 §2.1, draft-ietf-quic-ack-frequency-07 §3,
/// draft-seemann-quic-address-discovery and iroh's own NAT traversal.
/// </summary>
internal static class TransportParameterId
{
    public const ulong OriginalDestinationConnectionId = 0x00;
    public const ulong MaxIdleTimeout = 0x01;
    public const ulong StatelessResetToken = 0x02;
    public const ulong MaxUdpPayloadSize = 0x03;
    public const ulong InitialMaxData = 0x04;
    public const ulong InitialMaxStreamDataBidirectionalLocal = 0x05;
    public const ulong InitialMaxStreamDataBidirectionalRemote = 0x06;
    public const ulong InitialMaxStreamDataUnidirectional = 0x07;
    public const ulong InitialMaxStreamsBidirectional = 0x08;
    public const ulong InitialMaxStreamsUnidirectional = 0x09;
    public const ulong AckDelayExponent = 0x0a;
    public const ulong MaxAckDelay = 0x0b;
    public const ulong DisableActiveMigration = 0x0c;
    public const ulong PreferredAddress = 0x0d;
    public const ulong ActiveConnectionIdLimit = 0x0e;
    public const ulong InitialSourceConnectionId = 0x0f;
    public const ulong RetrySourceConnectionId = 0x10;
    public const ulong MaxDatagramFrameSize = 0x20;
    public const ulong InitialMaxPathId = 0x3e;
    public const ulong MinAckDelay = 0xff04de1b;
    public const ulong AddressReports = 0x9f81a176;
    public const ulong NatTraversal = 0x3d7f91120401;

    /// <summary>Our own (docs/decisions/0013-port-search.md), at random from the ids of eight bytes, which need no registration.</summary>
    public const ulong PortSearch = 0x1b1a5e4c7d20;

    /// <summary>The <paramref name="index"/>th id that means nothing and is only there so that ignoring the unknown is exercised (RFC 9000 §18.1).</summary>
    /// <param name="index">Below <see cref="ReservedCount"/>.</param>
    public static ulong Reserved(ulong index) => (31 * index) + 27;

    /// <summary>How many reserved ids there are below 2^62.</summary>
    public const ulong ReservedCount = ((1UL << 62) - 27) / 31;

    /// <summary>All ids above, in the order in which <see cref="IndexOf"/> counts them.</summary>
    public static ReadOnlySpan<ulong> Known =>
    [
        OriginalDestinationConnectionId, MaxIdleTimeout, StatelessResetToken, MaxUdpPayloadSize, InitialMaxData,
        InitialMaxStreamDataBidirectionalLocal, InitialMaxStreamDataBidirectionalRemote, InitialMaxStreamDataUnidirectional,
        InitialMaxStreamsBidirectional, InitialMaxStreamsUnidirectional, AckDelayExponent, MaxAckDelay, DisableActiveMigration,
        PreferredAddress, ActiveConnectionIdLimit, InitialSourceConnectionId, RetrySourceConnectionId, MaxDatagramFrameSize,
        InitialMaxPathId, MinAckDelay, AddressReports, NatTraversal,
        PortSearch,
    ];

    /// <summary>The place of an id in <see cref="Known"/>, negative for an unknown one.</summary>
    public static int IndexOf(ulong id) => Known.IndexOf(id);

    /// <summary>Whether the value is an integer whose absence means the same as <see cref="DefaultOf"/>.</summary>
    public static bool IsInteger(ulong id) => id is MaxIdleTimeout
        or (>= MaxUdpPayloadSize and <= MaxAckDelay) or ActiveConnectionIdLimit or MaxDatagramFrameSize;

    /// <summary>Whether a client must not send it (RFC 9000 §18.2).</summary>
    public static bool IsServerOnly(ulong id) =>
        id is OriginalDestinationConnectionId or StatelessResetToken or PreferredAddress or RetrySourceConnectionId;

    /// <summary>What the absence of an integer means.</summary>
    public static ulong DefaultOf(ulong id) => id switch
    {
        MaxUdpPayloadSize => TransportParameterSet.DefaultMaxUdpPayloadSize,
        AckDelayExponent => TransportParameterSet.DefaultAckDelayExponent,
        MaxAckDelay => TransportParameterSet.DefaultMaxAckDelayMilliseconds,
        ActiveConnectionIdLimit => TransportParameterSet.DefaultActiveConnectionIdLimit,
        _ => 0,
    };
}
