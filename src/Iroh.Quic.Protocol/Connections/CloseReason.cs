using System.Text;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>Who or what ended a connection.</summary>
public enum CloseCause
{
    /// <summary>The application at this end called <c>Close</c>.</summary>
    LocalApplication,

    /// <summary>The application at the other end closed (CONNECTION_CLOSE 0x1d).</summary>
    PeerApplication,

    /// <summary>This end found a breach of the protocol, or failed.</summary>
    LocalTransport,

    /// <summary>
    /// The other end's transport closed (CONNECTION_CLOSE 0x1c). An application that closes before the handshake is complete looks like
    /// this too, with the code APPLICATION_ERROR (RFC 9000 §10.2.3).
    /// </summary>
    PeerTransport,

    /// <summary>Nothing arrived for the idle timeout (RFC 9000 §10.1); also how a handshake that gets no answer ends.</summary>
    IdleTimeout,

    /// <summary>The other end has lost the connection's state (RFC 9000 §10.3).</summary>
    StatelessReset,

    /// <summary>The server speaks no version that we do (RFC 9000 §6.2).</summary>
    VersionMismatch,
}

/// <summary>Why a connection ended. The first reason stays; what happens afterwards does not change it.</summary>
/// <param name="Cause">Who or what ended it.</param>
/// <param name="Code">
/// An application error code for <see cref="CloseCause.LocalApplication"/> and <see cref="CloseCause.PeerApplication"/>, a transport error
/// code (RFC 9000 §20.1) for the two transport causes, otherwise 0.
/// </param>
/// <param name="FrameType">The type of the frame that a transport error names, 0 if none.</param>
/// <param name="Reason">The reason phrase as it was given or received; UTF-8 by convention, but the peer's is not checked.</param>
public sealed record CloseReason(CloseCause Cause, ulong Code, ulong FrameType, ReadOnlyMemory<byte> Reason)
{
    /// <summary>The reason phrase as text; malformed UTF-8 becomes replacement characters.</summary>
    public string ReasonText => Encoding.UTF8.GetString(Reason.Span);

    /// <inheritdoc/>
    public override string ToString() => $"{Cause} 0x{Code:x} {ReasonText}";
}
