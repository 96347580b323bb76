using Iroh.Base;
using Iroh.Docs.Reconciliation;

namespace Iroh.Docs.Sync;

/// <summary>A sync that came to its end, well or not.</summary>
/// <param name="Document">What was synced.</param>
/// <param name="Peer">With whom.</param>
/// <param name="IsDialled">Whether this end dialled.</param>
/// <param name="Started">When it began.</param>
/// <param name="Finished">When it ended.</param>
/// <param name="Outcome">What was exchanged; of a failed sync nothing is told.</param>
/// <param name="Failure">Why it failed; null if it did not.</param>
public sealed record SyncReport(
    NamespaceId Document,
    EndpointId Peer,
    bool IsDialled,
    DateTimeOffset Started,
    DateTimeOffset Finished,
    ReconciliationOutcome Outcome,
    SyncException? Failure)
{
    /// <summary>Whether both have the same entries now, as far as nothing was written meanwhile.</summary>
    public bool IsComplete => Failure is null && !Outcome.IsIncomplete;
}
