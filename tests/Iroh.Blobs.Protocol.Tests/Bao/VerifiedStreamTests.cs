using Iroh.Blobs.Bao;
using Iroh.Blobs.Protocol.Tests.Ranges;
using Iroh.Blobs.Ranges;
using Iroh.Cryptography;

namespace Iroh.Blobs.Protocol.Tests.Bao;

public sealed class VerifiedStreamTests
{
    [Fact]
    public void Any_selection_of_any_blob_arrives_as_it_was()
    {
        for (ulong seed = 1; seed <= 1500; seed++)
        {
            var random = new SeededRandomSource(seed);
            var content = new byte[random.NextBelow(4) == 0 ? 1024 * random.NextBelow(200) : random.NextBelow(200_000)];
            random.Fill(content);
            ChunkRanges ranges = RandomRanges.Next(random, BaoTree.ChunkCount((ulong)content.Length) + 20);
            byte[] stream = VerifiedStream.Encode(content, ranges);
            Assert.True(stream.AsSpan().SequenceEqual(VerifiedStream.Encode(content, ranges, isProven: true)), $"seed {seed}");
            DecodedBlob decoded = VerifiedStream.Decode(stream, BlobHash.Of(content), ranges);
            Assert.True(decoded.State == BaoDecoderState.Complete && decoded.Length == stream.Length, $"seed {seed}");
            ChunkRanges expected = ranges.Resolve((ulong)content.Length);
            Assert.True(decoded.Leaves.Sum(leaf => leaf.Bytes.Length) == (long)expected.CountBytes((ulong)content.Length), $"seed {seed}");
            foreach ((long offset, byte[] bytes) in decoded.Leaves)
            {
                Assert.True(content.AsSpan((int)offset, bytes.Length).SequenceEqual(bytes), $"seed {seed}");
                Assert.True(expected.Contains(ChunkRanges.FromBytes((ulong)offset, (ulong)bytes.Length)), $"seed {seed}");
            }
        }
    }

    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(3000, 1, 2)]
    [InlineData(40_000, 7, 36)]
    [InlineData(17_000, 16, 17)]
    public void Every_flipped_byte_is_found(int length, ulong start, ulong end)
    {
        byte[] content = Vectors.Pattern(length);
        BlobHash root = BlobHash.Of(content);
        ChunkRanges ranges = ChunkRanges.FromChunks(start, end);
        byte[] stream = VerifiedStream.Encode(content, ranges);
        for (int i = BaoTree.SizeHeaderLength; i < stream.Length; i += length > 20_000 && i > 2000 ? 11 : 1)
        {
            stream[i] ^= 0x10;
            DecodedBlob decoded = VerifiedStream.Decode(stream, root, ranges);
            Assert.Equal(BaoDecoderState.HashMismatch, decoded.State);
            Assert.True(decoded.Length <= i, $"byte {i}");
            stream[i] ^= 0x10;
        }
    }

    [Fact]
    public void Only_a_whole_group_that_is_due_can_be_proven_elsewhere()
    {
        byte[] content = Vectors.Pattern(40_000);
        BlobHash root = OutboardBuilder.Build(content, out byte[] outboard);
        var encoder = new BaoEncoder(root, 40_000, ChunkRanges.FromChunks(0, 17));
        Assert.Throws<InvalidOperationException>(encoder.TakeProvenGroup);
        while (encoder.Need == BaoEncoderNeed.Pair)
            Assert.True(encoder.TryTakePair(outboard.AsSpan((int)encoder.PairOffset, BaoTree.PairLength)));
        encoder.TakeProvenGroup();
        Assert.Equal(BaoEncoderNeed.PartOfGroup, encoder.Need);
        Assert.Throws<InvalidOperationException>(encoder.TakeProvenGroup);
    }

    [Fact]
    public void A_wrong_size_is_never_proven()
    {
        byte[] content = Vectors.Pattern(70_000);
        BlobHash root = BlobHash.Of(content);
        ulong[] wrong =
        [
            0, 1, 1024, 16_384, 65_536, 69_999, 70_001, 70_657, 131_072, uint.MaxValue, BaoTree.SizeMax, BaoTree.SizeMax + 1, ulong.MaxValue,
        ];
        foreach (ChunkRanges ranges in new[] { ChunkRanges.All, ChunkRanges.LastChunk, ChunkRanges.FromChunks(0, 1) })
        {
            byte[] stream = VerifiedStream.Encode(content, ranges);
            foreach (ulong size in wrong)
            {
                BaoTree.WriteSize(stream, size);
                DecodedBlob decoded = VerifiedStream.Decode(stream, root, ranges);
                Assert.False(decoded.IsSizeProven, $"{size}, {ranges}");
                Assert.True(decoded.State != BaoDecoderState.Complete || !ranges.IsOpen, $"{size}, {ranges}");
            }
        }
    }

    [Fact]
    public void The_claimed_size_costs_no_memory()
    {
        byte[] content = Vectors.Pattern(70_000);
        BlobHash root = BlobHash.Of(content);
        foreach (ulong size in (ulong[])[70_000, BaoTree.SizeMax, ulong.MaxValue])
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            var decoder = new BaoDecoder(root, size, ChunkRanges.LastChunk);
            Assert.Equal(size == ulong.MaxValue ? BaoDecoderState.SizeTooLarge : BaoDecoderState.Reading, decoder.State);
            Assert.True(decoder.NeededLength <= BaoDecoder.NeededLengthMax);
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 * 1024);
        }
    }

    [Fact]
    public void The_empty_blob_has_size_zero_and_nothing_else_has()
    {
        BlobHash other = BlobHash.Of([1]);
        Assert.Equal(BaoDecoderState.Complete, new BaoDecoder(BlobHash.Empty, 0, ChunkRanges.All).State);
        Assert.True(new BaoDecoder(BlobHash.Empty, 0, ChunkRanges.LastChunk).IsSizeProven);
        Assert.Equal(BaoDecoderState.HashMismatch, new BaoDecoder(BlobHash.Empty, 1, ChunkRanges.All).State);
        Assert.Equal(BaoDecoderState.HashMismatch, new BaoDecoder(other, 0, ChunkRanges.All).State);
        Assert.Equal(BaoDecoderState.Complete, new BaoDecoder(other, 1, ChunkRanges.Empty).State);
        Assert.Equal(8, VerifiedStream.Encode([], ChunkRanges.LastChunk).Length);
    }

    [Fact]
    public void Random_streams_are_refused_and_never_throw()
    {
        for (ulong seed = 1; seed <= 2000; seed++)
        {
            var random = new SeededRandomSource(seed);
            var stream = new byte[8 + random.NextBelow(40_000)];
            random.Fill(stream);
            ulong size = random.NextUInt64() >> (int)random.NextBelow(64);
            BaoTree.WriteSize(stream, size);
            ChunkRanges ranges = RandomRanges.Next(random, 1000);
            DecodedBlob decoded = VerifiedStream.Decode(stream, BlobHash.Of([1, 2, 3]), ranges);
            Assert.True(decoded.Leaves.Count == 0 && decoded.Pairs.Count == 0, $"seed {seed}");
        }
    }

    [Fact]
    public void Walks_of_huge_blobs_stay_within_their_bounds()
    {
        for (ulong seed = 1; seed <= 500; seed++)
        {
            var random = new SeededRandomSource(seed);
            ulong size = seed == 1 ? BaoTree.SizeMax : random.NextUInt64() >> (1 + (int)random.NextBelow(40));
            ulong chunk = random.NextBelow(BaoTree.ChunkCount(size));
            ChunkRanges ranges = ChunkRanges.FromChunks(chunk, chunk + 1).Union(ChunkRanges.LastChunk);
            var walk = new BaoWalk(size, ranges);
            var leaves = new List<ulong>();
            int items = 0;
            while (walk.MoveNext() && items++ < 200)
            {
                BaoItem item = walk.Current;
                Assert.True(item.Offset >= 0 && (ulong)(item.Offset + item.Length) <= size, $"seed {seed}");
                Assert.True(item.IsInGroup || item.OutboardOffset + BaoTree.PairLength <= BaoTree.OutboardLength(size), $"seed {seed}");
                if (item.Kind == BaoItemKind.Leaf)
                    leaves.Add(item.FirstChunk);
            }

            ulong[] expected = chunk == BaoTree.LastChunk(size) ? [chunk] : [chunk, BaoTree.LastChunk(size)];
            Assert.True(expected.AsSpan().SequenceEqual([.. leaves]), $"seed {seed}");
            Assert.InRange(items, 1, 2 * (BaoTree.DepthMax + 1));
        }
    }

    [Fact]
    public void Damage_at_home_is_found_before_it_is_sent()
    {
        byte[] content = Vectors.Pattern(40_000);
        BlobHash root = OutboardBuilder.Build(content, out byte[] outboard);
        var encoder = new BaoEncoder(root, 40_000, ChunkRanges.FromChunks(0, 17));
        Assert.Equal(BaoEncoderNeed.Pair, encoder.Need);
        outboard[5] ^= 1;
        Assert.False(encoder.TryTakePair(outboard.AsSpan(0, 64)));
        outboard[5] ^= 1;
        Assert.True(encoder.TryTakePair(outboard.AsSpan((int)encoder.PairOffset, 64)));
        Assert.True(encoder.TryTakePair(outboard.AsSpan((int)encoder.PairOffset, 64)));
        Assert.Equal(BaoEncoderNeed.WholeGroup, encoder.Need);
        content[9000] ^= 1;
        Assert.False(encoder.TryTakeWholeGroup(content.AsSpan(0, encoder.GroupLength)));
        content[9000] ^= 1;
        Assert.True(encoder.TryTakeWholeGroup(content.AsSpan(0, encoder.GroupLength)));
        Assert.Equal(BaoEncoderNeed.PartOfGroup, encoder.Need);
        Assert.Throws<InvalidOperationException>(() => encoder.TryTakePair(new byte[64]));
        var output = new byte[BaoEncoder.GroupEncodingLengthMax];

        // Damage in a part of the group that does not go out is found, too.
        content[30_000] ^= 1;
        Assert.False(encoder.TryTakePartOfGroup(content.AsSpan(16_384, encoder.GroupLength), output, out int written));
        Assert.Equal(0, written);
    }
}
