using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf;
using Iroh.Blobs;

namespace Blixard.Images.Fetching;

/// <summary>A peer's <c>blixard.v1.Image</c> service as a source of blobs.</summary>
public static class RpcBlobSource
{
    /// <summary>A source over a caller.</summary>
    /// <param name="name">The peer's name, for people.</param>
    /// <param name="caller">Calls the peer; not owned.</param>
    public static BlobSource Create(string name, IRpcCaller caller)
    {
        ArgumentNullException.ThrowIfNull(caller);
        return new BlobSource(
            name,
            (hash, offset, length, token) => ReadRangeAsync(caller, hash, offset, length, token),
            (hash, size, token) => ReadGroupListAsync(caller, hash, size, token));
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadRangeAsync(
        IRpcCaller caller, BlobHash hash, long offset, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var request = new FetchChunksRequest
        {
            Hash = ByteString.CopyFrom(hash.ToArray()),
            Offset = (ulong)offset,
            LengthBytes = (ulong)length,
        };
        ulong next = (ulong)offset;
        await foreach (FetchChunksResponse response in
            Translated(caller.StreamAsync(ImageMethods.FetchChunks, request, cancellationToken: cancellationToken)).ConfigureAwait(false))
        {
            if (response.Offset != next)
                throw new BlobSourceException(SourceFailureKind.Truncated, $"it sent byte {response.Offset} in place of {next}");
            next += (ulong)response.Data.Length;
            yield return response.Data.Memory;
        }
    }

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadGroupListAsync(
        IRpcCaller caller, BlobHash hash, long size, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var request = new GetGroupHashesRequest { Hash = ByteString.CopyFrom(hash.ToArray()) };
        bool isFirst = true;
        await foreach (GetGroupHashesResponse response in
            Translated(caller.StreamAsync(ImageMethods.GetGroupHashes, request, cancellationToken: cancellationToken)).ConfigureAwait(false))
        {
            if (isFirst && response.TotalBytes != (ulong)size)
                throw new BlobSourceException(SourceFailureKind.WrongSize, $"it says {response.TotalBytes} bytes, the manifest {size}");
            isFirst = false;
            yield return response.Hashes.Memory;
        }
    }

    private static async IAsyncEnumerable<T> Translated<T>(IAsyncEnumerable<T> responses)
    {
        await using IAsyncEnumerator<T> each = responses.GetAsyncEnumerator();
        while (true)
        {
            try
            {
                if (!await each.MoveNextAsync().ConfigureAwait(false))
                    yield break;
            }
            catch (RpcException e) when (e.StatusCode == RpcStatusCode.NotFound)
            {
                throw new BlobSourceException(SourceFailureKind.NotFound, e.Message, e);
            }
            catch (RpcException e) when (e.StatusCode == RpcStatusCode.OutOfRange)
            {
                throw new BlobSourceException(SourceFailureKind.WrongSize, e.Message, e);
            }
            yield return each.Current;
        }
    }
}
