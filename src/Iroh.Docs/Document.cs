using Iroh.Base;
using Iroh.Blobs;
using Iroh.Blobs.Store;
using Iroh.Cryptography;
using Iroh.Docs.Reconciliation;
using Iroh.Docs.Store;
using Iroh.Docs.Sync;

namespace Iroh.Docs;

/// <summary>
/// A document of <see cref="DocsProtocol"/>: entries by author and key, each naming a content. Only a handle: any number of them may be used, from any
/// thread. Calls that do not return a task take as long as a disk does; all fail with <see cref="DocumentMissingException"/> after the document was dropped.
/// </summary>
public sealed class Document
{
    private readonly DocsProtocol _protocol;
    private readonly DocumentEngine _engine;

    internal Document(NamespaceId id, DocsProtocol protocol, DocumentEngine engine)
    {
        Id = id;
        _protocol = protocol;
        _engine = engine;
    }

    /// <summary>The document's id.</summary>
    public NamespaceId Id { get; }

    /// <summary>Whether entries can be made.</summary>
    public bool CanWrite => Capability.CanWrite;

    /// <summary>Whether the document is being synced, and so answered to peers.</summary>
    public bool IsSynced => _engine.IsSynced(Id);

    /// <summary>Number of entries, deletions included.</summary>
    public long EntryCount => _engine.Store.Entries(Id).Count;

    /// <summary>The peers that were useful, the last one first.</summary>
    public IReadOnlyList<EndpointId> UsefulPeers => _engine.Store.UsefulPeers(Id);

    /// <summary>For which keys content is fetched when a peer has it. A change counts for entries that arrive after it, and when syncing starts.</summary>
    public DownloadPolicy DownloadPolicy
    {
        get => _engine.Store.GetDownloadPolicy(Id);
        set => _engine.Store.SetDownloadPolicy(Id, value);
    }

    private DocumentCapability Capability => _engine.Store.TryGetCapability(Id) ?? throw new DocumentMissingException(Id);

    /// <summary>Stores content and gives it the key. The author's entries whose keys begin with the key go.</summary>
    /// <param name="author">An author whose secret is here.</param>
    /// <param name="key">At most <see cref="RecordKey.KeyLengthMax"/> bytes; longer than about 3.8 KB live updates do not carry it.</param>
    /// <param name="content">Copied. Empty content would be a deletion: see <see cref="Delete"/>.</param>
    /// <param name="cancellationToken">Gives up before the entry is made.</param>
    /// <exception cref="InvalidOperationException">The document may only be read, or the author's secret is not here.</exception>
    /// <exception cref="NewerEntryException">An entry from the future is in the way.</exception>
    /// <exception cref="StoreFullException">There is no room for the content.</exception>
    public Task<SignedEntry> SetBytesAsync(
        AuthorId author, ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default) =>
        SetBytesAsync(author, key, content, after: null, cancellationToken);

    /// <summary>Stores content and gives it the key, as of a moment after another entry, whatever the clocks say.</summary>
    /// <param name="author">An author whose secret is here.</param>
    /// <param name="key">As for the other overload.</param>
    /// <param name="content">As for the other overload.</param>
    /// <param name="after">An entry of any author that this one is to be later than; null: none.</param>
    /// <param name="cancellationToken">Gives up before the entry is made.</param>
    /// <exception cref="InvalidOperationException">The document may only be read, or the author's secret is not here.</exception>
    /// <exception cref="NewerEntryException">An entry from the future is in the way.</exception>
    /// <exception cref="StoreFullException">There is no room for the content.</exception>
    public async Task<SignedEntry> SetBytesAsync(
        AuthorId author, ReadOnlyMemory<byte> key, ReadOnlyMemory<byte> content, SignedEntry? after, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfZero(content.Length, nameof(content));
        // Kept from being collected until the entry keeps it.
        using TempTag tag = await _engine.Blobs.AddBytesAsync(content, cancellationToken: cancellationToken).ConfigureAwait(false);
        return Insert(author, key.Span, (ulong)content.Length, tag.Hash, after).Entry;
    }

    /// <summary>Gives a content that is here already, or that others have, the key. Parameters and errors as in <see cref="SetBytesAsync(AuthorId, ReadOnlyMemory{byte}, ReadOnlyMemory{byte}, CancellationToken)"/>.</summary>
    /// <param name="author">An author whose secret is here.</param>
    /// <param name="key">The key.</param>
    /// <param name="content">Not <see cref="BlobHash.Empty"/>.</param>
    /// <param name="length">Bytes of the content; at least 1.</param>
    public SignedEntry SetHash(AuthorId author, ReadOnlySpan<byte> key, BlobHash content, ulong length)
    {
        ArgumentOutOfRangeException.ThrowIfZero(length);
        ArgumentOutOfRangeException.ThrowIfEqual(content, BlobHash.Empty);
        return Insert(author, key, length, content, after: null).Entry;
    }

    /// <summary>Deletes an author's entries whose keys begin with a prefix, here and, as it gets around, everywhere.</summary>
    /// <param name="author">An author whose secret is here.</param>
    /// <param name="prefix">The beginning of the keys; empty for all of the author's.</param>
    /// <param name="after">An entry of any author that the deletion, which is an entry, too, is to be later than; null: none.</param>
    /// <returns>How many entries there were.</returns>
    /// <exception cref="InvalidOperationException">The document may only be read, or the author's secret is not here.</exception>
    /// <exception cref="NewerEntryException">An entry from the future is in the way.</exception>
    public int Delete(AuthorId author, ReadOnlySpan<byte> prefix, SignedEntry? after = null) =>
        Insert(author, prefix, 0, BlobHash.Empty, after).Removed;

