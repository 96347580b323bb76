using Iroh.Cryptography;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Connections;

/// <summary>What the endpoint knows when it creates a connection.</summary>
internal sealed record ConnectionSetup
{
    /// <summary>Which end this is.</summary>
    public required Side Side { get; init; }

    /// <summary>Limits and timers, checked.</summary>
    public required ConnectionConfiguration Configuration { get; init; }

    /// <summary>Identity and protocols; its transport parameters are replaced by those of the connection.</summary>
    public required TlsConfiguration Tls { get; init; }

    /// <summary>A client's way to the server, or the way the first Initial came.</summary>
    public required FourTuple Address { get; init; }

    /// <summary>Our first connection id, that of our long headers.</summary>
    public required ConnectionId LocalId { get; init; }

    /// <summary>Where a client's first Initial goes, random; for a server where that packet went, or the next one after a Retry.</summary>
    public required ConnectionId OriginalDestinationId { get; init; }

    /// <summary>
    /// For a server that has sent a Retry, and knows by it that the client receives at its address: where the packet went that it answered.
    /// </summary>
    public ConnectionId? IdBeforeRetry { get; init; }

    /// <summary>For a server the source connection id of the client's first Initial.</summary>
    public ConnectionId? PeerId { get; init; }

    /// <summary>Makes the tokens of our connection ids.</summary>
    public required StatelessReset Reset { get; init; }

    /// <summary>Where all random bytes come from.</summary>
    public required RandomSource Random { get; init; }

    /// <summary>Hears what happens; null if nobody wants to.</summary>
    public TraceSink? Trace { get; init; }
}
