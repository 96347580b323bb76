using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>What an <see cref="EndpointEvent"/> asks of the endpoint's routing tables.</summary>
public enum EndpointEventKind
{
    /// <summary>Datagrams for a new connection id are this connection's.</summary>
    ConnectionIdIssued,

    /// <summary>A connection id is no longer in use.</summary>
    ConnectionIdRetired,

    /// <summary>A datagram from this address that ends in this token is a stateless reset for this connection (RFC 9000 §10.3).</summary>
    ResetTokenAdded,

    /// <summary>The token no longer counts.</summary>
    ResetTokenRemoved,

    /// <summary>The handshake is complete: the connection no longer counts as half open.</summary>
    HandshakeCompleted,

    /// <summary>The connection has ended and nothing more will be sent or received; forget it.</summary>
    Drained,
}

/// <summary>
/// A change that a connection asks of the <c>EndpointCore</c> it belongs to. The driver carries it there unread, before it sends the
/// datagrams that <c>TryGetTransmit</c> wrote after it: they may announce an id that must already be routed.
/// </summary>
public readonly record struct EndpointEvent
{
    /// <summary>What to change.</summary>
    public EndpointEventKind Kind { get; internal init; }

    internal ConnectionId ConnectionId { get; init; }

    internal NetworkAddress Remote { get; init; }

    internal StatelessResetToken ResetToken { get; init; }
}
