using Iroh.Blobs.Ranges;
using Iroh.Cryptography;

namespace Iroh.Blobs.Protocol.Tests.Ranges;

internal static class RandomRanges
{
    /// <summary>Up to six boundaries below a chunk, or one of the special sets.</summary>
    public static ChunkRanges Next(SeededRandomSource random, ulong chunks)
    {
        switch (random.NextBelow(12))
        {
            case 0:
                return ChunkRanges.All;
            case 1:
                return ChunkRanges.LastChunk;
        }

        var boundaries = new SortedSet<ulong>();
        for (ulong i = random.NextBelow(7); i > 0; i--)
            boundaries.Add(random.NextBelow(chunks + 1) / (random.NextBelow(3) == 0 ? 16UL : 1));
        Assert.True(ChunkRanges.TryFromBoundaries([.. boundaries], out ChunkRanges ranges));
        return ranges;
    }
}
