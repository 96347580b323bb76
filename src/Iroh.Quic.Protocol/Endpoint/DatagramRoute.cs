using Iroh.Quic.Protocol.Connections;

namespace Iroh.Quic.Protocol.Endpoint;

/// <summary>What to do with a datagram.</summary>
public enum DatagramDestination
{
    /// <summary>Nothing: it is for nobody here, or the endpoint has kept it.</summary>
    None,

    /// <summary>Give it to the connection that <see cref="DatagramRoute.Handle"/> names.</summary>
    Connection,

    /// <summary>A client dials: decide about <see cref="DatagramRoute.Incoming"/>.</summary>
    Incoming,

    /// <summary>Send <see cref="DatagramRoute.Response"/>, which was written into the buffer given for that.</summary>
    Response,
}

/// <summary>The endpoint's decision about one datagram. Which members mean something depends on the destination.</summary>
/// <param name="Destination">What to do.</param>
/// <param name="Handle">The connection of <see cref="DatagramDestination.Connection"/>.</param>
/// <param name="Incoming">The attempt of <see cref="DatagramDestination.Incoming"/>.</param>
/// <param name="Response">The answer of <see cref="DatagramDestination.Response"/>.</param>
public readonly record struct DatagramRoute(
    DatagramDestination Destination, ConnectionHandle Handle = default, Incoming? Incoming = null, Transmit Response = default);
