using System.Net;
using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Client;

/// <summary>How it stands with one relay.</summary>
public enum RelayState
{
    /// <summary>Being dialled, or waiting for the next attempt. Datagrams wait for at most 3 s.</summary>
    Connecting,

    /// <summary>Authenticated: datagrams go out.</summary>
    Connected,

    /// <summary>The relay does not let this endpoint in. It is asked again, but seldom.</summary>
    Denied,

    /// <summary>No longer wanted.</summary>
    Closed,
}

/// <summary>What is known about one relay at a moment. Immutable.</summary>
public sealed record RelayClientStatus
{
    /// <summary>The relay.</summary>
    public required RelayUrl Url { get; init; }

    /// <summary>How it stands.</summary>
    public required RelayState State { get; init; }

    /// <summary>Why there is no connection, or why the last one ended; null if none has failed. For people.</summary>
    public string? LastError { get; init; }

    /// <summary>What the relay last said about this connection (version 2).</summary>
    public RelayStatus Health { get; init; }

    /// <summary>What the relay last said about this connection in words (version 1), or null. "All is well again" is said in words, too.</summary>
    public string? HealthText { get; init; }

    /// <summary>The last ping's time; null before the first pong of this connection.</summary>
    public TimeSpan? RoundTripTime { get; init; }

    /// <summary>How long nothing has come from the relay; null without a connection.</summary>
    public TimeSpan? Silence { get; init; }

    /// <summary>The version of the protocol in use; null without a connection.</summary>
    public RelayVersion? Version { get; init; }

    /// <summary>This end of the TCP connection; null without one.</summary>
    public IPEndPoint? LocalEndPoint { get; init; }

    /// <summary>The other end of the TCP connection; null without one.</summary>
    public IPEndPoint? RemoteEndPoint { get; init; }
}

/// <summary>
/// Takes what relays send. The calls come from the tasks that receive, for one relay never two at a time; they must not block and
/// must not throw.
/// </summary>
public interface IRelayReceiver
{
    /// <summary>Datagrams came.</summary>
    /// <param name="relay">The relay they came over.</param>
    /// <param name="source">Who sent them; the relay vouches for it.</param>
    /// <param name="ecn">The ECN bits that the sender gave them.</param>
    /// <param name="payload">The data, valid during the call; may be overwritten.</param>
    /// <param name="segmentSize">Bytes of each datagram but the last; the payload's length if it is one.</param>
    void OnDatagrams(RelayUrl relay, EndpointId source, EcnCodepoint ecn, Span<byte> payload, int segmentSize);

    /// <summary>A peer that sent over this relay has left it.</summary>
    void OnPeerGone(RelayUrl relay, EndpointId peer);

    /// <summary>The state, the health or the last error of a relay changed.</summary>
    void OnStatusChanged(RelayClientStatus status);
}
