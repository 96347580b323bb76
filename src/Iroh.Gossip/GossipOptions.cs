using Iroh.Cryptography;

namespace Iroh.Gossip;

/// <summary>What a <see cref="GossipProtocol"/> is made from. Read once.</summary>
public sealed class GossipOptions
{
    /// <summary>Limits and timers of the protocol; those who share topics should use the same message size.</summary>
    public GossipConfiguration Configuration { get; init; } = new();

    /// <summary>Events that wait for the reader of a topic, 1 or more; beyond, they are dropped and <see cref="EventsLagged"/> tells. Default 2,048.</summary>
    public int EventQueueCapacity { get; init; } = 2048;

    /// <summary>The clock. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where the choice of neighbors comes from. Default: the operating system.</summary>
    public RandomSource Random { get; init; } = OperatingSystemRandomSource.Instance;
}
