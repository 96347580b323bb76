using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>What a <see cref="ConnectionEvent"/> tells the application.</summary>
public enum ConnectionEventKind
{
    /// <summary>
    /// A server that was dialled by its name has shown <see cref="Connection.PeerCertificates"/> and waits, as the handshake does, for
    /// <see cref="Connection.AcceptCertificate"/> or <see cref="Connection.RefuseCertificate"/>. Comes once at most.
    /// </summary>
    ServerCertificateShown,

    /// <summary>The handshake is complete: the peer is authenticated, its key and the protocol are known, 1-RTT data can be sent.</summary>
    Connected,

    /// <summary>The handshake is confirmed (RFC 9001 §4.1.2): the peer is known to have completed it too.</summary>
    HandshakeConfirmed,

    /// <summary>The peer opened at least one stream of <see cref="ConnectionEvent.Direction"/>; accept until there is none.</summary>
    StreamOpened,

    /// <summary><see cref="ConnectionEvent.StreamId"/> has data, its end or a reset to read after a read that was blocked.</summary>
    StreamReadable,

    /// <summary><see cref="ConnectionEvent.StreamId"/> takes data again after a write that was blocked.</summary>
    StreamWritable,

    /// <summary>The peer has acknowledged all data of <see cref="ConnectionEvent.StreamId"/> and its end.</summary>
    StreamFinished,

    /// <summary>The peer asked to stop sending on <see cref="ConnectionEvent.StreamId"/>, with <see cref="ConnectionEvent.Code"/>.</summary>
    StreamStopped,

    /// <summary>The peer allows more streams of <see cref="ConnectionEvent.Direction"/> after an open that was refused.</summary>
    StreamsAvailable,

    /// <summary>At least one datagram can be received.</summary>
    DatagramReceived,

    /// <summary>The datagram queue has room again after a send that was blocked.</summary>
    DatagramsUnblocked,

    /// <summary>
    /// The peer sees this end's datagrams on <see cref="ConnectionEvent.PathId"/> come from <see cref="ConnectionEvent.Address"/>. It is the
    /// peer's claim: an address one could send to, no more is known of it. Comes when it differs from the path's last one.
    /// </summary>
    ObservedAddress,

    /// <summary>The server has named or taken back an address at which it may be reached; <c>PeerCandidates</c> has them all.</summary>
    PeerCandidatesChanged,

    /// <summary>The peer answered from <see cref="ConnectionEvent.Address"/>, where no path led. The client opens one by itself, or has opened
    /// one because a probe came from there.</summary>
    HolePunched,

    /// <summary><see cref="ConnectionEvent.PathId"/> to <see cref="ConnectionEvent.Address"/> was validated and can be used.</summary>
    PathOpened,

    /// <summary>
    /// <see cref="ConnectionEvent.PathId"/> to <see cref="ConnectionEvent.Address"/> was given up, by either end, because of
    /// <see cref="ConnectionEvent.Code"/>. If it was the last one, a client can open another within some seconds.
    /// </summary>
    PathClosed,

    /// <summary>Data on <see cref="ConnectionEvent.PathId"/> went unanswered; other paths carry it until this one answers again.</summary>
    PathSilent,

    /// <summary><see cref="ConnectionEvent.PathId"/> answers again after it was silent.</summary>
    PathRecovered,

    /// <summary>The peer announced how it uses <see cref="ConnectionEvent.PathId"/>.</summary>
    PeerPathStatus,

    /// <summary>A path that could not be opened for lack of ids can be tried again.</summary>
    PathsAvailable,

    /// <summary>
    /// A port search needs <see cref="ConnectionEvent.Code"/> more UDP sockets: open as many, of the family of the peer's addresses, tell their
    /// local addresses by <c>OpenSearchSockets</c>, hand what arrives on them to this connection and send through them what names them as
    /// <c>FourTuple.Local</c>. Whoever cannot, does nothing.
    /// </summary>
    PortSearchSocketsWanted,

    /// <summary>
    /// The port search is over: its sockets can be closed, except those that a path uses. <see cref="ConnectionEvent.Address"/> is the local
    /// address of the socket at which the peer has arrived, unspecified if it did not.
    /// </summary>
    PortSearchEnded,

    /// <summary>The connection is over for the application; <c>CloseReason</c> says why. Comes once, and nothing comes after it.</summary>
    Closed,
}

/// <summary>Something that the application may want to act on. Which members mean something depends on the kind.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="StreamId">The stream of a stream event.</param>
/// <param name="Direction">The direction of <see cref="ConnectionEventKind.StreamOpened"/> and <see cref="ConnectionEventKind.StreamsAvailable"/>.</param>
/// <param name="Code">
/// The application error code of <see cref="ConnectionEventKind.StreamStopped"/>, or the path error code of
/// <see cref="ConnectionEventKind.PathClosed"/>.
/// </param>
/// <param name="PathId">The path of a path event.</param>
/// <param name="Address">
/// The remote address of a path event, or that of <see cref="ConnectionEventKind.ObservedAddress"/> and
/// <see cref="ConnectionEventKind.HolePunched"/>.
/// </param>
public readonly record struct ConnectionEvent(
    ConnectionEventKind Kind,
    StreamId StreamId = default,
    StreamDirection Direction = default,
    ulong Code = 0,
    PathId PathId = default,
    NetworkAddress Address = default);
