namespace Iroh.Docs.Live;

/// <summary>How a sync ended, as far as it matters for what comes next.</summary>
internal enum SyncEnd
{
    /// <summary>Both have the same.</summary>
    Complete,

    /// <summary>Something was exchanged, but replies were cut to their limit: more is to come.</summary>
    Incomplete,

    /// <summary>The two were syncing already; nothing is wrong.</summary>
    Busy,

    /// <summary>The peer was not reached, refused, or broke off.</summary>
    Failed,
}
