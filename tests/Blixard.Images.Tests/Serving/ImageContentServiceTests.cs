using Blixard.Images.Blobs;
using Blixard.Images.Fetching;
using Blixard.Images.Manifests;
using Blixard.Images.Serving;
using Blixard.Images.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf;
using Iroh.Blobs;

namespace Blixard.Images.Tests.Serving;

public sealed class ImageContentServiceTests : IAsyncDisposable
{
    private const int Group = ChunkGroups.GroupLength;

    private readonly TestDirectory _directory = new();
    private readonly ImagePeer _peer;

    public ImageContentServiceTests() =>
        _peer = new ImagePeer("node-a", ImageStore.Open(_directory.Store("there"), TimeProvider.System));

    public async ValueTask DisposeAsync()
    {
        await _peer.DisposeAsync();
        _directory.Dispose();
    }

    private async Task<ImageManifest> AddAsync() => await _peer.Images.AddAsync(
        new ImageFiles
        {
            Name = "demo",
            Architecture = "x86_64",
            KernelPath = _directory.Write("vmlinuz", TestDirectory.Content(1, 70_000)),
            DiskPaths = [_directory.Write("root.raw", TestDirectory.Content(2, (2 * Group) + 123))],
        },
        null, default);

    private Task<List<FetchChunksResponse>> ChunksAsync(BlobHash hash, ulong offset, ulong length) => _peer.Caller.StreamAsync(
        ImageMethods.FetchChunks,
        new FetchChunksRequest { Hash = ByteString.CopyFrom(hash.ToArray()), Offset = offset, LengthBytes = length }).ToListAsync().AsTask();

    [Fact]
    public async Task An_image_travels_from_node_to_node()
    {
        ImageManifest image = await AddAsync();
        ImageStore here = ImageStore.Open(_directory.Store("here"), TimeProvider.System);
        var store = new P2pImageStore(here, new BlobFetcher(here.Blobs, TimeProvider.System), TimeProvider.System);

        LocalImage local = await store.EnsureAsync(image.Hash, [_peer.Source], null, default);

        Assert.Equal(TestDirectory.Content(1, 70_000), File.ReadAllBytes(local.KernelPath));
        Assert.Equal(TestDirectory.Content(2, (2 * Group) + 123), File.ReadAllBytes(local.DiskPaths[0]));
    }

    [Fact]
    public async Task A_range_comes_in_order_in_bounded_pieces()
    {
        ImageManifest image = await AddAsync();

        List<FetchChunksResponse> pieces = await ChunksAsync(image.Parts[1].Hash, 1000, 200_000);

        Assert.All(pieces, piece => Assert.InRange(piece.Data.Length, 1, ImageContentService.PieceLength));
        Assert.Equal(1000UL, pieces[0].Offset);
        Assert.Equal(TestDirectory.Content(2, (2 * Group) + 123)[1000..201_000], pieces.SelectMany(piece => piece.Data));
    }

    [Fact]
    public async Task What_is_not_here_or_lies_outside_is_refused_by_code()
    {
        ImageManifest image = await AddAsync();
        BlobHash disk = image.Parts[1].Hash;
        const ulong Size = (2 * Group) + 123;

        foreach ((ulong offset, ulong length) in ((ulong, ulong)[])[(Size, 0), (Size, 1), (0, Size + 1), (ulong.MaxValue, 2), (1, ulong.MaxValue)])
            Assert.Equal(RpcStatusCode.OutOfRange, (await Assert.ThrowsAsync<RpcException>(() => ChunksAsync(disk, offset, length))).StatusCode);
        Assert.Equal(
            RpcStatusCode.NotFound,
            (await Assert.ThrowsAsync<RpcException>(() => ChunksAsync(BlobHash.Of("x"u8), 0, 0))).StatusCode);
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => _peer.Caller.StreamAsync(
            ImageMethods.GetGroupHashes, new GetGroupHashesRequest { Hash = ByteString.CopyFrom(1, 2) }).ToListAsync().AsTask());
        Assert.Equal(RpcStatusCode.InvalidArgument, e.StatusCode);
        e = await Assert.ThrowsAsync<RpcException>(() => _peer.Caller.StreamAsync(
            ImageMethods.GetGroupHashes, new GetGroupHashesRequest { Hash = ByteString.CopyFrom(new byte[32]) }).ToListAsync().AsTask());
        Assert.Equal(RpcStatusCode.NotFound, e.StatusCode);
    }

    [Fact]
    public async Task A_peer_without_the_blob_or_with_another_size_is_named_with_the_reason()
    {
        ImageManifest image = await AddAsync();
        ImageStore here = ImageStore.Open(_directory.Store("here"), TimeProvider.System);
        var fetcher = new BlobFetcher(here.Blobs, TimeProvider.System);

        await Assert.ThrowsAsync<BlobNotFoundException>(
            () => fetcher.FetchAsync(BlobHash.Of("x"u8), 5 * Group, [_peer.Source], null, default));
        BlobFetchException e = await Assert.ThrowsAsync<BlobFetchException>(
            () => fetcher.FetchAsync(image.Parts[1].Hash, 5 * Group, [_peer.Source], null, default));
        Assert.Equal(SourceFailureKind.WrongSize, Assert.Single(e.Failures).Kind);
    }

    [Fact]
    public async Task A_blob_that_is_damaged_where_it_is_served_harms_nobody()
    {
        ImageManifest image = await AddAsync();
        Assert.True(_peer.Images.TryGetLocal(image.Hash, out LocalImage? there));
        byte[] content = File.ReadAllBytes(there.DiskPaths[0]);
        content[Group + 7] ^= 1;
        File.SetUnixFileMode(there.DiskPaths[0], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllBytes(there.DiskPaths[0], content);
        ImageStore here = ImageStore.Open(_directory.Store("here"), TimeProvider.System);
        var store = new P2pImageStore(here, new BlobFetcher(here.Blobs, TimeProvider.System), TimeProvider.System);

        CorruptChunkException e = await Assert.ThrowsAsync<CorruptChunkException>(
            () => store.EnsureAsync(image.Hash, [_peer.Source], null, default));
        Assert.Equal((image.Parts[1].Hash, (long)Group, "node-a"), (e.Hash, e.Offset, e.Peer));

        File.WriteAllBytes(there.DiskPaths[0], content[..100]);
        BlobFetchException truncated = await Assert.ThrowsAsync<BlobFetchException>(
            () => store.EnsureAsync(image.Hash, [_peer.Source], null, default));
        Assert.Contains("damaged on this disk", truncated.Message);
    }
}
