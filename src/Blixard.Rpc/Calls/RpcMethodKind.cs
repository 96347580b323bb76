namespace Blixard.Rpc.Calls;

/// <summary>Which sides of a call are streams of messages.</summary>
public enum RpcMethodKind
{
    /// <summary>One request, one response.</summary>
    Unary,
    /// <summary>One request, any number of responses.</summary>
    ServerStreaming,
    /// <summary>Any number of requests and of responses, independent of each other.</summary>
    Duplex,
}
