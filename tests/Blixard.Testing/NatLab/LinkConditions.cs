namespace Blixard.Testing.NatLab;

/// <summary>What a link does to frames, the same in both directions.</summary>
public sealed record LinkConditions
{
    /// <summary>How long a frame is on its way, precise to about a millisecond.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Up to so much is added to the delay of each frame, evenly spread. Frames stay in order.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>The share of frames that are lost, 0 to 1.</summary>
    public double LossRate { get; init; }

    /// <summary>What the link carries at most; 0: not limited.</summary>
    public long BytesPerSecond { get; init; }

    /// <summary>How long a frame may wait for a limited link before it is dropped.</summary>
    public TimeSpan QueueMax { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>What the link's losses and jitter are drawn from.</summary>
    public int Seed { get; init; } = 1;
}
