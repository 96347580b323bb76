using Iroh.Blobs;

namespace Iroh.Docs.Reconciliation;

/// <summary>An entry that a peer sent, with what it has of the content.</summary>
/// <param name="Entry">The entry.</param>
/// <param name="ContentStatus">At the peer, when it sent this.</param>
public readonly record struct ReceivedEntry(SignedEntry Entry, ContentStatus ContentStatus);

/// <summary>The replica that a reconciliation works on.</summary>
public interface IReconciledReplica : IEntrySet
{
    /// <summary>How much of some content is here; told to the peer with the entries.</summary>
    ContentStatus StatusOf(BlobHash content);

    /// <summary>
    /// Stores what no present entry covers (<see cref="EntryRules.Covers"/>) and removes what the new ones cover, in one go. The entries have
    /// passed <see cref="EntryRules.Check"/>.
    /// </summary>
    /// <returns>The entries that were stored.</returns>
    IReadOnlyList<ReceivedEntry> Insert(IReadOnlyList<ReceivedEntry> entries);
}
