namespace Blixard.Rpc.Calls;

/// <summary>How a call ended. The numbers are gRPC's and travel in Error frames and in the <c>grpc-status</c> trailer.</summary>
public enum RpcStatusCode
{
    /// <summary>It succeeded.</summary>
    Ok = 0,
    /// <summary>The caller gave it up.</summary>
    Cancelled = 1,
    /// <summary>It failed in a way that has no code.</summary>
    Unknown = 2,
    /// <summary>The request is wrong, whatever the state of the system.</summary>
    InvalidArgument = 3,
    /// <summary>Its time ran out.</summary>
    DeadlineExceeded = 4,
    /// <summary>What it names does not exist.</summary>
    NotFound = 5,
    /// <summary>What it would create exists.</summary>
    AlreadyExists = 6,
    /// <summary>The caller is known, or has no identity, and may not do this.</summary>
    PermissionDenied = 7,
    /// <summary>A limit or quota is reached.</summary>
    ResourceExhausted = 8,
    /// <summary>The system is not in a state that allows it.</summary>
    FailedPrecondition = 9,
    /// <summary>It met another one; the whole operation may be tried again.</summary>
    Aborted = 10,
    /// <summary>An offset or revision lies outside what exists.</summary>
    OutOfRange = 11,
    /// <summary>There is no such service or method here.</summary>
    Unimplemented = 12,
    /// <summary>A fault of the serving program.</summary>
    Internal = 13,
    /// <summary>The peer, or what it needs, cannot be reached at the moment.</summary>
    Unavailable = 14,
    /// <summary>Data is lost or damaged.</summary>
    DataLoss = 15,
    /// <summary>The credential in the request is not good.</summary>
    Unauthenticated = 16,
}
