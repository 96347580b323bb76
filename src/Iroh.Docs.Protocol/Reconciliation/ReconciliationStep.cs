namespace Iroh.Docs.Reconciliation;

/// <summary>The answer to a message.</summary>
/// <param name="Reply">What to send; null when there is nothing left to say.</param>
/// <param name="Stored">The peer's entries that entered the replica with this step.</param>
/// <param name="Fault">What the peer did wrong, for people; then there is no reply and the session is to be ended. Null otherwise.</param>
public sealed record ReconciliationStep(ReconciliationMessage? Reply, IReadOnlyList<ReceivedEntry> Stored, string? Fault);
