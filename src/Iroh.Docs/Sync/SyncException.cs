namespace Iroh.Docs.Sync;

/// <summary>How a sync failed.</summary>
public enum SyncFailure
{
    /// <summary>The peer does not have the document, does not sync it, or not with us.</summary>
    NotFound,

    /// <summary>The two are syncing this document already; nothing is wrong.</summary>
    AlreadySyncing,

    /// <summary>Something failed at the peer.</summary>
    FailedAtPeer,

    /// <summary><see cref="DocsOptions.Authorize"/> does not allow it, or no longer.</summary>
    NotAllowed,

    /// <summary>The peer could not be reached, or the connection broke.</summary>
    Unreachable,

    /// <summary>The peer was silent for too long.</summary>
    TimedOut,

    /// <summary>The peer did not keep to the protocol.</summary>
    ProtocolBroken,
}

/// <summary>A sync did not come to its end. What was exchanged until then stays.</summary>
/// <param name="failure">What happened.</param>
/// <param name="message">For the user.</param>
/// <param name="innerException">What the network said.</param>
public sealed class SyncException(SyncFailure failure, string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>What happened.</summary>
    public SyncFailure Failure { get; } = failure;
}
