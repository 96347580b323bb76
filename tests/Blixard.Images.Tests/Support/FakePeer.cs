using System.Runtime.CompilerServices;
using Blixard.Images.Blobs;
using Blixard.Images.Fetching;
using Iroh.Blobs;

namespace Blixard.Images.Tests.Support;

/// <summary>A peer in memory that can misbehave. Counts what it is asked.</summary>
internal sealed class FakePeer(string name)
{
    private readonly Dictionary<BlobHash, byte[]> _blobs = [];
    private int _rangeCalls;

    public const int PieceLength = 100_000;

    public BlobSource Source => new(name, ReadRangeAsync, ReadGroupListAsync);

    public int RangeCalls => _rangeCalls;

    public List<(long Offset, long Length)> Asked { get; } = [];

    /// <summary>Sees and may change each piece on its way; its arguments are the offset in the blob and the piece.</summary>
    public Func<long, byte[], byte[]>? Piece { get; set; }

    /// <summary>Runs before each piece is sent.</summary>
    public Func<long, CancellationToken, Task>? BeforePiece { get; set; }

    public Func<byte[], byte[]>? GroupList { get; set; }

    public static byte[] GroupListOf(byte[] content)
    {
        using var list = new MemoryStream();
        for (int i = 0; i < ChunkGroups.Count(content.Length); i++)
        {
            int length = ChunkGroups.LengthAt(content.Length, i);
            list.Write(ChunkGroups.Hash(content.AsSpan(i * ChunkGroups.GroupLength, length), i, content.Length <= ChunkGroups.GroupLength).ToArray());
        }
        return list.ToArray();
    }

    public BlobHash Give(byte[] content)
    {
        BlobHash hash = BlobHash.Of(content);
        _blobs[hash] = content;
        return hash;
    }

    private async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadRangeAsync(
        BlobHash hash, long offset, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _rangeCalls);
        if (!_blobs.TryGetValue(hash, out byte[]? content))
            throw new BlobSourceException(SourceFailureKind.NotFound, "no");
        lock (Asked)
            Asked.Add((offset, length));
        long end = length == 0 ? content.Length : offset + length;
        for (long at = offset; at < end; at += PieceLength)
        {
            if (BeforePiece is not null)
                await BeforePiece(at, cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
            byte[] piece = content[(int)at..(int)Math.Min(end, at + PieceLength)];
            yield return Piece is null ? piece : Piece(at, piece);
        }
    }

    private async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadGroupListAsync(
        BlobHash hash, long size, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.Yield();
        cancellationToken.ThrowIfCancellationRequested();
        if (!_blobs.TryGetValue(hash, out byte[]? content))
            throw new BlobSourceException(SourceFailureKind.NotFound, "no");
        byte[] list = GroupListOf(content);
        yield return GroupList is null ? list : GroupList(list);
    }
}
