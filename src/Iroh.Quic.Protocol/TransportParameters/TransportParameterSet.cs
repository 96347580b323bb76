using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.TransportParameters;

/// <summary>
/// What one end tells the other in its transport parameters (<see cref="TransportParameterId"/> names the documents). A new one holds the
/// defaults that an absent parameter means. <see cref="TransportParameterReader"/> and <see cref="TransportParameterWriter"/> put it on the wire.
/// </summary>
internal sealed record TransportParameterSet
{
    /// <summary>Default of <see cref="MaxUdpPayloadSize"/>: the largest that UDP over IPv6 can carry.</summary>
    public const ulong DefaultMaxUdpPayloadSize = 65527;

    /// <summary>Default of <see cref="AckDelayExponent"/>, and what counts in Initial and Handshake packets.</summary>
    public const int DefaultAckDelayExponent = 3;

    /// <summary>Default of <see cref="MaxAckDelayMilliseconds"/>.</summary>
    public const int DefaultMaxAckDelayMilliseconds = 25;

    /// <summary>Default of <see cref="ActiveConnectionIdLimit"/>, and the smallest value allowed.</summary>
    public const ulong DefaultActiveConnectionIdLimit = 2;

    /// <summary>Where the client's first Initial went to. Server only.</summary>
    public ConnectionId? OriginalDestinationConnectionId { get; init; }

    /// <summary>How long the sender stays without traffic, in milliseconds; 0 for ever.</summary>
    public ulong MaxIdleTimeoutMilliseconds { get; init; }

    /// <summary>Token of the handshake's id. Server only.</summary>
    public StatelessResetToken? StatelessResetToken { get; init; }

    /// <summary>The largest UDP payload that the sender receives, in bytes, at least 1200.</summary>
    public ulong MaxUdpPayloadSize { get; init; } = DefaultMaxUdpPayloadSize;

    /// <summary>Bytes that may be sent on all streams together.</summary>
    public ulong InitialMaxData { get; init; }

    /// <summary>Bytes that may be sent on a bidirectional stream which the sender of the parameters opens.</summary>
    public ulong InitialMaxStreamDataBidirectionalLocal { get; init; }

    /// <summary>Bytes that may be sent on a bidirectional stream which the receiver of the parameters opens.</summary>
    public ulong InitialMaxStreamDataBidirectionalRemote { get; init; }

    /// <summary>Bytes that may be sent on a unidirectional stream.</summary>
    public ulong InitialMaxStreamDataUnidirectional { get; init; }

    /// <summary>Bidirectional streams that may be opened, at most 2^60.</summary>
    public ulong InitialMaxStreamsBidirectional { get; init; }

    /// <summary>Unidirectional streams that may be opened, at most 2^60.</summary>
    public ulong InitialMaxStreamsUnidirectional { get; init; }

    /// <summary>Scale of the ACK Delay field in the sender's 1-RTT packets, 0 to 20.</summary>
    public int AckDelayExponent { get; init; } = DefaultAckDelayExponent;

    /// <summary>The longest that the sender holds an ACK back, in milliseconds, below 2^14.</summary>
    public int MaxAckDelayMilliseconds { get; init; } = DefaultMaxAckDelayMilliseconds;

    /// <summary>Whether the receiver is asked not to change its address on purpose.</summary>
    public bool DisableActiveMigration { get; init; }

    /// <summary>Where the server would rather be reached. Server only.</summary>
    public PreferredAddress? PreferredAddress { get; init; }

    /// <summary>How many ids of the receiver's the sender keeps, at least 2.</summary>
    public ulong ActiveConnectionIdLimit { get; init; } = DefaultActiveConnectionIdLimit;

    /// <summary>Source Connection ID of the sender's first Initial. Everybody sends it.</summary>
    public ConnectionId? InitialSourceConnectionId { get; init; }

    /// <summary>Source Connection ID of the Retry, if there was one. Server only.</summary>
    public ConnectionId? RetrySourceConnectionId { get; init; }

    /// <summary>The largest DATAGRAM frame that the sender receives, in bytes with type and length; 0: none.</summary>
    public ulong MaxDatagramFrameSize { get; init; }

    /// <summary>The largest path id that the sender accepts; null: no multipath.</summary>
    public PathId? InitialMaxPathId { get; init; }

    /// <summary>
    /// The shortest time for which the sender can hold an ACK back, in microseconds, at most <see cref="MaxAckDelay"/>; null: it takes
    /// neither ACK_FREQUENCY nor IMMEDIATE_ACK.
    /// </summary>
    public ulong? MinAckDelayMicroseconds { get; init; }

    /// <summary>Whether the sender reports the addresses it sees, or wants such reports.</summary>
    public AddressReports AddressReports { get; init; }

    /// <summary>How many addresses of the receiver's the sender is ready to hold for NAT traversal, 0 to 255; 0: it takes no part.</summary>
    public byte NatTraversalAddressesMax { get; init; }

    /// <summary>Whether the sender takes part in port searches (docs/decisions/0013-port-search.md).</summary>
    public bool PortSearch { get; init; }

    /// <summary><see cref="MaxAckDelayMilliseconds"/> as a duration.</summary>
    public TimeSpan MaxAckDelay => TimeSpan.FromMilliseconds(MaxAckDelayMilliseconds);

    /// <summary>Checks that the ids in a server's parameters are those of the packets that the client saw (RFC 9000 §7.3).</summary>
    /// <param name="originalDestinationId">Where the client's first Initial went to, before any Retry.</param>
    /// <param name="sourceId">Source Connection ID of the server's first Initial.</param>
    /// <param name="retrySourceId">Source Connection ID of the Retry that was followed, null if there was none.</param>
    /// <returns>TRANSPORT_PARAMETER_ERROR, or null.</returns>
    public TransportError? ValidateServerIds(
        in ConnectionId originalDestinationId, in ConnectionId sourceId, ConnectionId? retrySourceId)
    {
        if (OriginalDestinationConnectionId != originalDestinationId)
            return Mismatch("original_destination_connection_id");
        if (RetrySourceConnectionId != retrySourceId)
            return Mismatch("retry_source_connection_id");
        return InitialSourceConnectionId == sourceId ? null : Mismatch("initial_source_connection_id");
    }

    /// <summary>Checks that the id in a client's parameters is that of its packets (RFC 9000 §7.3).</summary>
    /// <param name="sourceId">Source Connection ID of the client's first Initial.</param>
    /// <returns>TRANSPORT_PARAMETER_ERROR, or null.</returns>
    public TransportError? ValidateClientIds(in ConnectionId sourceId) =>
        InitialSourceConnectionId == sourceId ? null : Mismatch("initial_source_connection_id");

    private static TransportError Mismatch(string name) =>
        new(TransportErrorCode.TransportParameterError, $"{name} is absent or not that of the packets.");
}
