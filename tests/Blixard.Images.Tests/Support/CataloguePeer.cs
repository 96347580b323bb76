using Blixard.Images.Catalogue;
using Iroh;
using Iroh.Base;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;
using Iroh.Docs;
using Iroh.Docs.Store;
using Iroh.Gossip;
using Iroh.Protocols;

namespace Blixard.Images.Tests.Support;

/// <summary>A node on the loopback interface with a catalogue.</summary>
internal sealed class CataloguePeer : IAsyncDisposable
{
    private readonly MemoryDocumentStore _documents = new();
    private readonly MemoryBlobStore _blobs = new();
    private readonly IrohBlobSources _sources;
    private readonly BlobDownloader _downloader;
    private readonly BlobProvider _provider;
    private readonly GossipProtocol _gossip;
    private readonly DocsProtocol _docs;
    private readonly ProtocolRouter _router;
    private readonly Document _document;

    private CataloguePeer(string name, IrohEndpoint endpoint, NamespaceSecret secret, TimeProvider? time)
    {
        (Name, Endpoint) = (name, endpoint);
        _sources = new IrohBlobSources(endpoint);
        _downloader = new BlobDownloader(_blobs);
        _provider = new BlobProvider(_blobs);
        _gossip = new GossipProtocol(endpoint);
        _docs = new DocsProtocol(
            endpoint, _documents, _blobs, new ContentFetcher(_downloader, _sources), new DocsOptions { TimeProvider = time ?? TimeProvider.System }, _gossip);
        _router = new ProtocolRouter(endpoint, new Dictionary<string, IProtocolHandler>
        {
            [DocsProtocol.ApplicationProtocol] = _docs,
            [BlobProvider.ApplicationProtocol] = _provider,
            [GossipProtocol.ApplicationProtocol] = _gossip,
        });
        _document = _docs.Import(DocumentCapability.Write(secret));
        var names = Author.FromSeed(secret.Seed);
        _documents.ImportAuthor(names);
        Names = names.Id;
    }

    public string Name { get; }

    public IrohEndpoint Endpoint { get; }

    public CatalogueDocument Catalogue { get; private set; } = null!;

    /// <summary>The author whose secret all members know.</summary>
    public AuthorId Names { get; }

    /// <summary>This node's own author.</summary>
    public AuthorId Own => _docs.DefaultAuthor;

    public Document Document => _document;

    public CatalogueHolder Holder => new(Name, Endpoint.Id);

    public static async Task<CataloguePeer> StartAsync(string name, NamespaceSecret secret, TimeProvider? time = null)
    {
        IrohEndpoint endpoint = await IrohEndpoint.BindAsync(new IrohEndpointOptions
        {
            SecretKey = SecretKey.Generate(),
            BindAddresses = [new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0)],
            UseRelays = false,
            MapPorts = false,
        });
        var peer = new CataloguePeer(name, endpoint, secret, time);
        peer.Catalogue = await CatalogueDocument.OpenAsync(peer._document, peer._blobs, peer._docs.DefaultAuthor, TimeProvider.System);
        return peer;
    }

    /// <summary>Says a name by this node's own author, as no member does.</summary>
    public Task SayAsync(CatalogueImage image) => _document.SetBytesAsync(Own, CatalogueKey.OfImage(image.Name, image.Tag), image.ToBytes());

    public void Sync(params IEnumerable<CataloguePeer> others) => _document.StartSync(others.Select(other => other.Endpoint.Address));

    public async Task UntilAsync(Func<CatalogueSnapshot, bool> condition, string what)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!condition(Catalogue.Current))
        {
            if (limit.IsCancellationRequested)
                Assert.Fail($"{Name} did not see within 60 s: {what}");
            await Task.Delay(20, CancellationToken.None);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Catalogue.DisposeAsync();
        await _router.DisposeAsync();
        await _docs.DisposeAsync();
        await _gossip.DisposeAsync();
        await _sources.DisposeAsync();
        _downloader.Dispose();
        _provider.Dispose();
        await Endpoint.DisposeAsync();
        _documents.Dispose();
        await _blobs.DisposeAsync();
    }
}
