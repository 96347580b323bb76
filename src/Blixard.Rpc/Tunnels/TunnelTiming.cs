namespace Blixard.Rpc.Tunnels;

/// <summary>The times by which tunnels find out that a way is dead, and by which they are moved.</summary>
public sealed record TunnelTiming
{
    /// <summary>How long a way may bring nothing before it is asked for a sign of life. etcd's heartbeats come each 100 ms, so that a
    /// busy way is never asked.</summary>
    public TimeSpan Quiet { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>After how much silence in all, with questions unanswered, a way counts as dead: below etcd's shortest election time-out
    /// of one second, so that a leader may keep its office over the other way.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromMilliseconds(800);

    /// <summary>A timer that comes later than this finds that this process stood still itself: what the peer sent meanwhile is yet to
    /// be read, so that the silence is measured anew.</summary>
    public TimeSpan StallMargin { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How long the opening of a tunnel may take before the other way is tried: a TCP and a TLS handshake over a bad line.</summary>
    public TimeSpan Opening { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>The time between two tunnels that are moved back to P2P: etcd reconnects within 100 ms, and never loses more than one
    /// of its streams at once.</summary>
    public TimeSpan MoveDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>After a tunnel could be opened on no way, how long the next one waits: etcd dials again at once, and so is answered at
    /// most four times a second.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(250);
}
