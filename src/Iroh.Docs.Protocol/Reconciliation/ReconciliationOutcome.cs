namespace Iroh.Docs.Reconciliation;

/// <summary>What a reconciliation has done so far.</summary>
/// <param name="Sent">Entries sent.</param>
/// <param name="Received">Entries received, whether they were new or not.</param>
/// <param name="Stored">Received entries that entered the replica.</param>
/// <param name="Heads">The newest timestamp per author among the stored entries.</param>
/// <param name="IsIncomplete">Whether a reply was cut to its limit, or one of the peer's is so long that it may have been: another reconciliation tells.</param>
public sealed record ReconciliationOutcome(int Sent, int Received, int Stored, AuthorHeads Heads, bool IsIncomplete)
{
    /// <summary>Of nothing yet.</summary>
    public static ReconciliationOutcome None { get; } = new(0, 0, 0, AuthorHeads.Empty, false);
}
