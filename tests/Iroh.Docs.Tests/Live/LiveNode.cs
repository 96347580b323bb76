using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Iroh.Base;
using Iroh.Blobs;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;
using Iroh.Docs.Reconciliation;
using Iroh.Docs.Store;
using Iroh.Gossip;
using Iroh.Gossip.Network;
using Iroh.Protocols;

namespace Iroh.Docs.Live;

/// <summary>An endpoint on loopback with blobs, gossip and documents.</summary>
internal sealed class LiveNode : IAsyncDisposable
{
    private readonly ProtocolRouter _router;
    private readonly IDocumentStore _store;
    private readonly GossipProtocol _gossip;
    private readonly BlobProvider _provider;
    private readonly BlobDownloader _downloader;
    private readonly IrohBlobSources _sources;
    private readonly CuttableSocket? _socket;
    private readonly ConcurrentDictionary<EndpointId, bool> _neighbors = [];
    private readonly Lazy<Task> _disposal;
    private Task _following = Task.CompletedTask;

    private LiveNode(IrohEndpoint endpoint, LiveNodeOptions options)
    {
        Endpoint = endpoint;
        Options = options;
        _disposal = new Lazy<Task>(StopAsync);
        _socket = options.Cuts?.Add(endpoint.BoundSockets[0].Port, Id.ToString());
        _store = options.Directory is null ? new MemoryDocumentStore() : DiskDocumentStore.Open(Path.Combine(options.Directory, "docs"));
        Blobs = options.Directory is null ? new MemoryBlobStore() : DiskBlobStore.Open(Path.Combine(options.Directory, "blobs"));
        _gossip = new GossipProtocol(endpoint, options.Gossip);
        _provider = new BlobProvider(Blobs);
        _downloader = new BlobDownloader(Blobs);
        _sources = new IrohBlobSources(endpoint);
        var docs = new DocsOptions { Authorize = (peer, _) => !Forbidden.Contains(peer), Live = options.Live };
        Docs = new DocsProtocol(endpoint, _store, Blobs, new ContentFetcher(_downloader, _sources), docs, _gossip);
        _router = new ProtocolRouter(endpoint, new Dictionary<string, IProtocolHandler>
        {
            [GossipProtocol.ApplicationProtocol] = _gossip,
            [BlobProvider.ApplicationProtocol] = _provider,
            [DocsProtocol.ApplicationProtocol] = Docs,
        });
    }

    public LiveNodeOptions Options { get; }

    public IrohEndpoint Endpoint { get; }

    public DocsProtocol Docs { get; }

    public IBlobStore Blobs { get; }

    /// <summary>Peers that may not sync, and may not hear of entries.</summary>
    public ConcurrentBag<EndpointId> Forbidden { get; } = [];

    public Document Document { get; private set; } = null!;

    public EndpointId Id => Endpoint.Id;

    /// <summary>With whom live updates are exchanged.</summary>
    public IReadOnlyCollection<EndpointId> Neighbors => [.. _neighbors.Keys];

    /// <summary>All entries of the document, in one number and one hash.</summary>
    public RangeSummary Summary => _store.Entries(Document.Id).Summarize(new RecordRange(RecordKey.Zero, RecordKey.Zero));

    /// <summary>With the ticket's document, or a new one.</summary>
    public static Task<LiveNode> StartAsync(DocTicket? ticket = null) => StartAsync(new LiveNodeOptions(), ticket);

