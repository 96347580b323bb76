using Blixard.Cluster.Membership;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Peers;
using Iroh;
using Iroh.Base;
using Iroh.Cryptography;
using Microsoft.Extensions.Logging;

namespace Blixard.Cluster.Links;

/// <summary>What an <see cref="IrohPeerConnector"/> works with. All of it stays the caller's.</summary>
public sealed class PeerConnectorOptions
{
    /// <summary>This node's name, as its hello tells it.</summary>
    public required string Name { get; init; }

    /// <summary>This node's endpoint.</summary>
    public required IrohEndpoint Endpoint { get; init; }

    /// <summary>Whom to link to.</summary>
    public required MemberDirectory Members { get; init; }

    /// <summary>Serves the calls that come in.</summary>
    public required IrohServiceRunner Runner { get; init; }

    /// <summary>The channel to a member, made at its first use; null if nobody calls it. It is told when the link is ready and when
    /// it is lost. Called under the connector's lock: it must be quick and must not call the connector.</summary>
    public required Func<EndpointId, PeerChannel?> ChannelOf { get; init; }

    /// <summary>The clock.</summary>
    public required TimeProvider Time { get; init; }

    /// <summary>For the jitter of delays and the number of this start; used by the connector only, or thread-safe.</summary>
    public required RandomSource Random { get; init; }

    /// <summary>Gets what happens to links.</summary>
    public required ILogger<IrohPeerConnector> Logger { get; init; }

    /// <summary>Where calls over links are counted; null = nowhere.</summary>
    public RpcMetrics? Metrics { get; init; }

    /// <summary>Told which way a link takes, and again whenever it takes another; null = nobody. Must be quick and must not throw.</summary>
    public Action<LinkPath>? OnPath { get; init; }

    /// <summary>The delays of links.</summary>
    public LinkTiming Timing { get; init; } = new();
}
