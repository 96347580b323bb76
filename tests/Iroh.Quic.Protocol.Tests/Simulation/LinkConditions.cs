namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>What the network does to datagrams, the same in both directions.</summary>
public sealed record LinkConditions
{
    public TimeSpan Latency { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>Up to so much is added to the latency of each datagram; datagrams overtake each other.</summary>
    public TimeSpan Jitter { get; init; }

    public double LossRate { get; init; }

    public double DuplicationRate { get; init; }

    /// <summary>How many datagrams arrive with one bit turned over.</summary>
    public double CorruptionRate { get; init; }

    /// <summary>How many datagrams are held back for another round trip.</summary>
    public double ReorderRate { get; init; }

    /// <summary>0: not limited.</summary>
    public double BytesPerSecond { get; init; }

    /// <summary>How long a datagram may wait for the limited link before it is dropped.</summary>
    public TimeSpan QueueMax { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Waiting longer than this for the limited link gets a datagram marked with CE.</summary>
    public TimeSpan MarkAfter { get; init; } = TimeSpan.MaxValue;

    /// <summary>Larger UDP payloads vanish.</summary>
    public int Mtu { get; init; } = 1472;

    /// <summary>Whether ECN marks are cleared on the way.</summary>
    public bool BleachesEcn { get; init; }
}
