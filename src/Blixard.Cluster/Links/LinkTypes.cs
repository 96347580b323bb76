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

    /// <summary>The longest delay: a peer that comes back is found within this time even if it never dials.</summary>
    public TimeSpan BackoffMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a link may go without an answered ping before it counts as broken.</summary>
    public TimeSpan Unresponsive { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a contested connection has to prove itself by answering a ping.</summary>
    public TimeSpan ContestLimit { get; init; } = TimeSpan.FromSeconds(1);
}
