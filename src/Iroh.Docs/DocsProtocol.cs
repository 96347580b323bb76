using Iroh.Base;
using Iroh.Blobs.Store;
using Iroh.Cryptography;
using Iroh.Docs.Live;
using Iroh.Docs.Store;
using Iroh.Docs.Sync;
using Iroh.Gossip;
using Iroh.Protocols;

namespace Iroh.Docs;

/// <summary>
/// Documents of an endpoint: makes, opens and syncs them. A handler of <see cref="ApplicationProtocol"/> for the endpoint's router. Thread-safe; calls
/// that do not return a task take as long as a disk does.
/// </summary>
/// <remarks>
/// The endpoint, the stores and the fetcher stay the caller's and are disposed after this. A peer's sync is answered for documents that are being synced
/// (<see cref="Document.StartSync"/>) and that <see cref="DocsOptions.Authorize"/> allows it.
/// </remarks>
public sealed class DocsProtocol : IProtocolHandler, IAsyncDisposable
{
    /// <summary>The protocol's name (ALPN).</summary>
    public const string ApplicationProtocol = "/iroh-sync/1";

    // Two that dial each other at once settle it within a round trip; a sync that takes longer has the news anyway.
    private const int BusyWaitsMax = 10;
    private static readonly TimeSpan s_busyWait = TimeSpan.FromMilliseconds(50);

    private readonly DocumentEngine _engine;
    private readonly SyncRunner _runner;
    private readonly CancellationTokenSource _stopping = new();
    private readonly HashSet<Task> _background = [];