    /// <summary>With the ticket's document, or a new one; or, where a directory has one already, with that.</summary>
    public static async Task<LiveNode> StartAsync(LiveNodeOptions options, DocTicket? ticket)
    {
        IrohEndpoint endpoint = await IrohEndpoint.BindAsync(new IrohEndpointOptions
        {
            SecretKey = options.Key,
            BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)],
            AddressLookups = options.Lookup is null ? [] : [options.Lookup],
        });
        options.Lookup?.Set(new Dns.EndpointRecord(endpoint.Address));
        var node = new LiveNode(endpoint, options);
        DocumentCapability? kept = node.Docs.ListDocuments() is [var there, ..] ? there : null;
        node.Document = kept is not null ? node.Docs.Open(kept.Id) : ticket is not null ? node.Docs.Import(ticket.Capability) : node.Docs.Create();
        node._following = node.FollowNeighborsAsync(node.Document.Subscribe());
        if (kept is not null || ticket is not null)
            node.Document.StartSync(ticket?.Nodes ?? []);
        return node;
    }

    public DocTicket Share() => Document.Share(allowWriting: true);

    public Task<SignedEntry> WriteAsync(string key, string text) =>
        Document.SetBytesAsync(Docs.DefaultAuthor, Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(text));

    /// <summary>Waits until a key has a content that is here.</summary>
    public Task UntilReadAsync(string key, string text) => UntilAsync(
        () => Find(key) is { } entry && entry.ContentHash == BlobHash.Of(Encoding.UTF8.GetBytes(text)) && Has(entry.ContentHash),
        () => $"'{key}' with its content; {(Find(key) is { } found ? $"its entry is there, the content is {Blobs.GetStatus(found.ContentHash).Presence}" : "there is no entry")}");

    public SignedEntry? Find(string key) => Document.Query(new DocumentQuery { Key = KeyFilter.Exact(Encoding.UTF8.GetBytes(key)) }).FirstOrDefault();

    /// <summary>All entries, deletions included.</summary>
    public IReadOnlyList<SignedEntry> Entries() => [.. Document.Query(new DocumentQuery { IncludeEmpty = true })];

    /// <summary>Whether an entry is here, or one that covers it.</summary>
    public bool IsCovered(SignedEntry entry) => CoverSearch.Find(_store.Entries(Document.Id), entry) is not null;

    /// <summary>Whether a content is here as a whole.</summary>
    public bool Has(BlobHash content) => Blobs.GetStatus(content).Presence == BlobPresence.Complete;

    public async Task UntilAsync(Func<bool> condition, Func<string> what)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!condition())
        {
            if (patience.IsCancellationRequested)
                throw new TimeoutException($"{Id.ToShortString()} has no {what()}");
            await Task.Delay(20);
        }
    }

    /// <summary>Goes without a word, as if the power had failed; what is on disk is still closed as it should be.</summary>
    public Task VanishAsync()
    {
        if (_socket is not null)
            Options.Cuts!.BeginClose(_socket, silently: true);
        return _disposal.Value;
    }

    /// <summary>Goes without a farewell, as a process that is killed: connections end.</summary>
    public async Task CrashAsync()
    {
        if (_socket is not null)
            Options.Cuts!.BeginClose(_socket, silently: false);
        await Endpoint.DisposeAsync();
        await _disposal.Value;
    }

    public ValueTask DisposeAsync()
    {
        if (_socket is { IsClosing: false })
            Options.Cuts!.BeginClose(_socket, silently: false);
        return new ValueTask(_disposal.Value);
    }

    private async Task FollowNeighborsAsync(IAsyncEnumerable<DocumentEvent> events)
    {
        await foreach (DocumentEvent what in events)
        {
            if (what is DocumentEvent.NeighborUp up)
                _neighbors.TryAdd(up.Peer, true);
            else if (what is DocumentEvent.NeighborDown down)
                _neighbors.TryRemove(down.Peer, out _);
        }
    }

    private async Task StopAsync()
    {
        await Docs.DisposeAsync();
        await _following;
        await _gossip.DisposeAsync();
        await _router.DisposeAsync();
        await _sources.DisposeAsync();
        await Endpoint.DisposeAsync();
        if (_socket is not null)
            Options.Cuts!.Remove(_socket);
        _downloader.Dispose();
        _provider.Dispose();
        _store.Dispose();
        await Blobs.DisposeAsync();
    }
}
