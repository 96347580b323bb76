using Iroh.Base;
using Iroh.Blobs;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;
using Iroh.Docs.Store;
using Iroh.Protocols;

namespace Iroh.Docs;

/// <summary>An endpoint on the loopback interface with documents and blobs.</summary>
internal sealed class Peer : IAsyncDisposable
{
    private readonly ProtocolRouter _router;
    private readonly IrohBlobSources _sources;
    private readonly BlobDownloader _downloader;

    private Peer(IrohEndpoint endpoint, IDocumentStore store, DocsOptions? options)
    {
        Endpoint = endpoint;
        Store = store;
        _sources = new IrohBlobSources(endpoint);
        _downloader = new BlobDownloader(Blobs);
        Docs = new DocsProtocol(endpoint, store, Blobs, new ContentFetcher(_downloader, _sources), options);
        _router = new ProtocolRouter(endpoint, new Dictionary<string, IProtocolHandler>
        {
            [DocsProtocol.ApplicationProtocol] = Docs,
            [BlobProvider.ApplicationProtocol] = new BlobProvider(Blobs),
        });
    }

    internal IrohEndpoint Endpoint { get; }

    internal IDocumentStore Store { get; }

    internal IBlobStore Blobs { get; } = new MemoryBlobStore();

    internal DocsProtocol Docs { get; }

    internal static async Task<Peer> StartAsync(IDocumentStore? store = null, DocsOptions? options = null, SecretKey? key = null)
    {
        IrohEndpoint endpoint = await IrohEndpoint.BindAsync(new IrohEndpointOptions
        {
            SecretKey = key ?? SecretKey.Generate(),
            BindAddresses = [new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0)],
        });
        return new Peer(endpoint, store ?? new MemoryDocumentStore(), options);
    }

    public async ValueTask DisposeAsync()
    {
        await _router.DisposeAsync();
        await Docs.DisposeAsync();
        await _sources.DisposeAsync();
        _downloader.Dispose();
        await Endpoint.DisposeAsync();
        Store.Dispose();
        await Blobs.DisposeAsync();
    }
}
