namespace Blixard.Rpc.Calls;

/// <summary>What a caller says about one call.</summary>
public sealed record RpcCallOptions
{
    /// <summary>The longest time a call may be given: longer ones mean none.</summary>
    public static readonly TimeSpan TimeoutMax = TimeSpan.FromDays(30);

    /// <summary>No deadline, no metadata.</summary>
    public static RpcCallOptions Default { get; } = new();

    /// <summary>The time for the whole call, more than zero; null (the default) = no deadline. It travels with the request, so
    /// that both sides give up at the same moment.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>What travels beside the request; default nothing.</summary>
    public RpcMetadata Metadata { get; init; } = RpcMetadata.Empty;

    /// <summary>Whether whoever awaits the responses of a stream continues on the thread that receives them, where the transport has
    /// one: for callers that do little with each response and never block, to whom some ten microseconds matter.</summary>
    public bool ContinuesInline { get; init; }

    /// <summary>Whether the stream is the caller's after one request and one response: see <see cref="Frames.FrameFlags.BytesFollow"/>.</summary>
    internal bool TakesStream { get; init; }

    /// <summary>Options with a deadline only.</summary>
    public static RpcCallOptions Within(TimeSpan timeout) => new() { Timeout = timeout };
}
