using Iroh.Base;
using Iroh.Gossip;
using Iroh.Gossip.Network;
using Iroh.Lookup;

namespace Iroh.Docs.Live;

/// <summary>What a <see cref="LiveNode"/> is started with.</summary>
internal sealed record LiveNodeOptions
{
    public SecretKey Key { get; init; } = SecretKey.Generate();

    /// <summary>Where documents and blobs are kept; null for memory.</summary>
    public string? Directory { get; init; }

    /// <summary>Decides who can reach the node; null if everybody can.</summary>
    public LoopbackCuts? Cuts { get; init; }

    /// <summary>Where nodes find each other by their ids, and are entered; null if tickets and gossip must do.</summary>
    public MemoryLookup? Lookup { get; init; }

    public GossipOptions? Gossip { get; init; }

    public LiveConfiguration Live { get; init; } = new();
}
