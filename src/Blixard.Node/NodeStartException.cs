namespace Blixard.Node;

/// <summary>The sorts of reasons for which a node does not start.</summary>
public enum NodeStartFailure
{
    /// <summary>An option, or the ticket, is wrong.</summary>
    Usage,

    /// <summary>Something on this machine is in the way: the data directory, an address, a file.</summary>
    Failed,

    /// <summary>No server of the cluster could be reached.</summary>
    Unreachable,

    /// <summary>The cluster said no: the token is not good, the name is taken.</summary>
    Refused,
}

/// <summary>A node did not start. The message is for people: what happened and what to do.</summary>
public sealed class NodeStartException(NodeStartFailure failure, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What sort of reason it is.</summary>
    public NodeStartFailure Failure { get; } = failure;
}
