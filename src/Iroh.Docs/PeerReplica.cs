using Iroh.Base;
using Iroh.Blobs;
using Iroh.Docs.Reconciliation;

namespace Iroh.Docs;

/// <summary>A document as one sync sees it: the entries of the store, the contents of the blob store, and the peer whose entries arrive.</summary>
internal sealed class PeerReplica(DocumentEngine engine, NamespaceId document, EndpointAddress peer) : IReconciledReplica
{
    private readonly IEntrySet _entries = engine.Store.Entries(document);

    public RecordKey? FirstKey => _entries.FirstKey;

    public long Count => _entries.Count;

    public SignedEntry? Find(RecordKey key) => _entries.Find(key);

    public SignedEntry? FindLast(RecordKey key) => _entries.FindLast(key);

    public RangeSummary Summarize(RecordRange range) => _entries.Summarize(range);

    public IEnumerable<SignedEntry> Entries(RecordRange range) => _entries.Entries(range);

    public RecordKey? KeyAt(RecordRange range, long position) => _entries.KeyAt(range, position);

    public ContentStatus StatusOf(BlobHash content) => engine.StatusOf(content);

    public IReadOnlyList<ReceivedEntry> Insert(IReadOnlyList<ReceivedEntry> entries) => engine.InsertReceived(document, entries, peer);
}
