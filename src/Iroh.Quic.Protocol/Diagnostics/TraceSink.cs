using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Diagnostics;

/// <summary>Why a packet, or the rest of a datagram, was ignored.</summary>
public enum PacketDropReason
{
    /// <summary>The header cannot be read, or has the fixed bit clear.</summary>
    MalformedHeader,

    /// <summary>Another version, or one that is not expected now.</summary>
    UnexpectedVersion,

    /// <summary>The destination connection id is not one of this connection's, or differs from that of the datagram's first packet.</summary>
    UnknownConnectionId,

    /// <summary>There are no keys for its level: not yet, with the buffer for early packets full, or no longer.</summary>
    NoKeys,

    /// <summary>It did not authenticate.</summary>
    AuthenticationFailed,

    /// <summary>Its packet number was received before, or is too old to tell (RFC 9000 §12.3).</summary>
    Duplicate,

    /// <summary>It came from an address that the connection does not follow.</summary>
    UnexpectedAddress,

    /// <summary>The connection is closing, draining or drained.</summary>
    Closed,

    /// <summary>A Retry or Version Negotiation packet that does not apply (RFC 9000 §6.2, §17.2.5.2).</summary>
    NotApplicable,
}

/// <summary>
/// Hears what happens inside connections: for tests, logs and qlog. Override what is of interest; each method is called by the owner of
/// the connection, must not call back into it, and must not throw.
/// </summary>
public abstract class TraceSink
{
    /// <summary>A packet was put into a datagram.</summary>
    /// <param name="now">The time given to the call during which it happened; the same for all methods.</param>
    /// <param name="level">Its encryption level.</param>
    /// <param name="path">The path id of its packet number.</param>
    /// <param name="number">Its packet number.</param>
    /// <param name="size">Its size in bytes with header and tag.</param>
    public virtual void PacketSent(Instant now, EncryptionLevel level, PathId path, PacketNumber number, int size)
    {
    }

    /// <summary>A packet authenticated and is no duplicate.</summary>
    public virtual void PacketReceived(Instant now, EncryptionLevel level, PathId path, PacketNumber number, int size)
    {
    }

    /// <summary>A packet was ignored.</summary>
    public virtual void PacketDropped(Instant now, PacketDropReason reason, int size)
    {
    }

    /// <summary>Sent packets were declared lost.</summary>
    /// <param name="now">When.</param>
    /// <param name="path">The path id of their packet numbers.</param>
    /// <param name="packets">How many.</param>
    /// <param name="bytes">Their size together.</param>
    public virtual void PacketsLost(Instant now, PathId path, int packets, long bytes)
    {
    }

    /// <summary>The 1-RTT keys moved to the next phase.</summary>
    /// <param name="now">When.</param>
    /// <param name="updates">How many updates there have been on this connection, this one included.</param>
    public virtual void KeysUpdated(Instant now, ulong updates)
    {
    }

    /// <summary>The peer has shown that it receives at this address (RFC 9000 §8).</summary>
    public virtual void PathValidated(Instant now, PathId path, FourTuple address)
    {
    }

    /// <summary>The path now uses another address.</summary>
    public virtual void PathMigrated(Instant now, PathId path, FourTuple from, FourTuple to)
    {
    }

    /// <summary>The connection came into another phase of its life.</summary>
    public virtual void PhaseChanged(Instant now, ConnectionPhase from, ConnectionPhase to)
    {
    }
}
