using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.TransportParameters;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>
/// The connection ids that appear in the long headers of a handshake, and the two answers other than Initial that a client may get to
/// its first packet: Version Negotiation and Retry (RFC 9000 §6, §7.2, §7.3, §17.2.5).
/// </summary>
internal sealed class HandshakeIds
{
    private readonly Side _side;
    private bool _isAnyAuthenticated;
    private ConnectionId? _retrySourceId;
    private ConnectionId? _peerId;

    public HandshakeIds(Side side, in ConnectionId localId, in ConnectionId originalDestinationId, ConnectionId? peerId)
    {
        _side = side;
        _peerId = peerId;
        LocalId = localId;
        OriginalDestinationId = originalDestinationId;
    }

    /// <summary>The source connection id of our long headers.</summary>
    public ConnectionId LocalId { get; }

    /// <summary>The destination connection id of the client's first Initial.</summary>
    public ConnectionId OriginalDestinationId { get; }

    /// <summary>Whether an Initial from the client may still have the id that it made up for us (RFC 9000 §7.2).</summary>
    public bool IsOriginalDestination(PacketType type, in ConnectionId id) =>
        _side == Side.Server && type is PacketType.Initial or PacketType.ZeroRtt && id == OriginalDestinationId;

    /// <summary>
    /// Whether a long header's source id is the peer's: that of the first authentic packet, which <paramref name="isFirst"/> tells, then
    /// always the same one (RFC 9000 §7.2). Ask only for authentic packets.
    /// </summary>
    public bool AcceptSource(in ConnectionId id, out bool isFirst)
    {
        isFirst = _peerId is null;
        _peerId ??= id;
        return _peerId == id;
    }

    /// <summary>A packet has authenticated: it is too late for Version Negotiation and Retry.</summary>
    public void OnAuthenticated() => _isAnyAuthenticated = true;

    /// <summary>
    /// Whether a Version Negotiation packet ends the attempt: it must answer ours, come before anything else, and not list the version we
    /// use (RFC 9000 §6.2).
    /// </summary>
    public bool IsVersionRefused(ReadOnlySpan<byte> packet, in ParsedHeader header) =>
        _side == Side.Client && !_isAnyAuthenticated && _retrySourceId is null
        && header.DestinationIdBytes.SequenceEqual(LocalId.Span)
        && header.SourceIdBytes.SequenceEqual(OriginalDestinationId.Span)
        && !VersionNegotiationPacket.Lists(packet, header, QuicVersion.V1);

    /// <summary>Whether to start again with a Retry's token: only once, only first, only with a valid tag (RFC 9000 §17.2.5.2).</summary>
    public bool TryFollowRetry(ReadOnlySpan<byte> packet, in ParsedHeader header)
    {
        if (_side != Side.Client || _isAnyAuthenticated || _retrySourceId is not null
            || !header.DestinationIdBytes.SequenceEqual(LocalId.Span)
            || header.SourceIdBytes.SequenceEqual(OriginalDestinationId.Span)
            || !RetryPacket.HasValidTag(packet, OriginalDestinationId))
            return false;
        _retrySourceId = header.SourceId;
        return true;
    }

    /// <summary>Checks the ids in the peer's transport parameters against those of its packets (RFC 9000 §7.3).</summary>
    public TransportError? Validate(TransportParameterSet parameters)
    {
        ConnectionId peerId = _peerId.GetValueOrDefault();
        return _side == Side.Client
            ? parameters.ValidateServerIds(OriginalDestinationId, peerId, _retrySourceId)
            : parameters.ValidateClientIds(peerId);
    }
}
