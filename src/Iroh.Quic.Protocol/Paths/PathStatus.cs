namespace Iroh.Quic.Protocol.Paths;

/// <summary>How an end would like a path to be used (draft-ietf-quic-multipath-21 §4.3). Each end decides for what it sends itself.</summary>
public enum PathStatus
{
    /// <summary>It carries data whenever it can.</summary>
    Available,

    /// <summary>It carries data only while no available path can.</summary>
    Backup,
}

/// <summary>What became of the wish to open a path.</summary>
public enum PathOpenResult
{
    /// <summary>The path exists and is being validated; <c>PathOpened</c> or <c>PathClosed</c> follows.</summary>
    Opened,

    /// <summary>The peer does not know several paths, the handshake is not complete, or this end is the server, which opens none.</summary>
    NotNegotiated,

    /// <summary>All path ids that both ends allow are in use; <c>PathsAvailable</c> follows when there is another.</summary>
    NoPathId,

    /// <summary>The peer has not yet given a connection id for the path; <c>PathsAvailable</c> follows when it has.</summary>
    NoConnectionId,

    /// <summary>A path uses these addresses already.</summary>
    AlreadyOpen,
}

/// <summary>Error codes of PATH_ABANDON (draft-ietf-quic-multipath-21 §5). A peer may send others.</summary>
public static class PathErrorCode
{
    /// <summary>The application does not want the path any more.</summary>
    public const ulong ApplicationAbandon = 0x3e;

    /// <summary>An end has no resources for the path.</summary>
    public const ulong ResourceLimitReached = 0x3e75;

    /// <summary>The path does not work, or not well enough.</summary>
    public const ulong UnstableOrPoor = 0x3e76;

    /// <summary>An end has no connection id for the path.</summary>
    public const ulong NoConnectionId = 0x3e77;
}
