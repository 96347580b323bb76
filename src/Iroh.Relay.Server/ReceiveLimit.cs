namespace Iroh.Relay.Server;

/// <summary>How fast each client may send to the relay, all bytes of its connection counted; it is slowed down, nothing is lost.</summary>
public sealed record ReceiveLimit
{
    /// <summary>A limit.</summary>
    /// <param name="bytesPerSecond">The rate in the long run, at least 1.</param>
    /// <param name="burstBytes">What may come at once, at least 1; by default a tenth of a second's worth, as iroh's relay has it.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is below 1.</exception>
    public ReceiveLimit(long bytesPerSecond, long? burstBytes = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytesPerSecond, 1);
        BytesPerSecond = bytesPerSecond;
        BurstBytes = burstBytes ?? Math.Max(1, bytesPerSecond / 10);
        ArgumentOutOfRangeException.ThrowIfLessThan(BurstBytes, 1, nameof(burstBytes));
    }

    /// <summary>The rate in the long run.</summary>
    public long BytesPerSecond { get; }

    /// <summary>What may come at once.</summary>
    public long BurstBytes { get; }
}
