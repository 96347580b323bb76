using Iroh.Base;
using Iroh.Blobs;
using Iroh.Docs.Reconciliation;

namespace Iroh.Docs.Store;

/// <summary>Documents that last as long as the process. Thread-safe.</summary>
public sealed class MemoryDocumentStore : IDocumentStore
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<NamespaceId, Replica> _replicas = [];
    private readonly SortedDictionary<AuthorId, Author> _authors = [];
    private AuthorId? _defaultAuthor;

    /// <inheritdoc/>
    public AuthorId? DefaultAuthor
    {
        get
        {
            lock (_gate)
                return _defaultAuthor;
        }
    }

    /// <inheritdoc/>
    public DocumentImport Import(DocumentCapability capability)
    {
        ArgumentNullException.ThrowIfNull(capability);
        lock (_gate)
        {
            if (!_replicas.TryGetValue(capability.Id, out Replica? replica))
            {
                _replicas.Add(capability.Id, new Replica(capability));
                return DocumentImport.Added;
            }

            if (!capability.CanWrite || replica.Capability.CanWrite)
                return DocumentImport.Unchanged;
            replica.Capability = capability;
            return DocumentImport.Upgraded;
        }
    }

    /// <inheritdoc/>
    public DocumentCapability? TryGetCapability(NamespaceId document)
    {
        lock (_gate)
            return _replicas.TryGetValue(document, out Replica? replica) ? replica.Capability : null;
    }

    /// <inheritdoc/>
    public IReadOnlyList<DocumentCapability> ListDocuments()
    {
        lock (_gate)
            return [.. _replicas.Values.Select(replica => replica.Capability)];
    }

    /// <inheritdoc/>
    public bool Remove(NamespaceId document)
    {
        lock (_gate)
            return _replicas.Remove(document);
    }

    /// <inheritdoc/>
    public void ImportAuthor(Author author)
    {
        ArgumentNullException.ThrowIfNull(author);
        lock (_gate)
            _authors[author.Id] = author;
    }

    /// <inheritdoc/>
    public Author? TryGetAuthor(AuthorId author)
    {
        lock (_gate)
            return _authors.GetValueOrDefault(author);
    }

    /// <inheritdoc/>
    public IReadOnlyList<AuthorId> ListAuthors()
    {
        lock (_gate)
            return [.. _authors.Keys];
    }

    /// <inheritdoc/>
    public bool DeleteAuthor(AuthorId author)
    {
        lock (_gate)
        {
            if (_defaultAuthor == author)
                throw new InvalidOperationException("The default author cannot be deleted. Choose another default author first.");
            return _authors.Remove(author);
        }
    }

    /// <inheritdoc/>
    public void SetDefaultAuthor(AuthorId author)
    {
        lock (_gate)
        {
            if (!_authors.ContainsKey(author))
                throw new InvalidOperationException($"The secret of author {author.ToShortString()} is not here. Import it first.");
            _defaultAuthor = author;
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<EntryInsert> Insert(NamespaceId document, IReadOnlyList<SignedEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        if (entries.FirstOrDefault(entry => !entry.Key.IsOf(document)) is { } stray)
            throw new ArgumentException($"The entry {stray} belongs to another document.", nameof(entries));
        lock (_gate)
        {
            Replica replica = Get(document);
            return [.. entries.Select(replica.Insert)];
        }
    }

    /// <inheritdoc/>
    public SignedEntry? TryGet(NamespaceId document, AuthorId author, ReadOnlySpan<byte> key)
    {
        var name = new RecordKey(document, author, key);
        lock (_gate)
            return Get(document).Entries.Find(name);
    }

    /// <inheritdoc/>
    public IEnumerable<SignedEntry> Query(NamespaceId document, DocumentQuery query)
    {
        ArgumentNullException.ThrowIfNull(query);
        SignedEntry[] candidates;
        lock (_gate)
            candidates = [.. Get(document).Entries.All.Where(query.Matches)];
        // They are in the order of authors and keys already.
        if (query.CandidateOrder == QueryOrder.KeyThenAuthor)
            Array.Sort(candidates, CompareByKey);
        if (query.Descending)
            Array.Reverse(candidates);
        return query.Select(candidates);
    }

    /// <inheritdoc/>
    public IEntrySet Entries(NamespaceId document)
    {
        lock (_gate)
            _ = Get(document);
        return new View(this, document);
    }

    /// <inheritdoc/>
    public AuthorHeads Heads(NamespaceId document)
    {
        lock (_gate)
            return Get(document).Heads;
    }

    /// <inheritdoc/>
    public DownloadPolicy GetDownloadPolicy(NamespaceId document)
    {
        lock (_gate)
            return Get(document).Policy;
    }

    /// <inheritdoc/>
    public void SetDownloadPolicy(NamespaceId document, DownloadPolicy policy)
    {
        ArgumentNullException.ThrowIfNull(policy);
        lock (_gate)
            Get(document).Policy = policy;
    }

    /// <inheritdoc/>
    public void AddUsefulPeer(NamespaceId document, EndpointId peer)
    {
        lock (_gate)
        {
            List<EndpointId> peers = Get(document).Peers;
            peers.Remove(peer);
            peers.Insert(0, peer);
            if (peers.Count > IDocumentStore.UsefulPeersMax)
                peers.RemoveAt(peers.Count - 1);
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<EndpointId> UsefulPeers(NamespaceId document)
    {
        lock (_gate)
            return [.. Get(document).Peers];
    }

    /// <inheritdoc/>
    public IReadOnlySet<BlobHash> ContentHashes()
    {
        lock (_gate)
        {
            return _replicas.Values
                .SelectMany(replica => replica.Entries.All)
                .Where(entry => !entry.IsEmpty)
                .Select(entry => entry.ContentHash)
                .ToHashSet();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private static int CompareByKey(SignedEntry left, SignedEntry right)
    {
        int byKey = left.Key.Key.Span.SequenceCompareTo(right.Key.Key.Span);
        return byKey != 0 ? byKey : left.Key.Author.CompareTo(right.Key.Author);
    }

    private Replica Get(NamespaceId document) =>
        _replicas.TryGetValue(document, out Replica? replica) ? replica : throw new DocumentMissingException(document);

    private sealed class Replica(DocumentCapability capability)
    {
        internal DocumentCapability Capability { get; set; } = capability;

        internal EntrySet Entries { get; } = new();

        internal AuthorHeads Heads { get; private set; } = AuthorHeads.Empty;

        internal DownloadPolicy Policy { get; set; } = DownloadPolicy.Everything;

        internal List<EndpointId> Peers { get; } = [];

        internal EntryInsert Insert(SignedEntry entry)
        {
            bool stored = Entries.TryInsert(entry, out int removed);
            if (stored)
                Heads = Heads.With(entry.Key.Author, entry.Record.Timestamp);
            return new EntryInsert(stored, removed);
        }
    }

    private sealed class View(MemoryDocumentStore store, NamespaceId document) : IEntrySet
    {
        public RecordKey? FirstKey => Read(entries => entries.FirstKey);

        public long Count => Read(entries => entries.Count);

        public SignedEntry? Find(RecordKey key) => Read(entries => entries.Find(key));

        public SignedEntry? FindLast(RecordKey key) => Read(entries => entries.FindLast(key));

        public RangeSummary Summarize(RecordRange range) => Read(entries => entries.Summarize(range));

        public IEnumerable<SignedEntry> Entries(RecordRange range) => Read(entries => entries.Entries(range).ToArray());

        public RecordKey? KeyAt(RecordRange range, long position) => Read(entries => entries.KeyAt(range, position));

        private T Read<T>(Func<EntrySet, T> read)
        {
            lock (store._gate)
                return read(store.Get(document).Entries);
        }
    }
}
