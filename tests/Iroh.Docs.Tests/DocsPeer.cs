using Iroh.Base;
using Iroh.Blobs;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;
using Iroh.Docs.Store;
using Iroh.Protocols;

namespace Iroh.Docs;

/// <summary>An endpoint on the loopback interface with documents and blobs.</summary>
internal sealed class DocsPeer : IAsyncDisposable
{
    private readonly ProtocolRouter _router;
    private readonly IrohBlobSources _sources;
    private readonly BlobDownloader _downloader;
    private readonly BlobProvider _provider;

    private DocsPeer(IrohEndpoint endpoint, IDocumentStore store, DocsOptions? options)
    {
        Endpoint = endpoint;
        Store = store;
        _sources = new IrohBlobSources(endpoint);
        _downloader = new BlobDownloader(Blobs);
        _provider = new BlobProvider(Blobs);
        Docs = new DocsProtocol(endpoint, store, Blobs, new ContentFetcher(_downloader, _sources), options);
        _router = new ProtocolRouter(endpoint, new Dictionary<string, IProtocolHandler>
        {
            [DocsProtocol.ApplicationProtocol] = Docs,
            [BlobProvider.ApplicationProtocol] = _provider,
        });
    }

    internal IrohEndpoint Endpoint { get; }

    internal IDocumentStore Store { get; }

    internal IBlobStore Blobs { get; } = new MemoryBlobStore();

    internal DocsProtocol Docs { get; }

    /// <summary>The text of a content that is here.</summary>
    internal async Task<string> ReadTextAsync(BlobHash content)
    {
        using IBlobContent opened = Blobs.TryOpen(content) ?? throw new InvalidOperationException($"{content} is not here");
        await using Stream stream = opened.OpenStream();
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }

    internal static async Task<DocsPeer> StartAsync(IDocumentStore? store = null, DocsOptions? options = null, SecretKey? key = null)
    {
        IrohEndpoint endpoint = await IrohEndpoint.BindAsync(new IrohEndpointOptions
        {
            SecretKey = key ?? SecretKey.Generate(),
            BindAddresses = [new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0)],
            UseRelays = false,
            MapPorts = false,
        });
        return new DocsPeer(endpoint, store ?? new MemoryDocumentStore(), options);
    }

    public async ValueTask DisposeAsync()
    {
        await _router.DisposeAsync();
        await Docs.DisposeAsync();
        await _sources.DisposeAsync();
        _downloader.Dispose();
        _provider.Dispose();
        await Endpoint.DisposeAsync();
        Store.Dispose();
        await Blobs.DisposeAsync();
    }
}
