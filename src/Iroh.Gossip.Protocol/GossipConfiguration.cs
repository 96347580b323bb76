using Iroh.Gossip.Messages;

namespace Iroh.Gossip;

/// <summary>
/// Limits and timers of the protocol. The defaults are those of iroh-gossip and the papers (HyParView, PlumTree), where not said otherwise;
/// all members of a topic should use the same <see cref="MessageSizeMax"/>.
/// </summary>
public sealed record GossipConfiguration
{
    /// <summary>The lowest <see cref="MessageSizeMax"/>: below that, control messages would not fit.</summary>
    public const int MessageSizeMin = 512;

    /// <summary>The length in bytes that every encoded message stays below. Default 4,096.</summary>
    public int MessageSizeMax { get; init; } = 4096;

    /// <summary>Neighbors that a peer has, at most. Default 5.</summary>
    public int ActiveViewCapacity { get; init; } = 5;

    /// <summary>Other peers that are remembered to replace neighbors. Default 30.</summary>
    public int PassiveViewCapacity { get; init; } = 30;

    /// <summary>Hops after which a joining peer is taken as a neighbor. Default 6.</summary>
    public int ActiveRandomWalk { get; init; } = 6;

    /// <summary>The remaining hops at which a joining peer is remembered. Default 3.</summary>
    public int PassiveRandomWalk { get; init; } = 3;

    /// <summary>Hops of a shuffle. Default 6.</summary>
    public int ShuffleRandomWalk { get; init; } = 6;

    /// <summary>Neighbors that a shuffle tells of. Default 3.</summary>
    public int ShuffleActiveCount { get; init; } = 3;

    /// <summary>Remembered peers that a shuffle tells of. Default 4.</summary>
    public int ShufflePassiveCount { get; init; } = 4;

    /// <summary>The time between two shuffles; also between two attempts to find a lost peer again. Default 60 s.</summary>
    public TimeSpan ShuffleInterval { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// The time to the next shuffle after a first neighbor was found or one was lost; twice as long each time, up to <see cref="ShuffleInterval"/>.
    /// Default 1 s. iroh-gossip always waits for the whole interval; its peers answer whenever they are asked.
    /// </summary>
    public TimeSpan UnsettledShuffleDelay { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long a peer may take to agree to be a neighbor before another is asked. Default 1 s, twice that of iroh-gossip: a connection
    /// over a relay needs several round trips first, and all free places are asked for at once.
    /// </summary>
    public TimeSpan NeighborTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long a peer without any neighbor waits before it joins anew; twice as long each time, up to <see cref="ShuffleInterval"/>.
    /// Default 2 s. iroh-gossip leaves that to the application.
    /// </summary>
    public TimeSpan RejoinDelay { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long an announced message may take to come by itself. Default 80 ms.</summary>
    public TimeSpan GraftTimeout { get; init; } = TimeSpan.FromMilliseconds(80);

    /// <summary>How long whoever was asked for a message may take before the next is. Default 40 ms.</summary>
    public TimeSpan GraftRepeat { get; init; } = TimeSpan.FromMilliseconds(40);

    /// <summary>How long announcements wait for more to share a frame with. Default 5 ms.</summary>
    public TimeSpan AnnouncementDelay { get; init; } = TimeSpan.FromMilliseconds(5);

    /// <summary>Fewer hops by which an announcement has to win for the tree to change. Default 7.</summary>
    public int OptimizationThreshold { get; init; } = 7;

    /// <summary>How long contents are kept for those who ask. Default 30 s.</summary>
    public TimeSpan ContentRetention { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long ids of messages are remembered, so that none is delivered twice. Default 90 s.</summary>
    public TimeSpan MessageIdRetention { get; init; } = TimeSpan.FromSeconds(90);

    /// <summary>
    /// The age up to which messages are announced to a new neighbor, so that one whose neighbors all failed misses nothing. Default 10 s.
    /// iroh-gossip does not do this; its peers understand it.
    /// </summary>
    public TimeSpan CatchUpWindow { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest content of a message, in bytes.</summary>
    public int ContentLengthMax => MessageSizeMax - 1 - TopicMessageCodec.PayloadOverheadMax;

    /// <summary>Checks the values.</summary>
    /// <exception cref="ArgumentException">One is out of its range; the message names it.</exception>
    public void Validate()
    {
        Require(MessageSizeMax >= MessageSizeMin, nameof(MessageSizeMax), $"at least {MessageSizeMin}");
        Require(MessageSizeMax <= 1 << 20, nameof(MessageSizeMax), "at most 1 MiB: gossip passes every message on several times");
        Require(ActiveViewCapacity is >= 2 and <= 100, nameof(ActiveViewCapacity), "2 to 100");
        Require(PassiveViewCapacity is >= 1 and <= 1000, nameof(PassiveViewCapacity), "1 to 1,000");
        Require(ActiveRandomWalk is >= 0 and <= 100 && PassiveRandomWalk is >= 0 and <= 100, nameof(ActiveRandomWalk), "0 to 100");
        Require(ShuffleRandomWalk is >= 0 and <= 100, nameof(ShuffleRandomWalk), "0 to 100");
        Require(ShuffleActiveCount >= 0 && ShufflePassiveCount >= 0, nameof(ShuffleActiveCount), "not negative");
        Require(ShuffleInterval > TimeSpan.Zero && UnsettledShuffleDelay > TimeSpan.Zero, nameof(ShuffleInterval), "positive");
        Require(NeighborTimeout > TimeSpan.Zero && RejoinDelay > TimeSpan.Zero, nameof(NeighborTimeout), "positive");
        Require(GraftTimeout > TimeSpan.Zero && GraftRepeat > TimeSpan.Zero, nameof(GraftTimeout), "positive");
        Require(AnnouncementDelay >= TimeSpan.Zero, nameof(AnnouncementDelay), "not negative");
        Require(ContentRetention <= MessageIdRetention, nameof(ContentRetention), $"at most {nameof(MessageIdRetention)}");
    }

    private static void Require(bool condition, string name, string range)
    {
        if (!condition)
            throw new ArgumentException($"{name} must be {range}.", name);
    }
}