    /// <summary>The entry of an author's key; null if there is none.</summary>
    /// <param name="author">Any author.</param>
    /// <param name="key">The key.</param>
    /// <param name="includeEmpty">Whether a deletion is an answer, too.</param>
    public SignedEntry? Get(AuthorId author, ReadOnlySpan<byte> key, bool includeEmpty = false) =>
        _engine.Store.TryGet(Id, author, key) is { } entry && (includeEmpty || !entry.IsEmpty) ? entry : null;

    /// <summary>The results of a query, read as they are asked for.</summary>
    public IEnumerable<SignedEntry> Query(DocumentQuery query) => _engine.Store.Query(Id, query);

    /// <summary>Makes a ticket and starts to sync, so that whoever has the ticket is answered.</summary>
    /// <param name="allowWriting">Whether whoever has the ticket may write.</param>
    /// <param name="withAddresses">Whether to say where this endpoint is now; otherwise only who it is.</param>
    /// <exception cref="InvalidOperationException">Writing was asked for, but the document may only be read here.</exception>
    public DocTicket Share(bool allowWriting, bool withAddresses = true)
    {
        DocumentCapability capability = Capability;
        if (allowWriting && !capability.CanWrite)
            throw new InvalidOperationException("This document may only be read here, so that no right to write it can be given on.");
        StartSync([]);
        EndpointAddress self = withAddresses ? _protocol.Endpoint.Address : _protocol.Endpoint.Id;
        return new DocTicket(allowWriting ? capability : capability.ToRead(), self);
    }

    /// <summary>
    /// Syncs from now on: answers peers, and syncs in the background with those that are named and those that were useful. May be called again with others.
    /// </summary>
    public void StartSync(params IEnumerable<EndpointAddress> peers)
    {
        EndpointAddress[] named = [.. peers];
        IEnumerable<EndpointAddress> useful = UsefulPeers.Where(known => named.All(peer => peer.Id != known)).Select(EndpointAddress.FromEndpointId);
        _protocol.StartSync(Id, [.. named, .. useful]);
    }

    /// <summary>Ends what <see cref="StartSync"/> began; the entries stay.</summary>
    public Task LeaveAsync() => _engine.LeaveAsync(Id);

    /// <summary>Syncs once with a peer, in both directions. Contents follow in the background.</summary>
    /// <exception cref="SyncException">It did not come to its end; what was exchanged until then stays.</exception>
    public Task<SyncReport> SyncWithAsync(EndpointAddress peer, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(peer);
        return _protocol.SyncUntilCompleteAsync(Id, peer, cancellationToken);
    }

    /// <summary>
    /// What happens to the document from the moment of the call on. To be enumerated once; a subscriber that does not keep up is told that it missed events
    /// (<see cref="DocumentEvent.Lagged"/>).
    /// </summary>
    public IAsyncEnumerable<DocumentEvent> Subscribe(CancellationToken cancellationToken = default)
    {
        _ = Capability;
        return _engine.EventsOf(Id).Subscribe(cancellationToken);
    }

    private (SignedEntry Entry, int Removed) Insert(AuthorId author, ReadOnlySpan<byte> key, ulong length, BlobHash content, SignedEntry? after)
    {
        NamespaceSecret secret = Capability.Secret
            ?? throw new InvalidOperationException("This document may only be read. Import a ticket that allows writing.");
        Author signer = _engine.Store.TryGetAuthor(author)
            ?? throw new InvalidOperationException($"The secret of author {author.ToShortString()} is not here. Create or import it first.");
        var name = new RecordKey(Id, author, key);
        // Another thread may make an entry between the look and the insert; then there is one more to be later than.
        while (true)
        {
            EntryTimestamp now = _engine.Now;
            EntryTimestamp timestamp = now;
            SignedEntry? present = FindInTheWay(name, new EntryRecord(length, content, now));
            if (after?.Record.Timestamp >= (present?.Record.Timestamp ?? now))
                present = after;
            if (present is not null)
            {
                timestamp = present.Record.Timestamp.Add(TimeSpan.FromMicroseconds(1));
                // Later than this, peers would not take it.
                if (timestamp > now.Add(EntryRules.ClockAheadMax))
                    throw new NewerEntryException(present);
            }

            var entry = SignedEntry.Sign(secret, signer, key, new EntryRecord(length, content, timestamp));
            if (_engine.InsertLocal(entry) is { } removed)
                return (entry, removed);
        }
    }

    /// <summary>The newest entry that a new one must be later than: one that covers it, and for a deletion all that it deletes.</summary>
    private SignedEntry? FindInTheWay(RecordKey name, EntryRecord record)
    {
        var entry = new SignedEntry(name, record, new byte[Ed25519.SignatureLength], new byte[Ed25519.SignatureLength]);
        SignedEntry? covering = CoverSearch.Find(_engine.Store.Entries(Id), entry);
        if (!record.IsEmpty)
            return covering;
        var deleted = new DocumentQuery { Author = name.Author, Key = KeyFilter.Prefix(name.Key.Span), IncludeEmpty = true };
        return Query(deleted)
            .Where(present => present.Record.Timestamp >= record.Timestamp)
            .Concat(covering is null ? [] : [covering])
            .MaxBy(present => present.Record.Timestamp);
    }
}
