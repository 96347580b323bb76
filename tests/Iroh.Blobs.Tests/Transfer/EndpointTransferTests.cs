using System.Net;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Blobs.Formats;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Requests;
using Iroh.Blobs.Store;
using Iroh.Blobs.Tests.Provider;
using Iroh.Blobs.Transfer;
using Iroh.Cryptography;
using Iroh.Protocols;
using Iroh.Quic;

namespace Iroh.Blobs.Tests.Transfer;

/// <summary>The same over real endpoints on loopback.</summary>
public sealed class EndpointTransferTests : IAsyncLifetime
{
    private static readonly byte[] s_content = CapturedRequestTests.Pattern(12_000_000);

    private readonly MemoryBlobStore _store = new();
    private readonly HashAndFormat _blob = new(BlobHash.Of(s_content), BlobFormat.Raw);
    private readonly List<Node> _nodes = [];
    private IrohEndpoint _endpoint = null!;
    private IrohBlobSources _sources = null!;

    private static CancellationToken Cancel => Patience.Token;

    public async ValueTask InitializeAsync()
    {
        _endpoint = await IrohEndpoint.BindAsync(new IrohEndpointOptions { BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)] });
        _sources = new IrohBlobSources(_endpoint);
    }

    public async ValueTask DisposeAsync()
    {
        await _sources.DisposeAsync();
        await _endpoint.DisposeAsync();
        foreach (Node node in _nodes)
            await node.DisposeAsync();
        await _store.DisposeAsync();
    }

    [Fact]
    public async Task Three_nodes_deliver_and_one_that_is_closed_on_the_way_does_not_stop_it()
    {
        for (int i = 0; i < 3; i++)
            await StartAsync(new BlobProviderOptions { BytesPerSecond = 4_000_000 });
        Task? closing = null;
        DownloadProgress? last = null;
        using var downloader = new BlobDownloader(_store);
        await downloader.DownloadAsync(
            _blob, _nodes.Select((node, i) => _sources.Create(node.Address, $"node {i}")),
            new Told<DownloadProgress>(report =>
            {
                last = report;
                if (report.Present > 2_000_000 && report.Sources.Any(static source => source.Name == "node 1" && source.Bytes > 0))
                    closing ??= _nodes[1].DisposeAsync().AsTask();
            }),
            Cancel);
        await Patience.ForAsync(closing!, "the node is closed");
        Assert.True(_store.GetStatus(_blob.Hash).IsComplete);
        Assert.All(last!.Sources, static source => Assert.True(source.Bytes > 0, $"{source.Name} was not used"));
    }

    [Fact]
    public async Task Requests_to_one_node_share_a_connection_which_is_dialled_again_when_it_was_lost()
    {
        Node node = await StartAsync(null);
        IBlobSource first = _sources.Create(node.Address, "one"), second = _sources.Create(node.Address, "two");
        var getter = new BlobGetter(_store);
        await Task.WhenAll(getter.GetSizeAsync(first, _blob.Hash, Cancel), getter.GetSizeAsync(second, _blob.Hash, Cancel));
        Assert.Equal(1, node.Connections);
        await node.CloseConnectionsAsync();
        // Until this end has heard of it a request would go out on the old one.
        using var limit = new CancellationTokenSource(Patience.Limit);
        while (_sources.OpenConnections > 0)
        {
            Assert.False(limit.IsCancellationRequested, "the loss of the connection was not heard of within 60 s");
            await Task.Delay(1, Cancel);
        }

        await getter.GetAsync(first, _blob, null, Cancel);
        Assert.True(_store.GetStatus(_blob.Hash).IsComplete);
        Assert.Equal(2, node.Connections);
    }

    [Fact]
    public async Task Requests_of_chance_do_not_hurt_the_connection_on_which_they_come()
    {
        Node node = await StartAsync(new BlobProviderOptions { AllowPush = true });
        await using IrohConnection connection = await _endpoint.ConnectAsync(node.Address, BlobProvider.ApplicationProtocol, Cancel);
        const ulong Seed = 5;
        var random = new SeededRandomSource(Seed);
        byte[] good = GetRequest.OfBlob(_blob.Hash, Ranges.ChunkRanges.LastChunk).ToBytes();
        for (int i = 0; i < 100; i++)
        {
            byte[] request = [.. good];
            if (random.NextBelow(2) == 0)
                random.Fill(request.AsSpan((int)random.NextBelow((ulong)request.Length)));
            else
                request[random.NextBelow((ulong)request.Length)] ^= (byte)(1 << (int)random.NextBelow(8));
            request[0] = request[0] == (byte)BlobRequestType.Observe ? (byte)0 : request[0];
            await AskAsync(connection, request, random.NextBelow(4) == 0);
        }

        // The connection still serves.
        Assert.True(await AskAsync(connection, good, false) > 1000, $"seed {Seed}");
    }

    [Fact]
    public async Task A_node_that_cannot_be_reached_is_said_to_be_lost()
    {
        Node node = await StartAsync(null);
        EndpointAddress address = node.Address;
        await node.DisposeAsync();
        using var downloader = new BlobDownloader(_store, new BlobTransferOptions { StallTimeout = TimeSpan.FromSeconds(1) });
        BlobDownloadException exception = await Assert.ThrowsAsync<BlobDownloadException>(
            () => downloader.DownloadAsync(_blob, [_sources.Create(address, "gone")], null, Cancel));
        Assert.True(exception.Failure is BlobTransferFailure.Lost or BlobTransferFailure.Stalled, exception.Message);
    }

    [Fact]
    public async Task Several_blobs_come_in_one_request()
    {
        Node node = await StartAsync(null);
        byte[][] contents = [CapturedRequestTests.Pattern(100), CapturedRequestTests.Pattern(300_000), CapturedRequestTests.Pattern(70_001)];
        BlobHash[] hashes = [.. contents.Select(static content => BlobHash.Of(content)), _blob.Hash];
        foreach (byte[] content in contents)
            (await node.Store.AddBytesAsync(content, cancellationToken: Cancel)).Dispose();
        await new BlobGetter(_store).GetManyAsync(_sources.Create(node.Address), hashes, null, Cancel);
        Assert.All(hashes, hash => Assert.True(_store.GetStatus(hash).IsComplete));
    }

    [Fact]
    public async Task A_collection_is_pushed_to_a_node_that_takes_it_and_to_no_other()
    {
        Node open = await StartAsync(new BlobProviderOptions { AllowPush = true }), closed = await StartAsync(null);
        byte[][] contents = [CapturedRequestTests.Pattern(100), CapturedRequestTests.Pattern(3_000_000), CapturedRequestTests.Pattern(70_001)];
        var collection = new Collection([.. contents.Select(static (content, i) => new CollectionEntry($"file {i}", BlobHash.Of(content)))]);
        byte[] root = collection.ToHashSequence().Bytes.ToArray();
        var tags = new List<TempTag>();
        foreach (byte[] blob in (byte[][])[.. contents, collection.NamesToBytes(), root])
            tags.Add(await _store.AddBytesAsync(blob, cancellationToken: Cancel));
        var content = new HashAndFormat(BlobHash.Of(root), BlobFormat.HashSequence);
        BlobPushReport report = await new BlobPusher(_store).PushAsync(_sources.Create(open.Address), content, null, Cancel);
        Assert.Equal((5, true), (report.Blobs, report.IsConfirmed));
        Assert.All(contents, child => Assert.True(open.Store.GetStatus(BlobHash.Of(child)).IsComplete));

        BlobTransferException refused = await Assert.ThrowsAsync<BlobTransferException>(
            () => new BlobPusher(_store).PushAsync(_sources.Create(closed.Address), content, null, Cancel));
        Assert.Equal(BlobTransferFailure.Refused, refused.Failure);
        Assert.Single(closed.Store.List());
        tags.ForEach(static tag => tag.Dispose());
    }

    [Fact]
    public async Task A_node_that_is_closed_while_it_is_pushed_to_is_said_to_be_lost_and_keeps_what_came()
    {
        Node node = await StartAsync(new BlobProviderOptions { AllowPush = true });
        byte[] content = CapturedRequestTests.Pattern(30_000_001);
        using TempTag tag = await _store.AddBytesAsync(content, cancellationToken: Cancel);
        Task? closing = null;
        var told = new Told<long>(_ =>
        {
            // Waited for, so that not all is sent before the node has closed.
            closing ??= Task.Run(node.CloseConnectionsAsync);
            Assert.True(closing.Wait(Patience.Limit), "the connection did not close within 60 s");
        });
        BlobTransferException exception = await Assert.ThrowsAsync<BlobTransferException>(
            () => new BlobPusher(_store).PushAsync(_sources.Create(node.Address), tag.Content, told, Cancel));
        Assert.True(exception.Failure is BlobTransferFailure.Lost or BlobTransferFailure.Aborted, exception.Message);

        // The next push brings the rest alone, as much as is still missing.
        long here = node.Store.GetStatus(tag.Hash).PresentBytes;
        BlobPushReport report = await new BlobPusher(_store).PushAsync(_sources.Create(node.Address), tag.Content, null, Cancel);
        Assert.True(node.Store.GetStatus(tag.Hash).IsComplete);
        Assert.InRange(report.BytesSent, 1, (content.Length - here) * 101 / 100 + 40_000);
    }

    /// <summary>Asks and reads to the end, however it comes. Returns the length of the answer.</summary>
    private static async Task<long> AskAsync(IrohConnection connection, byte[] request, bool aborts)
    {
        await using QuicStream stream = await connection.OpenBidirectionalStreamAsync(Cancel);
        var response = new MemoryStream();
        try
        {
            await stream.WriteAsync(request, Cancel);
            if (aborts)
                stream.Abort(QuicStreamSides.Both, 9);
            else
                stream.CompleteWrites();
            await stream.CopyToAsync(response, Cancel);
        }
        catch (Exception exception) when (exception is QuicStreamException or OperationCanceledException)
        {
            // Refused, or given up here.
        }

        return response.Length;
    }

    private async Task<Node> StartAsync(BlobProviderOptions? options)
    {
        Node node = await Node.StartAsync(options);
        _nodes.Add(node);
        return node;
    }

    /// <summary>An endpoint that provides the blob.</summary>
    private sealed class Node : IProtocolHandler, IAsyncDisposable
    {
        private readonly MemoryBlobStore _store = new();
        private readonly BlobProvider _provider;
        private readonly IrohEndpoint _endpoint;
        private readonly List<IrohConnection> _connections = [];
        private readonly Lazy<Task> _disposal;
        private ProtocolRouter _router = null!;

        private Node(IrohEndpoint endpoint, BlobProviderOptions? options)
        {
            _endpoint = endpoint;
            _provider = new BlobProvider(_store, options);
            _disposal = new Lazy<Task>(StopAsync);
        }

        public IBlobStore Store => _store;

        public EndpointAddress Address => new(_endpoint.Id, _endpoint.BoundSockets.Select(TransportAddress.Ip));

        public int Connections => _connections.Count;

        public static async Task<Node> StartAsync(BlobProviderOptions? options)
        {
            IrohEndpoint endpoint = await IrohEndpoint.BindAsync(new IrohEndpointOptions { BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)] });
            var node = new Node(endpoint, options);
            (await node._store.AddBytesAsync(s_content)).Dispose();
            node._router = new ProtocolRouter(endpoint, new Dictionary<string, IProtocolHandler> { [BlobProvider.ApplicationProtocol] = node });
            return node;
        }

        public async Task CloseConnectionsAsync()
        {
            foreach (IrohConnection connection in _connections.ToArray())
                await connection.CloseAsync(0, "for the test");
        }

        public Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken)
        {
            _connections.Add(connection);
            return _provider.AcceptAsync(connection, cancellationToken);
        }

        public ValueTask DisposeAsync() => new(_disposal.Value);

        private async Task StopAsync()
        {
            await _router.DisposeAsync();
            await _endpoint.DisposeAsync();
            _provider.Dispose();
            await _store.DisposeAsync();
        }
    }
}