    /// <summary>Serves the documents of a store.</summary>
    /// <param name="endpoint">Dials.</param>
    /// <param name="store">The documents.</param>
    /// <param name="blobs">The contents of their entries.</param>
    /// <param name="fetcher">Brings contents that are not here; null if nothing is to be fetched.</param>
    /// <param name="options">Settings; null for the defaults.</param>
    /// <param name="gossip">
    /// Carries live updates of the documents that are being synced, to peers that <see cref="DocsOptions.Authorize"/> allows them; null for syncs on
    /// request only. Stays the caller's and is disposed after this.
    /// </param>
    public DocsProtocol(
        IrohEndpoint endpoint, IDocumentStore store, IBlobStore blobs, IContentFetcher? fetcher = null, DocsOptions? options = null,
        GossipProtocol? gossip = null)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(blobs);
        options ??= new DocsOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.DownloadsMax, 1, nameof(options));
        Endpoint = endpoint;
        _engine = new DocumentEngine(store, blobs, fetcher, options);
        _runner = new SyncRunner(endpoint, _engine);
        if (gossip is not null)
            _engine.Live = new LiveSync(gossip, _engine, _runner.DialAsync, OperatingSystemRandomSource.Instance);
    }

    internal IrohEndpoint Endpoint { get; }

    /// <summary>Who makes entries when nobody else is named; made at the first call.</summary>
    public AuthorId DefaultAuthor
    {
        get
        {
            if (_engine.Store.DefaultAuthor is { } author)
                return author;
            author = CreateAuthor();
            _engine.Store.SetDefaultAuthor(author);
            return author;
        }
    }

    /// <summary>Makes a new author, whose secret is kept in the store.</summary>
    public AuthorId CreateAuthor()
    {
        var author = Author.Generate(OperatingSystemRandomSource.Instance);
        _engine.Store.ImportAuthor(author);
        return author.Id;
    }

    /// <summary>The authors that entries can be made for.</summary>
    public IReadOnlyList<AuthorId> ListAuthors() => _engine.Store.ListAuthors();

    /// <summary>Makes a new document, which is not synced yet.</summary>
    public Document Create()
    {
        var secret = NamespaceSecret.Generate(OperatingSystemRandomSource.Instance);
        return Import(DocumentCapability.Write(secret));
    }

    /// <summary>Opens a document that is here.</summary>
    /// <exception cref="DocumentMissingException">It is not.</exception>
    public Document Open(NamespaceId document) => _engine.Store.TryGetCapability(document) is not null
        ? new Document(document, this, _engine)
        : throw new DocumentMissingException(document);

    /// <summary>Adds a document that is not synced yet, or the right to write it.</summary>
    public Document Import(DocumentCapability capability)
    {
        ArgumentNullException.ThrowIfNull(capability);
        _engine.Store.Import(capability);
        return new Document(capability.Id, this, _engine);
    }

    /// <summary>Adds the document of a ticket and starts to sync it with the ticket's nodes.</summary>
    public Document Import(DocTicket ticket)
    {
        ArgumentNullException.ThrowIfNull(ticket);
        Document document = Import(ticket.Capability);
        document.StartSync(ticket.Nodes);
        return document;
    }

    /// <summary>What may be done with each of the documents that are here.</summary>
    public IReadOnlyList<DocumentCapability> ListDocuments() => _engine.Store.ListDocuments();

    /// <summary>Stops syncing a document and forgets it with all its entries. Contents go when the blob store collects garbage.</summary>
    /// <returns>False if it is not here.</returns>
    public async Task<bool> DropAsync(NamespaceId document)
    {
        await _engine.LeaveAsync(document).ConfigureAwait(false);
        bool removed = _engine.Store.Remove(document);
        _engine.Forget(document);
        return removed;
    }

    /// <summary>Answers the sync of a peer that dialled.</summary>
    public async Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(connection);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        await _runner.AnswerAsync(connection, both.Token).ConfigureAwait(false);
    }

    /// <summary>Ends all syncs, downloads and subscriptions.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        // One that is ending may have begun others.
        while (true)
        {
            Task[] background;
            lock (_background)
                background = [.. _background];
            if (background.Length == 0)
                break;
            await Task.WhenAll(background).ConfigureAwait(false);
            lock (_background)
                _background.ExceptWith(background);
        }

        await _engine.DisposeAsync().ConfigureAwait(false);
        _runner.Dispose();
    }

    /// <summary>Syncs from now on, first with these peers, in the background.</summary>
    internal void StartSync(NamespaceId document, IReadOnlyList<EndpointAddress> peers)
    {
        bool isNew = _engine.StartSync(document, peers);
        RunInBackground(() =>
        {
            // First, so that the peers are asked for what is missing, too.
            if (isNew)
                _engine.WantMissing(document);
            foreach (EndpointAddress peer in peers)
                RunInBackground(() => SyncUntilCompleteAsync(document, peer, _stopping.Token));
            return Task.CompletedTask;
        });
    }

    /// <summary>Syncs once with a peer, as often as it takes where replies are cut to their limit, or where the peer is about to finish another sync.</summary>
    internal async Task<SyncReport> SyncUntilCompleteAsync(NamespaceId document, EndpointAddress peer, CancellationToken cancellationToken)
    {
        if (_engine.Store.TryGetCapability(document) is null)
            throw new DocumentMissingException(document);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
        for (int waits = 1; ; )
        {
            SyncReport report = await _runner.DialAsync(document, peer, both.Token).ConfigureAwait(false);
            if (report.Failure is { Failure: SyncFailure.AlreadySyncing } && waits < BusyWaitsMax)
            {
                await Task.Delay(s_busyWait * waits++, _engine.Options.TimeProvider, both.Token).ConfigureAwait(false);
                continue;
            }

            if (report.Failure is not null)
                throw report.Failure;
            if (report.IsComplete || report.Outcome.Sent + report.Outcome.Stored == 0)
                return report;
        }
    }

    private void RunInBackground(Func<Task> work)
    {
        lock (_background)
        {
            // The task waits for the lock before it takes itself out.
            Task task = Task.Run(async () =>
            {
                try
                {
                    await work().ConfigureAwait(false);
                }
                catch (Exception exception) when (exception is SyncException or OperationCanceledException or DocumentMissingException or DocumentStoreException)
                {
                    // The document's events have told of it.
                }
            });
            _background.Add(task);
            _ = task.ContinueWith(
                done =>
                {
                    lock (_background)
                        _background.Remove(done);
                },
                CancellationToken.None,
                TaskContinuationOptions.None,
                TaskScheduler.Default);
        }
    }
}
