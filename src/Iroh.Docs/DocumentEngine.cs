using System.Collections.Concurrent;
using Iroh.Base;
using Iroh.Blobs;
using Iroh.Blobs.Store;
using Iroh.Docs.Reconciliation;
using Iroh.Docs.Store;
using Iroh.Docs.Sync;

namespace Iroh.Docs;

/// <summary>
/// Where entries enter documents, whichever way they come, and what follows from it: events, downloads, live updates. Thread-safe.
/// </summary>
internal sealed class DocumentEngine : IAsyncDisposable
{
    private readonly ConcurrentDictionary<NamespaceId, DocumentEvents> _events = [];
    private readonly ConcurrentDictionary<NamespaceId, byte> _synced = [];
    private readonly ContentDownloads? _downloads;

    internal DocumentEngine(IDocumentStore store, IBlobStore blobs, IContentFetcher? fetcher, DocsOptions options)
    {
        Store = store;
        Blobs = blobs;
        Options = options;
        if (fetcher is not null)
            _downloads = new ContentDownloads(fetcher, options.DownloadsMax, OnContentReady, document => Publish(document, new DocumentEvent.PendingContentReady()));
    }

    internal IDocumentStore Store { get; }

    internal IBlobStore Blobs { get; }

    internal DocsOptions Options { get; }

    /// <summary>Who is told of inserts and syncs; null where nothing is kept live. Set once, before the first sync.</summary>
    internal ILiveSync? Live { get; set; }

    internal EntryTimestamp Now => EntryTimestamp.From(Options.TimeProvider.GetUtcNow());

    /// <summary>Whether the document is being kept in sync, and so answered to peers.</summary>
    internal bool IsSynced(NamespaceId document) => _synced.ContainsKey(document);

    /// <returns>False if the document was being synced already.</returns>
    internal bool StartSync(NamespaceId document, IReadOnlyList<EndpointAddress> peers)
    {
        if (Store.TryGetCapability(document) is null)
            throw new DocumentMissingException(document);
        bool isNew = _synced.TryAdd(document, 0);
        Live?.Start(document, peers);
        return isNew;
    }

    /// <summary>Wants the contents that are missing from before: those that were on their way when the process ended.</summary>
    internal void WantMissing(NamespaceId document)
    {
        if (_downloads is null)
            return;
        DownloadPolicy policy = Store.GetDownloadPolicy(document);
        foreach (SignedEntry entry in Store.Query(document, DocumentQuery.All))
        {
            if (policy.Wants(entry.Key.Key.Span) && StatusOf(entry.ContentHash) != ContentStatus.Complete)
                _downloads.Want(document, entry.ContentHash, null);
        }
    }

    internal async Task LeaveAsync(NamespaceId document)
    {
        if (_synced.TryRemove(document, out _) && Live is not null)
            await Live.StopAsync(document).ConfigureAwait(false);
        _downloads?.Forget(document);
    }

    internal void Forget(NamespaceId document)
    {
        if (_events.TryRemove(document, out DocumentEvents? events))
            events.Complete();
    }

    internal DocumentEvents EventsOf(NamespaceId document) => _events.GetOrAdd(document, static _ => new DocumentEvents());

    internal void Publish(NamespaceId document, DocumentEvent what)
    {
        if (_events.TryGetValue(document, out DocumentEvents? events))
            events.Publish(what);
    }

    internal ContentStatus StatusOf(BlobHash content) => Blobs.GetStatus(content).Presence switch
    {
        BlobPresence.Complete => ContentStatus.Complete,
        BlobPresence.Partial => ContentStatus.Incomplete,
        _ => ContentStatus.Missing,
    };

    /// <summary>Stores an entry that was made here and tells everybody.</summary>
    /// <returns>How many entries it removed; null if a newer one covers it.</returns>
    internal int? InsertLocal(SignedEntry entry)
    {
        EntryInsert insert = Store.Insert(entry.Key.Document, [entry])[0];
        if (!insert.Stored)
            return null;
        Publish(entry.Key.Document, new DocumentEvent.InsertLocal(entry));
        if (IsSynced(entry.Key.Document))
            Live?.OnInserted(entry);
        return insert.Removed;
    }

    /// <summary>Stores an entry that a peer sent by itself, after checking it.</summary>
    /// <param name="document">Where it was sent to.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="from">Who sent it.</param>
    /// <param name="status">What that peer has of the content.</param>
    /// <param name="problem">What is wrong with it.</param>
    /// <returns>Whether it was stored; false if something is wrong, or if a present entry covers it.</returns>
    internal bool InsertRemote(NamespaceId document, SignedEntry entry, EndpointAddress from, ContentStatus status, out EntryProblem problem)
    {
        problem = EntryRules.Check(entry, document, Now);
        return problem == EntryProblem.None && InsertReceived(document, [new ReceivedEntry(entry, status)], from).Count > 0;
    }

    /// <summary>Stores entries that have been checked, and asks for their contents where the policy says so.</summary>
    /// <returns>Those that were stored.</returns>
    internal IReadOnlyList<ReceivedEntry> InsertReceived(NamespaceId document, IReadOnlyList<ReceivedEntry> entries, EndpointAddress from)
    {
        IReadOnlyList<EntryInsert> inserts = Store.Insert(document, [.. entries.Select(received => received.Entry)]);
        DownloadPolicy policy = Store.GetDownloadPolicy(document);
        var stored = new List<ReceivedEntry>();
        for (int i = 0; i < entries.Count; i++)
        {
            if (!inserts[i].Stored)
                continue;
            ReceivedEntry received = entries[i];
            stored.Add(received);
            ContentStatus here = StatusOf(received.Entry.ContentHash);
            Publish(document, new DocumentEvent.InsertRemote(from.Id, received.Entry, here));
            if (here != ContentStatus.Complete && policy.Wants(received.Entry.Key.Key.Span))
                _downloads?.Want(document, received.Entry.ContentHash, received.ContentStatus == ContentStatus.Complete ? from : null);
        }

        return stored;
    }

    /// <summary>A peer is known to have a content; it is fetched if some document wants it.</summary>
    internal void AddProvider(BlobHash content, EndpointAddress provider) => _downloads?.AddProvider(content, provider);

    /// <summary>Tells of a sync that came to its end.</summary>
    internal void OnSynced(SyncReport report, EndpointAddress peer)
    {
        Publish(report.Document, new DocumentEvent.SyncFinished(report));
        if (report.Failure is null && Store.TryGetCapability(report.Document) is not null)
        {
            Store.AddUsefulPeer(report.Document, report.Peer);
            _downloads?.AddProviderOfMissing(report.Document, peer);
            if (_downloads?.IsBusy(report.Document) != true)
                Publish(report.Document, new DocumentEvent.PendingContentReady());
        }

        Live?.OnSynced(report);
    }

    public async ValueTask DisposeAsync()
    {
        if (Live is not null)
            await Live.DisposeAsync().ConfigureAwait(false);
        if (_downloads is not null)
            await _downloads.DisposeAsync().ConfigureAwait(false);
        foreach (DocumentEvents events in _events.Values)
            events.Complete();
    }

    private void OnContentReady(NamespaceId document, BlobHash content)
    {
        Publish(document, new DocumentEvent.ContentReady(content));
        Live?.OnContentReady(document, content);
    }
}
