using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Inbound;

/// <summary>Where and when a packet arrived.</summary>
/// <param name="Now">When.</param>
/// <param name="Path">The path that its destination id belongs to.</param>
/// <param name="Address">The 4-tuple it came on.</param>
/// <param name="DestinationId">The connection id it was sent to.</param>
/// <param name="DatagramLength">Bytes of its whole datagram.</param>
internal readonly record struct PacketArrival(
    Instant Now, Path Path, FourTuple Address, ConnectionId DestinationId, int DatagramLength);

/// <summary>What the frames of a packet mean to the connection as a whole; what concerns one room is done already.</summary>
internal struct PacketSummary
{
    /// <summary>Whether the packet is to be acknowledged (RFC 9002 §2).</summary>
    public bool IsAckEliciting;

    /// <summary>Whether it has frames that move the connection to where it came from (RFC 9000 §9.1).</summary>
    public bool IsNonProbing;

    /// <summary>Whether CRYPTO data arrived.</summary>
    public bool HasCrypto;

    /// <summary>Whether the server confirmed the handshake.</summary>
    public bool IsHandshakeDone;

    /// <summary>Why the peer closed, if it did.</summary>
    public CloseReason? PeerClose;

    /// <summary>A 4-tuple that a PATH_RESPONSE validated.</summary>
    public NetworkPath? Validated;

    /// <summary>Whether the peer allowed a path id or issued a connection id.</summary>
    public bool HasNewPathIds;

    /// <summary>Whether the peer gave up one of our ids.</summary>
    public bool HasRetiredIds;
}
