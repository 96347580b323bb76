using System.Net;
using System.Text.Json.Nodes;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Blobs.Formats;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Ranges;
using Iroh.Blobs.Store;
using Iroh.Blobs.Tests.Provider;
using Iroh.Blobs.Transfer;
using Iroh.Protocols;

namespace Iroh.Blobs.Tests.Interop;

/// <summary>The real iroh-blobs 0.35 gets from ours, and ours from it, over endpoints on loopback.</summary>
public sealed class RealBlobsTests(RealBlobsTests.PeerProcess process) : IClassFixture<RealBlobsTests.PeerProcess>, IAsyncLifetime
{
    private readonly MemoryBlobStore _store = new();
    private readonly List<TempTag> _tags = [];
    private IrohEndpoint _endpoint = null!;
    private BlobProvider _provider = null!;
    private ProtocolRouter _router = null!;
    private IrohBlobSources _sources = null!;
    private IBlobSource _theirs = null!;
    private EndpointAddress _theirAddress = null!;
    private int _node;

    private static CancellationToken Cancel => Patience.Token;

    private string[] OurAddresses => [.. _endpoint.BoundSockets.Select(static socket => socket.ToString())];

    public async ValueTask InitializeAsync()
    {
        _endpoint = await IrohEndpoint.BindAsync(new IrohEndpointOptions
        {
            BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)],
            ApplicationProtocols = [BlobProvider.ApplicationProtocol],
        });
        _provider = new BlobProvider(_store);
        _router = new ProtocolRouter(_endpoint, new Dictionary<string, IProtocolHandler> { [BlobProvider.ApplicationProtocol] = _provider });
        _sources = new IrohBlobSources(_endpoint);
        JsonNode started = await CallAsync("start", new { });
        _node = started["node"]!.GetValue<int>();
        _theirAddress = new EndpointAddress(
            EndpointId.Parse(started["nodeId"]!.GetValue<string>()),
            started["addresses"]!.AsArray().Select(static address => TransportAddress.Ip(IPEndPoint.Parse(address!.GetValue<string>()))));
        _theirs = _sources.Create(_theirAddress, "iroh-blobs 0.35");
        await CallAsync("know", new { node = _node, nodeId = _endpoint.Id.ToString(), addresses = OurAddresses });
    }

    public async ValueTask DisposeAsync()
    {
        await _sources.DisposeAsync();
        await CallAsync("stop", new { node = _node });
        await _router.DisposeAsync();
        await _endpoint.DisposeAsync();
        _provider.Dispose();
        _tags.ForEach(static tag => tag.Dispose());
        await _store.DisposeAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(11)]
    [InlineData(16385)]
    [InlineData(100_000)]
    public async Task Ours_gets_a_blob_from_theirs(int length)
    {
        byte[] content = CapturedRequestTests.Pattern(length);
        JsonNode added = await CallAsync("addBytes", new { node = _node, data = Convert.ToHexStringLower(content) });
        Assert.Equal(BlobHash.Of(content).ToString(), added["hash"]!.GetValue<string>());
        using var downloader = new BlobDownloader(_store);
        await downloader.DownloadAsync(new HashAndFormat(BlobHash.Of(content), BlobFormat.Raw), [_theirs], null, Cancel);
        await AssertHereAsync(content);
    }

    [Fact]
    public async Task Ours_gets_a_large_blob_from_theirs_and_goes_on_where_it_stopped()
    {
        byte[] content = CapturedRequestTests.Pattern(9_000_001);
        await AddFileToTheirsAsync(content);
        BlobHash hash = BlobHash.Of(content);
        await new BlobGetter(_store).GetRangesAsync(_theirs, hash, ChunkRanges.FromChunks(2000, 5000), Cancel);
        long here = _store.GetStatus(hash).PresentBytes;
        long received = 0;
        await new BlobGetter(_store).GetAsync(
            _theirs, new HashAndFormat(hash, BlobFormat.Raw), new Tests.Transfer.Told<long>(bytes => received = bytes), Cancel);
        Assert.InRange(here, 3_000_000, 3_300_000);
        Assert.InRange(received, 1, content.Length - 3_000_000);
        await AssertHereAsync(content);
    }

    [Fact]
    public async Task Ours_gets_a_collection_from_theirs_by_their_ticket()
    {
        (string Name, byte[] Content)[] files = [("a.txt", "hello world"u8.ToArray()), ("b.bin", CapturedRequestTests.Pattern(200_000)), ("empty", [])];
        var entries = new List<object>();
        foreach ((string name, byte[] content) in files)
            entries.Add(new { name, hash = (await CallAsync("addBytes", new { node = _node, data = Convert.ToHexStringLower(content) }))["hash"]!.GetValue<string>() });
        string root = (await CallAsync("addCollection", new { node = _node, entries }))["hash"]!.GetValue<string>();
        string text = (await CallAsync("ticket", new { node = _node, hash = root, format = "sequence" }))["ticket"]!.GetValue<string>();
        BlobTicket ticket = BlobTicket.Parse(text);
        Assert.Equal((root, BlobFormat.HashSequence, text), (ticket.Hash.ToString(), ticket.Format, ticket.ToString()));
        Assert.Equal(_theirAddress.Id, ticket.Address.Id);

        await new BlobGetter(_store).GetAsync(_sources.Create(ticket.Address), ticket.Content, null, Cancel);
        foreach ((_, byte[] content) in files)
            await AssertHereAsync(content);
    }

    [Fact]
    public async Task What_theirs_does_not_have_is_not_found()
    {
        var options = new BlobTransferOptions { WaitForContent = TimeSpan.Zero };
        using var downloader = new BlobDownloader(_store, options);
        BlobDownloadException exception = await Assert.ThrowsAsync<BlobDownloadException>(() => downloader.DownloadAsync(
            new HashAndFormat(BlobHash.Of("nobody has this"u8), BlobFormat.Raw), [_theirs], null, Cancel));
        Assert.Equal(BlobTransferFailure.NotFound, exception.Failure);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(11)]
    [InlineData(16385)]
    [InlineData(9_000_001)]
    public async Task Theirs_gets_a_blob_from_ours(int length)
    {
        byte[] content = CapturedRequestTests.Pattern(length);
        BlobHash hash = await AddAsync(content);
        await CallAsync("download", new { node = _node, hash = hash.ToString(), format = "raw", nodeId = _endpoint.Id.ToString(), addresses = OurAddresses });
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "blob");
        await CallAsync("writeFile", new { node = _node, hash = hash.ToString(), path });
        byte[] written = await File.ReadAllBytesAsync(path, Cancel);
        Assert.True(content.AsSpan().SequenceEqual(written));
    }

    [Fact]
    public async Task Theirs_gets_a_collection_from_ours_by_our_ticket()
    {
        byte[] content = CapturedRequestTests.Pattern(200_000);
        var collection = new Collection([new CollectionEntry("a", await AddAsync("hello"u8.ToArray())), new CollectionEntry("b", await AddAsync(content))]);
        await AddAsync(collection.NamesToBytes());
        BlobHash root = await AddAsync(collection.ToHashSequence().Bytes.ToArray());
        var ticket = new BlobTicket(
            new EndpointAddress(_endpoint.Id, _endpoint.BoundSockets.Select(TransportAddress.Ip)), root, BlobFormat.HashSequence);
        JsonNode parsed = await CallAsync("parseTicket", new { ticket = ticket.ToString() });
        Assert.Equal(ticket.ToString(), parsed["again"]!.GetValue<string>());
        Assert.True(parsed["recursive"]!.GetValue<bool>());

        await CallAsync("downloadTicket", new { node = _node, ticket = ticket.ToString() });
        JsonNode read = await CallAsync("readCollection", new { node = _node, hash = root.ToString() });
        Assert.Equal(
            collection.Entries.Select(static entry => (entry.Name, entry.Hash.ToString())),
            read["entries"]!.AsArray().Select(static entry => (entry!["name"]!.GetValue<string>(), entry["hash"]!.GetValue<string>())));
        JsonNode bytes = await CallAsync("readBytes", new { node = _node, hash = BlobHash.Of(content).ToString() });
        Assert.Equal(Convert.ToHexStringLower(content), bytes["data"]!.GetValue<string>());
    }

    private Task<JsonNode> CallAsync(string op, object arguments) => process.Peer.CallAsync(op, arguments, Cancel);

    private async Task<BlobHash> AddAsync(byte[] content)
    {
        TempTag tag = await _store.AddBytesAsync(content, cancellationToken: Cancel);
        _tags.Add(tag);
        return tag.Hash;
    }

    private async Task AddFileToTheirsAsync(byte[] content)
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "blob");
        await File.WriteAllBytesAsync(path, content, Cancel);
        await CallAsync("addFile", new { node = _node, path });
    }

    private async Task AssertHereAsync(byte[] content)
    {
        if (content.Length == 0)
            return;
        using IBlobContent here = _store.TryOpen(BlobHash.Of(content))!;
        Assert.True(here.Bitfield.IsComplete);
        var read = new byte[content.Length];
        await using Stream stream = here.OpenStream();
        await stream.ReadExactlyAsync(read, Cancel);
        Assert.True(content.AsSpan().SequenceEqual(read));
    }

    /// <summary>One process for all tests; each has a node of its own in it.</summary>
    public sealed class PeerProcess : IAsyncLifetime
    {
        internal IrohPeer Peer { get; private set; } = null!;

        public ValueTask InitializeAsync()
        {
            Peer = IrohPeer.StartWithBlobs();
            return ValueTask.CompletedTask;
        }

        public ValueTask DisposeAsync() => Peer.DisposeAsync();
    }

    private sealed class TemporaryFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("iroh-blobs-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
