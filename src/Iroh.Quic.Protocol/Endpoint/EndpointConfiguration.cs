namespace Iroh.Quic.Protocol.Endpoint;

/// <summary>How an endpoint behaves towards datagrams that belong to no connection. Immutable.</summary>
public sealed record EndpointConfiguration
{
    /// <summary>Whether the endpoint takes incoming connections and answers unknown versions. Default true.</summary>
    public bool AcceptsConnections { get; init; } = true;

    /// <summary>
    /// How many incoming connections may be waiting for the application or in their handshake at once; those that come on top are refused
    /// with CONNECTION_REFUSED. Bounds the memory that spoofed first packets can take. At least 1, default 4096: some 200 MB if every one
    /// of them fills its buffers.
    /// </summary>
    public int HandshakesMax { get; init; } = 4096;

    /// <summary>The shortest time between two stateless resets, so that nobody is flooded with them. Default 20 ms.</summary>
    public TimeSpan ResetInterval { get; init; } = TimeSpan.FromMilliseconds(20);
}
