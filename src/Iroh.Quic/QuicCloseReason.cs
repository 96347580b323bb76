using Iroh.Quic.Protocol.Connections;

namespace Iroh.Quic;

/// <summary>What ended a connection, or kept it from coming up.</summary>
public enum QuicCloseKind
{
    /// <summary>The other end's application closed it; the code and the reason are its words.</summary>
    ApplicationClosed,

    /// <summary>
    /// One end's transport closed it: a breach of the protocol, a refusal, or an application that closed before the handshake was
    /// complete. The code is a transport error code (RFC 9000 §20.1).
    /// </summary>
    TransportClosed,

    /// <summary>This end's application closed or disposed it; the code and the reason are its own.</summary>
    LocallyClosed,

    /// <summary>Nothing was heard from the other end for the idle timeout, or no answer to the handshake came in time.</summary>
    TimedOut,

    /// <summary>The other end has forgotten the connection, as after a restart (stateless reset, RFC 9000 §10.3).</summary>
    Reset,

    /// <summary>The other end speaks none of our versions of QUIC.</summary>
    VersionMismatch,

    /// <summary>
    /// The cryptographic handshake failed at one end: another key than expected, a certificate that was refused, no common protocol, or a
    /// malformed message. The code is 0x100 plus the TLS alert (RFC 9001 §4.8).
    /// </summary>
    HandshakeFailed,

    /// <summary>The other end proved to own another key than the one that was dialled.</summary>
    PeerIdentityMismatch,
}

/// <summary>Why a connection ended.</summary>
/// <param name="Kind">Who or what ended it.</param>
/// <param name="Code">The code on the wire, 0 if there was none; <paramref name="Kind"/> says from which table it is.</param>
/// <param name="Reason">What the closing end said about it, for people. The peer's words are neither checked nor to be trusted.</param>
public sealed record QuicCloseReason(QuicCloseKind Kind, ulong Code, string Reason)
{
    private const ulong CryptoErrorFirst = 0x100, CryptoErrorLast = 0x1ff;

    /// <summary>TLS alert no_application_protocol (RFC 7301 §3.2) as a transport error code.</summary>
    public const ulong NoApplicationProtocol = 0x178;

    /// <inheritdoc/>
    public override string ToString() => Kind switch
    {
        QuicCloseKind.ApplicationClosed => $"closed by the peer with code {Code}{Quoted}",
        QuicCloseKind.TransportClosed => $"closed by the transport with error 0x{Code:x}{Quoted}",
        QuicCloseKind.LocallyClosed => $"closed locally with code {Code}{Quoted}",
        QuicCloseKind.TimedOut => "timed out",
        QuicCloseKind.Reset => "reset: the peer no longer knows the connection",
        QuicCloseKind.PeerIdentityMismatch => "the peer owns another key than the one that was dialled",
        QuicCloseKind.VersionMismatch => "the peer speaks no version of QUIC that we do",
        _ when Code == NoApplicationProtocol => $"handshake failed: no application protocol in common (0x178){Quoted}",
        _ => $"handshake failed with error 0x{Code:x}{Quoted}",
    };

    internal static QuicCloseReason From(CloseReason reason, bool isPeerMismatch) =>
        new(isPeerMismatch ? QuicCloseKind.PeerIdentityMismatch : KindOf(reason), reason.Code, reason.ReasonText);

    private string Quoted => Reason.Length == 0 ? string.Empty : $": {Reason}";

    private static QuicCloseKind KindOf(CloseReason reason) => reason.Cause switch
    {
        CloseCause.LocalApplication => QuicCloseKind.LocallyClosed,
        CloseCause.PeerApplication => QuicCloseKind.ApplicationClosed,
        CloseCause.IdleTimeout => QuicCloseKind.TimedOut,
        CloseCause.StatelessReset => QuicCloseKind.Reset,
        CloseCause.VersionMismatch => QuicCloseKind.VersionMismatch,
        _ => reason.Code is >= CryptoErrorFirst and <= CryptoErrorLast ? QuicCloseKind.HandshakeFailed : QuicCloseKind.TransportClosed,
    };
}
