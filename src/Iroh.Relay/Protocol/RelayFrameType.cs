namespace Iroh.Relay.Protocol;

/// <summary>
/// The types of relay frames (iroh-relay protos/common.rs), written as a QUIC variable-length integer in front of the body. One frame is
/// one binary WebSocket message.
/// </summary>
public enum RelayFrameType
{
    /// <summary>Relay to client, handshake: 16 random bytes to sign.</summary>
    ServerChallenge = 0,

    /// <summary>Client to relay, handshake: id and signature.</summary>
    ClientAuth = 1,

    /// <summary>Relay to client, handshake: the client is let in.</summary>
    ServerConfirmsAuth = 2,

    /// <summary>Relay to client, handshake: the client is refused, with a reason.</summary>
    ServerDeniesAuth = 3,

    /// <summary>Client to relay: one datagram for an endpoint.</summary>
    ClientToRelayDatagram = 4,

    /// <summary>Client to relay: datagrams of one size for an endpoint; the last may be shorter.</summary>
    ClientToRelayDatagramBatch = 5,

    /// <summary>Relay to client: one datagram from an endpoint.</summary>
    RelayToClientDatagram = 6,

    /// <summary>Relay to client: datagrams of one size from an endpoint; the last may be shorter.</summary>
    RelayToClientDatagramBatch = 7,

    /// <summary>Relay to client: an endpoint that sent to this client has left the relay.</summary>
    EndpointGone = 8,

    /// <summary>Both ways: 8 bytes that come back in a <see cref="Pong"/>.</summary>
    Ping = 9,

    /// <summary>Both ways: the answer to a <see cref="Ping"/>.</summary>
    Pong = 10,

    /// <summary>Relay to client, version 1 only: what is wrong with the connection, or that all is well again, in words.</summary>
    Health = 11,

    /// <summary>Relay to client: the relay is about to restart.</summary>
    Restarting = 12,

    /// <summary>Relay to client, version 2 only: a <see cref="RelayStatus"/>.</summary>
    Status = 13,
}

/// <summary>Which end of a relay connection sent a frame.</summary>
public enum RelayRole
{
    /// <summary>An endpoint.</summary>
    Client,

    /// <summary>The relay.</summary>
    Relay,
}

/// <summary>What a relay says about a client's connection (version 2). Values above those named here are possible.</summary>
public enum RelayStatus
{
    /// <summary>All is well, again.</summary>
    Healthy = 0,

    /// <summary>Another connection with the same endpoint id has come and receives everything; this one may still send.</summary>
    SameEndpointIdConnected = 1,

    /// <summary>The client sends more than the relay lets it; the relay reads more slowly.</summary>
    RateLimited = 2,
}

/// <summary>Why a relay message is not a frame. Any of them ends the connection.</summary>
public enum RelayFrameError
{
    /// <summary>It is one.</summary>
    None,

    /// <summary>The message has no bytes, or ends within the type.</summary>
    Truncated,

    /// <summary>No frame has this type.</summary>
    UnknownType,

    /// <summary>The type belongs to the handshake, to the other role, or to another version.</summary>
    UnexpectedType,

    /// <summary>The body is longer or shorter than its type says.</summary>
    WrongLength,

    /// <summary>The body is above <see cref="RelayFrame.BodyLengthMax"/>.</summary>
    TooLarge,

    /// <summary>32 bytes that should name an endpoint do not.</summary>
    InvalidEndpointId,

    /// <summary>Text that is not UTF-8.</summary>
    InvalidText,
}
