using System.Net;
using System.Text;
using Iroh.Base;
using Iroh.Blobs;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;
using Iroh.Docs.Store;
using Iroh.Gossip;
using Iroh.Protocols;

namespace Iroh.Docs.Live;

/// <summary>An endpoint on loopback with blobs, gossip and documents in memory.</summary>
internal sealed class LiveNode : IAsyncDisposable
{
    private readonly ProtocolRouter _router;
    private readonly MemoryDocumentStore _store = new();
    private readonly GossipProtocol _gossip;
    private readonly BlobProvider _provider;
    private readonly BlobDownloader _downloader;
    private readonly IrohBlobSources _sources;
    private readonly Lazy<Task> _disposal;

    private LiveNode(IrohEndpoint endpoint)
    {
        Endpoint = endpoint;
        _disposal = new Lazy<Task>(StopAsync);
        _gossip = new GossipProtocol(endpoint);
        _provider = new BlobProvider(Blobs);
        _downloader = new BlobDownloader(Blobs);
        _sources = new IrohBlobSources(endpoint);
        var options = new DocsOptions { Authorize = (peer, _) => !Forbidden.Contains(peer) };
        Docs = new DocsProtocol(endpoint, _store, Blobs, new ContentFetcher(_downloader, _sources), options, _gossip);
        _router = new ProtocolRouter(endpoint, new Dictionary<string, IProtocolHandler>
        {
            [GossipProtocol.ApplicationProtocol] = _gossip,
            [BlobProvider.ApplicationProtocol] = _provider,
            [DocsProtocol.ApplicationProtocol] = Docs,
        });
    }

    public IrohEndpoint Endpoint { get; }

    public DocsProtocol Docs { get; }

    public MemoryBlobStore Blobs { get; } = new();

    /// <summary>Peers that may not sync, and may not hear of entries.</summary>
    public System.Collections.Concurrent.ConcurrentBag<EndpointId> Forbidden { get; } = [];

    public Document Document { get; private set; } = null!;

    public EndpointId Id => Endpoint.Id;

    public static async Task<LiveNode> StartAsync(DocTicket? ticket = null)
    {
        var node = new LiveNode(await IrohEndpoint.BindAsync(new IrohEndpointOptions { BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)] }));
        node.Document = ticket is null ? node.Docs.Create() : node.Docs.Import(ticket);
        return node;
    }

    public DocTicket Share() => Document.Share(allowWriting: true);

    public Task WriteAsync(string key, string text) => Document.SetBytesAsync(Docs.DefaultAuthor, Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(text));

    /// <summary>Waits until a key has a content that is here.</summary>
    public Task UntilReadAsync(string key, string text) => UntilAsync(
        () => Find(key) is { } entry && entry.ContentHash == BlobHash.Of(Encoding.UTF8.GetBytes(text)) && Blobs.GetStatus(entry.ContentHash).Presence == BlobPresence.Complete,
        $"'{key}' with its content; {(Find(key) is { } found ? $"its entry is there, the content is {Blobs.GetStatus(found.ContentHash).Presence}" : "there is no entry")}");

    public SignedEntry? Find(string key) => Document.Query(new DocumentQuery { Key = KeyFilter.Exact(Encoding.UTF8.GetBytes(key)) }).FirstOrDefault();

    public async Task UntilAsync(Func<bool> condition, string what)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!condition())
        {
            if (patience.IsCancellationRequested)
                throw new TimeoutException($"{Id.ToShortString()} has no {what}");
            await Task.Delay(20);
        }
    }

    public ValueTask DisposeAsync() => new(_disposal.Value);

    private async Task StopAsync()
    {
        await Docs.DisposeAsync();
        await _gossip.DisposeAsync();
        await _router.DisposeAsync();
        await _sources.DisposeAsync();
        await Endpoint.DisposeAsync();
        _downloader.Dispose();
        _provider.Dispose();
        _store.Dispose();
        await Blobs.DisposeAsync();
    }
}
