using Blixard.Rpc.Calls;

namespace Blixard.Rpc.Services;

/// <summary>What a handler may know about the call it serves.</summary>
public sealed class RpcContext
{
    internal RpcContext(
        RpcPeer peer, RpcMethod method, RpcMetadata metadata, TimeSpan? timeout, TimeProvider time,
        CancellationToken cancellationToken)
    {
        Peer = peer;
        Method = method;
        Metadata = metadata;
        Deadline = timeout is { } left ? time.GetUtcNow() + left : null;
        CancellationToken = cancellationToken;
    }

    /// <summary>The caller.</summary>
    public RpcPeer Peer { get; }

    /// <summary>What it calls.</summary>
    public RpcMethod Method { get; }

    /// <summary>What came beside the request.</summary>
    public RpcMetadata Metadata { get; }

    /// <summary>When the caller gives up, on this machine's clock; null = it waits.</summary>
    public DateTimeOffset? Deadline { get; }

    /// <summary>Fires when the caller gives up or is gone, when the deadline passes, and when this node shuts down. Handlers
    /// pass it on; what they do after it fired reaches nobody.</summary>
    public CancellationToken CancellationToken { get; }
}
