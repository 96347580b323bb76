using Iroh.Base;
using Iroh.Blobs;
using Iroh.Docs.Reconciliation;

namespace Iroh.Docs.Store;

/// <summary>
/// Documents with their entries, the rights to them, authors, and what belongs to each document. Thread-safe; calls take as long as a disk does.
/// Everything a call has done is safe when it returns. Disposed by whoever opened it.
/// </summary>
/// <remarks>
/// All members except <see cref="IDisposable.Dispose"/> fail with <see cref="DocumentStoreException"/> when the disk does not do its part, and those
/// that need a document with <see cref="DocumentMissingException"/> when it is not here.
/// </remarks>
public interface IDocumentStore : IDisposable
{
    /// <summary>The most peers that are remembered for a document, those that were useful last; as many as iroh keeps.</summary>
    const int UsefulPeersMax = 5;

    /// <summary>Whose entries are made when nobody else is named; null until set. Its secret is here.</summary>
    AuthorId? DefaultAuthor { get; }

    /// <summary>Adds a document, or the right to write one that could only be read. A right is never taken away.</summary>
    DocumentImport Import(DocumentCapability capability);

    /// <summary>What may be done with a document; null if it is not here.</summary>
    DocumentCapability? TryGetCapability(NamespaceId document);

    /// <summary>All documents, ordered by id.</summary>
    IReadOnlyList<DocumentCapability> ListDocuments();

    /// <summary>Forgets a document: its entries, its right, its policy, its peers.</summary>
    /// <returns>False if it is not here.</returns>
    bool Remove(NamespaceId document);

    /// <summary>Keeps an author's secret; without effect if it is here.</summary>
    void ImportAuthor(Author author);

    /// <summary>An author whose secret is here; null otherwise.</summary>
    Author? TryGetAuthor(AuthorId author);

    /// <summary>All authors whose secrets are here, ordered by id.</summary>
    IReadOnlyList<AuthorId> ListAuthors();

    /// <summary>Forgets an author's secret. Entries stay.</summary>
    /// <returns>False if it is not here.</returns>
    /// <exception cref="InvalidOperationException">It is the default author.</exception>
    bool DeleteAuthor(AuthorId author);

    /// <summary>Chooses the default author.</summary>
    /// <exception cref="InvalidOperationException">Its secret is not here.</exception>
    void SetDefaultAuthor(AuthorId author);

    /// <summary>
    /// Stores entries of a document, all in one go: each unless one that is present covers it (<see cref="EntryRules.Covers"/>), and removes those that it
    /// covers. Signatures and time are not checked: that is done before (<see cref="EntryRules.Check"/>).
    /// </summary>
    /// <returns>What became of each, in the same order.</returns>
    /// <exception cref="ArgumentException">An entry belongs to another document.</exception>
    IReadOnlyList<EntryInsert> Insert(NamespaceId document, IReadOnlyList<SignedEntry> entries);

    /// <summary>The entry of an author's key, deletions included; null if there is none.</summary>
    SignedEntry? TryGet(NamespaceId document, AuthorId author, ReadOnlySpan<byte> key);

    /// <summary>The results of a query, read as they are asked for: entries that change meanwhile may be seen before or after.</summary>
    IEnumerable<SignedEntry> Query(NamespaceId document, DocumentQuery query);

    /// <summary>A view of a document's entries that shows them as they are at each call.</summary>
    IEntrySet Entries(NamespaceId document);

    /// <summary>The newest timestamp per author that ever entered the document.</summary>
    AuthorHeads Heads(NamespaceId document);

    /// <summary>For which keys content is fetched; <see cref="DownloadPolicy.Everything"/> until set.</summary>
    DownloadPolicy GetDownloadPolicy(NamespaceId document);

    /// <summary>Sets for which keys content is fetched from now on.</summary>
    void SetDownloadPolicy(NamespaceId document, DownloadPolicy policy);

    /// <summary>Remembers that a sync with a peer went well just now; the one that was useful longest ago makes room.</summary>
    void AddUsefulPeer(NamespaceId document, EndpointId peer);

    /// <summary>The peers that were useful, the last one first; at most <see cref="UsefulPeersMax"/>.</summary>
    IReadOnlyList<EndpointId> UsefulPeers(NamespaceId document);

    /// <summary>The contents of all entries of all documents without the empty one: what a blob store must keep.</summary>
    IReadOnlySet<BlobHash> ContentHashes();
}
