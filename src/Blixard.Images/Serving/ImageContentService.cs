using System.Buffers;
using System.Runtime.CompilerServices;
using Blixard.Images.Blobs;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Blixard.V1;
using Google.Protobuf;
using Iroh.Blobs;
using Microsoft.Win32.SafeHandles;

namespace Blixard.Images.Serving;

/// <summary>Gives out a store's content: the handlers of <c>Image.FetchChunks</c> and <c>Image.GetGroupHashes</c>. Who may call is decided
/// before. Thread-safe.</summary>
public sealed class ImageContentService
{
    /// <summary>Bytes of content in a message: sixteen to a group, and small enough that buffers are not large objects for the collector.</summary>
    public const int PieceLength = 64 * 1024;

    private readonly BlobStore _store;

    /// <summary>A service over a store.</summary>
    public ImageContentService(BlobStore store) => _store = store;

    /// <summary>Binds both handlers. The service's other methods are bound by whoever has the catalogue.</summary>
    /// <param name="service">The Image service.</param>
    /// <returns><paramref name="service"/>.</returns>
    public RpcService Bind(RpcService service)
    {
        ArgumentNullException.ThrowIfNull(service);
        return service
            .ServerStreaming(ImageMethods.FetchChunks, (request, context) => FetchChunksAsync(request, context.CancellationToken))
            .ServerStreaming(ImageMethods.GetGroupHashes, (request, context) => GetGroupHashesAsync(request, context.CancellationToken));
    }

    private async IAsyncEnumerable<FetchChunksResponse> FetchChunksAsync(
        FetchChunksRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        BlobHash hash = HashOf(request.Hash);
        using SafeFileHandle file = Open(hash, out long size);
        if (request.Offset >= (ulong)size || request.LengthBytes > (ulong)size - request.Offset)
            throw new RpcException(
                RpcStatusCode.OutOfRange,
                $"blob {hash} has {size} bytes; {request.LengthBytes} from {request.Offset} on were asked for");
        long next = (long)request.Offset;
        long end = request.LengthBytes == 0 ? size : next + (long)request.LengthBytes;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(PieceLength);
        try
        {
            while (next < end)
            {
                Memory<byte> piece = buffer.AsMemory(0, (int)Math.Min(PieceLength, end - next));
                if (await BlobContent.ReadFullAsync(file, piece, next, cancellationToken).ConfigureAwait(false) != piece.Length)
                    throw new RpcException(RpcStatusCode.DataLoss, $"blob {hash} ends early on this disk");

                // The transport encodes a message before it asks for the next, so the buffer may be used again.
                yield return new FetchChunksResponse { Offset = (ulong)next, Data = UnsafeByteOperations.UnsafeWrap(piece) };
                next += piece.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async IAsyncEnumerable<GetGroupHashesResponse> GetGroupHashesAsync(
        GetGroupHashesRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        BlobHash hash = HashOf(request.Hash);
        if (!_store.TryGetSize(hash, out long size))
            throw NotFound(hash);
        byte[] list;
        try
        {
            list = await _store.GetGroupListAsync(hash, cancellationToken).ConfigureAwait(false) ?? throw NotFound(hash);
        }
        catch (DamagedBlobException e)
        {
            throw new RpcException(RpcStatusCode.DataLoss, e.Message, inner: e);
        }

        for (int at = 0; at < list.Length; at += PieceLength)
        {
            yield return new GetGroupHashesResponse
            {
                Hashes = UnsafeByteOperations.UnsafeWrap(list.AsMemory(at, Math.Min(PieceLength, list.Length - at))),
                TotalBytes = at == 0 ? (ulong)size : 0,
            };
        }
    }

    private static BlobHash HashOf(ByteString bytes) => BlobHash.TryRead(bytes.Span, out BlobHash hash)
        ? hash
        : throw new RpcException(RpcStatusCode.InvalidArgument, $"a hash has {BlobHash.Length} bytes, not {bytes.Length}");

    private static RpcException NotFound(BlobHash hash) => new(RpcStatusCode.NotFound, $"blob {hash} is not here");

    private SafeFileHandle Open(BlobHash hash, out long size)
    {
        try
        {
            return _store.TryOpen(hash, out size) ?? throw NotFound(hash);
        }
        catch (DamagedBlobException e)
        {
            throw new RpcException(RpcStatusCode.DataLoss, e.Message, inner: e);
        }
    }
}
