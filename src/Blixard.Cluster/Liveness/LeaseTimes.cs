namespace Blixard.Cluster.Liveness;

/// <summary>
/// What follows from how long a node's lease lives. All times are the node's own, by a clock that nobody can set. A renewal counts from the
/// moment at which its request was sent: the store counts from a later one, so the lease never ends earlier than the node thinks.
/// </summary>
/// <param name="TimeToLive">How long the lease lives without a renewal.</param>
public readonly record struct LeaseTimes(TimeSpan TimeToLive)
{
    /// <summary>The shortest time to live: below it a single slow answer would end VMs.</summary>
    public static readonly TimeSpan TimeToLiveMin = TimeSpan.FromSeconds(2);

    /// <summary>The longest time to live: so long a VM that may move would be down.</summary>
    public static readonly TimeSpan TimeToLiveMax = TimeSpan.FromMinutes(5);

    /// <summary>The usual time to live: with the time to notice that a lease has ended, a loss is told within 10 s.</summary>
    public static readonly TimeSpan TimeToLiveDefault = TimeSpan.FromSeconds(6);

    // The guard looks four times a second, and to kill a process takes some milliseconds more.
    private static readonly TimeSpan s_killing = TimeSpan.FromMilliseconds(500);

    // Clocks of two machines go at rates that differ by far less than a hundredth; beyond a minute this is that hundredth and more.
    private static readonly TimeSpan s_driftMax = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long before the end of the lease, counted by this node, the last VM that may move must be dead: half a second for the killing,
    /// and a twelfth of the time to live, at most 5 s, for clocks that go at different rates.
    /// </summary>
    public TimeSpan Margin => s_killing + (TimeToLive / 12 < s_driftMax ? TimeToLive / 12 : s_driftMax);

    /// <summary>How long before the guard's deadline the node itself ends the VMs: it knows the reason, the guard is for nodes that cannot.</summary>
    public TimeSpan Lead => Margin / 4;

    /// <summary>How long after a renewal was sent the next one is: two may fail.</summary>
    public TimeSpan RenewalInterval => TimeToLive / 3;
}
