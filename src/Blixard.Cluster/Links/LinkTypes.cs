namespace Blixard.Cluster.Links;

/// <summary>Where the link to one peer stands.</summary>
public enum LinkState
{
    /// <summary>The peer is no member: nothing is dialled and nothing accepted.</summary>
    Off,

    /// <summary>A dial is under way.</summary>
    Dialling,

    /// <summary>The last dial failed or the link broke; the next dial has its time.</summary>
    BackingOff,

    /// <summary>A connection carries calls, and its pings are answered.</summary>
    Ready,
}

/// <summary>A connection as the link sees it: its number here, who dialled, and which start of the peer's process is at its other end.</summary>
/// <param name="Number">Given by whoever drives the machine; never used twice.</param>
/// <param name="IsDialledHere">Whether this end dialled.</param>
/// <param name="PeerInstance">The random number that the peer's process chose when it started.</param>
public readonly record struct LinkConnection(long Number, bool IsDialledHere, ulong PeerInstance);

/// <summary>The codes with which nodes close each other's connections.</summary>
public static class LinkCloseCode
{
    /// <summary>The node stops.</summary>
    public const ulong Stopping = 0;

    /// <summary>Another connection between the same two processes is kept.</summary>
    public const ulong Superseded = 1;

    /// <summary>The peer is not, or no longer, a member.</summary>
    public const ulong NotMember = 2;

    /// <summary>Another process with the same key answers: two nodes share one key.</summary>
    public const ulong DuplicateKey = 3;

    /// <summary>Pings went unanswered.</summary>
    public const ulong Unresponsive = 4;

    /// <summary>The peer did not begin with the hello that a link needs.</summary>
    public const ulong BadHello = 5;

    /// <summary>Something else than pings and pongs came on the control stream.</summary>
    public const ulong BadControl = 6;

    /// <summary>There are too many connections without a link at the moment.</summary>
    public const ulong TooManyGuests = 7;
}

/// <summary>What the driver of a link has to do.</summary>
public abstract record LinkAction
{
    private LinkAction()
    {
    }

    /// <summary>Dial the peer at its newest address.</summary>
    public sealed record Dial : LinkAction;

    /// <summary>Use this connection for calls from now on.</summary>
    public sealed record Use(long Connection) : LinkAction;

    /// <summary>Send a ping on this connection at once, out of turn.</summary>
    public sealed record Probe(long Connection) : LinkAction;

    /// <summary>Close this connection.</summary>
    public sealed record Close(long Connection, ulong Code, string Reason) : LinkAction;
}

/// <summary>The delays of a link.</summary>
public sealed record LinkTiming
{
    /// <summary>The first delay after a failure; each further one is twice as long.</summary>
    public TimeSpan BackoffMin { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest delay in the first minutes (<see cref="EagerFor"/>) after a link was lost or a peer became known: a network
    /// that heals is found within three seconds, for a few packets a second.</summary>
    public TimeSpan EagerBackoffMax { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a peer is looked for eagerly: as long as a restart, or the repair of a network while somebody waits for it.</summary>
    public TimeSpan EagerFor { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The longest delay after that: a peer that comes back is found within this time even if it never dials.</summary>
    public TimeSpan BackoffMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a dial may take: a member that answers does so within a second. A dial that goes on repeats its packets ever
    /// less often, so that a new one finds a healed network sooner.</summary>
    public TimeSpan DialLimit { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>How long every third dial may take, for peers and machines that are slower than that.</summary>
    public TimeSpan PatientDialLimit { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often a ping goes out: a broken link shows within seconds, and an idle one costs next to nothing.</summary>
    public TimeSpan PingInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the answer to a ping may take, or four round trips if that is more; after it pings go out each
    /// <see cref="ProbeInterval"/>.</summary>
    public TimeSpan PongPatience { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The time between pings while one is overdue.</summary>
    public TimeSpan ProbeInterval { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a link may go without an answered ping before it counts as broken; <see cref="PingInterval"/> and twice the
    /// patience if that is more.</summary>
    public TimeSpan Unresponsive { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>A timer that comes later than this finds that this process stood still itself: answers may be there that it has not read
    /// yet, so that the silence is measured anew.</summary>
    public TimeSpan StallMargin { get; init; } = TimeSpan.FromMilliseconds(300);

    /// <summary>How long a link must have stood for its loss to be no further failure of the same kind.</summary>
    public TimeSpan Settled { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a contested connection has to prove itself by answering a ping.</summary>
    public TimeSpan ContestLimit { get; init; } = TimeSpan.FromSeconds(1);
}
