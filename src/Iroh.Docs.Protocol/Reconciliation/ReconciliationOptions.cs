namespace Iroh.Docs.Reconciliation;

/// <summary>The parameters of a reconciliation. Peers may differ in all of them.</summary>
public sealed record ReconciliationOptions
{
    /// <summary>Those of iroh-docs, byte for byte.</summary>
    public static ReconciliationOptions Default { get; } = new();

    /// <summary>Ranges with at most this many entries are sent instead of compared; at least 1.</summary>
    public int SetSizeMax { get; init; } = 1;

    /// <summary>Into how many parts a range that differs is cut; at least 2.</summary>
    public int SplitFactor { get; init; } = 2;

    /// <summary>
    /// About how many bytes a reply may have. What does not fit is left out and goes with the next reconciliation of the same two. 24 MiB are some
    /// 90,000 entries and leave room below the frame limit of 32 MiB.
    /// </summary>
    public int ReplyBytesMax { get; init; } = 24 * 1024 * 1024;
}
