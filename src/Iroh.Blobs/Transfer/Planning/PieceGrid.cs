using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;

namespace Iroh.Blobs.Transfer.Planning;

/// <summary>
/// How a blob is cut into pieces for its download: equal runs of groups, the last one shorter. A piece is the unit that sources are
/// given and that is traded; what is kept of one that did not come whole is still not asked for again.
/// </summary>
internal readonly struct PieceGrid
{
    /// <summary>Pieces that a blob is cut into if it is neither small nor huge: enough that many downloaders find different ones to begin
    /// with, few enough that a request is much larger than its way there and back.</summary>
    public const int PiecesWanted = 256;

    /// <summary>The most pieces, whatever size is claimed: the tables of a plan have one element for each.</summary>
    public const int PiecesMax = 16 * 1024;

    /// <summary>The shortest piece in bytes: at 64 KiB the request, the size and the pairs are below 2 % of what is sent.</summary>
    public const long LengthMin = 64 * 1024;

    /// <summary>The longest piece in bytes as long as <see cref="PiecesMax"/> allows: what is lost at most when a source is given up.</summary>
    public const long LengthMax = 4 * 1024 * 1024;

    /// <summary>The grid of a blob.</summary>
    /// <param name="size">Its size in bytes, at most <see cref="BaoTree.SizeMax"/>.</param>
    public PieceGrid(ulong size)
    {
        Size = size;
        ulong length = LengthMin;
        while ((length < LengthMax && size / length > PiecesWanted) || size / length >= PiecesMax)
            length *= 2;
        Length = (long)length;
        Count = size == 0 ? 1 : (int)((size - 1) / length) + 1;
    }

    /// <summary>The blob's size in bytes.</summary>
    public ulong Size { get; }

    /// <summary>Bytes of every piece but the last: a power of two, and whole groups.</summary>
    public long Length { get; }

    /// <summary>How many pieces there are.</summary>
    public int Count { get; }

    /// <summary>Bytes of one piece.</summary>
    public long LengthOf(int piece) => (long)Math.Min((ulong)Length, Size - ((ulong)piece * (ulong)Length));

    /// <summary>Where the piece after <paramref name="piece"/> begins, in bytes; the blob's size for the last.</summary>
    public ulong EndOf(int piece) => Math.Min(((ulong)piece + 1) * (ulong)Length, Size);

    /// <summary>The chunks of a piece.</summary>
    public ChunkRanges RangesOf(int piece) => RangesOf(piece, 1);

    /// <summary>The chunks of a run of pieces.</summary>
    public ChunkRanges RangesOf(int first, int count) =>
        ChunkRanges.FromChunks((ulong)first * ChunksOfPiece, Math.Min(((ulong)first + (ulong)count) * ChunksOfPiece, BaoTree.ChunkCount(Size)));

    /// <summary>Sets an element for each piece of which every chunk is in <paramref name="ranges"/>, and clears the others.</summary>
    /// <param name="ranges">Any set.</param>
    /// <param name="whole">As many elements as there are pieces.</param>
    public void MarkWhole(ChunkRanges ranges, Span<bool> whole)
    {
        whole[..Count].Clear();
        ReadOnlySpan<ulong> boundaries = ranges.Boundaries;
        ulong chunks = BaoTree.ChunkCount(Size);
        for (int i = 0; i < boundaries.Length; i += 2)
        {
            ulong start = boundaries[i];
            ulong end = i + 1 < boundaries.Length ? boundaries[i + 1] : ulong.MaxValue;
            if (start >= chunks)
                break;
            ulong first = (start / ChunksOfPiece) + (start % ChunksOfPiece == 0 ? 0UL : 1);
            ulong behind = end >= chunks ? (ulong)Count : end / ChunksOfPiece;
            if (first < behind)
                whole[(int)first..(int)behind].Fill(true);
        }
    }

    private ulong ChunksOfPiece => (ulong)Length / BaoTree.ChunkLength;
}
