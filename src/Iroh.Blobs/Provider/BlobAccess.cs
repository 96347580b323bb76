namespace Iroh.Blobs.Provider;

/// <summary>What becomes of a request.</summary>
public enum BlobAccess
{
    /// <summary>It is served.</summary>
    Allow,

    /// <summary>The peer may not have it: the streams end with code 1.</summary>
    Permission,

    /// <summary>Not now: the streams end with code 2.</summary>
    RateLimited,
}
