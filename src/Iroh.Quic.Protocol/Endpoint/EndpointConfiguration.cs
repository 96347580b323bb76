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

    /// <summary>
    /// How many of these there may be before further clients have to show first that they receive at their address (Retry, RFC 9000
    /// §8.1.2), which costs them a round trip: whoever forges addresses gets no further than this. 0 for always; from
    /// <see cref="HandshakesMax"/> on never. Clients at virtual addresses are not asked. Default 1024.
    /// </summary>
    public int HandshakesBeforeRetry { get; init; } = 1024;

    /// <summary>The shortest time between two stateless resets, so that nobody is flooded with them. Default 20 ms.</summary>
    public TimeSpan ResetInterval { get; init; } = TimeSpan.FromMilliseconds(20);
}
