using System.Text.Json;
using Iroh.Base.Serialization;
using Iroh.Blobs.Bao;
using Iroh.Blobs.Ranges;
using Iroh.Cryptography;

namespace Iroh.Blobs.Protocol.Tests.Ranges;

public sealed class ChunkRangesTests
{
    private static readonly JsonElement s_file = Vectors.Read("ranges.json");

    [Fact]
    public void Ranges_are_written_and_read_as_iroh_does()
    {
        foreach (JsonElement vector in s_file.GetProperty("range_spec").EnumerateArray())
        {
            ChunkRanges ranges = vector.GetProperty("boundaries").Ranges();
            var writer = new PostcardWriter();
            ChunkRangesCodec.WriteDistances(writer, ranges);
            Assert.Equal(vector.Text("hex"), Convert.ToHexStringLower(writer.Written));
            var reader = new PostcardReader(writer.Written);
            Assert.True(ChunkRangesCodec.TryReadDistances(ref reader, out ChunkRanges read));
            Assert.Equal(ranges, read);
        }

        Assert.Equal(6, s_file.GetProperty("range_spec").GetArrayLength());
    }

    [Fact]
    public void Sequences_are_written_and_read_as_iroh_does()
    {
        foreach (JsonElement vector in s_file.GetProperty("range_spec_seq").EnumerateArray())
        {
            var reader = new PostcardReader(vector.Hex("hex"));
            Assert.True(ChunkRangesSequence.TryRead(ref reader, out ChunkRangesSequence sequence));
            Assert.Equal(0, reader.Remaining);
            JsonElement items = vector.GetProperty("items");
            Assert.Equal(items.GetArrayLength(), sequence.Spans.Length);
            for (int i = 0; i < sequence.Spans.Length; i++)
                Assert.Equal(new ChunkRangesSequence.Span(items[i][0].GetUInt64(), items[i][1].Ranges()), sequence.Spans[i]);
            var writer = new PostcardWriter();
            sequence.Write(writer);
            Assert.Equal(vector.Text("hex"), Convert.ToHexStringLower(writer.Written));
        }
    }

    [Fact]
    public void Normal_forms_are_those_of_iroh()
    {
        foreach (JsonElement vector in s_file.GetProperty("normalise").EnumerateArray())
        {
            ulong chunks = vector.GetProperty("size_chunks").GetUInt64();
            ChunkRanges ranges = vector.GetProperty("boundaries").Ranges();
            ChunkRanges expected = vector.GetProperty("result").Ranges();
            Assert.Equal(expected, ranges.Normalize(chunks * BaoTree.ChunkLength));
            Assert.Equal(expected, ranges.Normalize(((chunks - 1) * BaoTree.ChunkLength) + 1));
            Assert.Equal(expected, expected.Normalize(chunks * BaoTree.ChunkLength));
        }

        Assert.Equal(17, s_file.GetProperty("normalise").GetArrayLength());
    }

    [Fact]
    public void Sets_agree_with_the_chunks_that_are_in_them()
    {
        const int chunks = 80;
        for (ulong seed = 1; seed <= 500; seed++)
        {
            var random = new SeededRandomSource(seed);
            ChunkRanges a = RandomRanges.Next(random, chunks - 5), b = RandomRanges.Next(random, chunks - 5);
            ulong size = 1 + random.NextBelow((chunks - 10) * 1024);
            ulong count = BaoTree.ChunkCount(size);
            ChunkRanges union = a.Union(b), both = a.Intersect(b), except = a.Except(b), one = a.SymmetricExcept(b);
            ChunkRanges groups = a.ExpandToGroups(), whole = a.WholeGroups(size), resolved = a.Resolve(size);
            bool beyond = a.IsOpen || Enumerable.Range((int)count, chunks).Any(chunk => a.Contains((ulong)chunk));
            ulong bytes = 0;
            for (ulong i = 0; i < chunks; i++)
            {
                bool inA = a.Contains(i), inB = b.Contains(i);
                ulong group = i / 16 * 16;
                IEnumerable<ulong> inGroup = Enumerable.Range(0, 16).Select(at => group + (ulong)at);
                Check(union.Contains(i) == (inA || inB));
                Check(both.Contains(i) == (inA && inB));
                Check(except.Contains(i) == (inA && !inB));
                Check(one.Contains(i) == (inA != inB));
                Check(groups.Contains(i) == inGroup.Any(a.Contains));
                Check(whole.Contains(i) == (i < count && inGroup.Where(chunk => chunk < count).All(a.Contains)));
                Check(resolved.Contains(i) == ((inA && i < count) || (i == count - 1 && beyond)));
                if (inA && i < count)
                    bytes += Math.Min(1024, size - (i * 1024));
            }

            Check(a.Contains(b) == b.Except(a).IsEmpty && union.Contains(a) && a.Contains(both));
            Check(a.CountBytes(size) == bytes);
            Check(resolved.IsEmpty || resolved.Boundaries[^1] <= count);
            Check(a.FirstRanges(int.MaxValue) == a && a.Contains(a.FirstRanges(2)) && a.FirstRanges(2).RangeCount <= 2);
            foreach (ChunkRanges set in new[] { union, both, except, one, groups, whole, resolved })
                Check(ChunkRanges.TryFromBoundaries(set.Boundaries, out _));

            void Check(bool holds) => Assert.True(holds, $"seed {seed}: {a} and {b}, {size} bytes");
        }
    }

    [Fact]
    public void Bytes_select_the_chunks_that_hold_them_even_at_the_end_of_all_numbers()
    {
        Assert.Equal(ChunkRanges.Empty, ChunkRanges.FromBytes(77, 0));
        Assert.Equal(ChunkRanges.FromChunks(0, 2), ChunkRanges.FromBytes(1023, 2));
        Assert.Equal(ChunkRanges.FromChunks(1, 2), ChunkRanges.FromBytes(1024, 1024));
        Assert.Equal(ChunkRanges.FromChunks((1UL << 54) - 1, 1UL << 54), ChunkRanges.FromBytes(ulong.MaxValue, ulong.MaxValue));
        Assert.Equal(ChunkRanges.FromChunks(0, 1UL << 54), ChunkRanges.FromBytes(1, ulong.MaxValue));
        Assert.True(ChunkRanges.LastChunk.ExpandToGroups().IsOpen);
        Assert.Equal(ChunkRanges.FromChunk(ulong.MaxValue - 15), ChunkRanges.FromChunks(ulong.MaxValue - 9, ulong.MaxValue).ExpandToGroups());
        Assert.Equal(5UL, ChunkRanges.All.CountBytes(5));
        Assert.Equal(ulong.MaxValue, ChunkRanges.All.CountBytes(ulong.MaxValue));
        Assert.Equal(0UL, ChunkRanges.LastChunk.CountBytes(ulong.MaxValue));
    }

    [Fact]
    public void Boundaries_that_do_not_ascend_overflow_or_are_too_many_are_refused()
    {
        Assert.False(ChunkRanges.TryFromBoundaries([5, 5], out _));
        Assert.False(ChunkRanges.TryFromBoundaries([6, 5], out _));
        byte[] last = [.. Enumerable.Repeat((byte)0xff, 9), 1];
        Refused([2, 5, 0], distances: true);
        Refused([2, .. last, 1], distances: true);
        Refused([2, 5, 5], distances: false);
        Refused([.. last], distances: true);
        Refused([.. last, .. new byte[100]], distances: false);
        var many = new PostcardWriter();
        many.WriteVarint(ChunkRanges.BoundariesMax + 1);
        many.WriteFixed(Enumerable.Repeat((byte)1, ChunkRanges.BoundariesMax + 1).ToArray());
        Refused(many.ToArray(), distances: true);

        static void Refused(byte[] bytes, bool distances)
        {
            var reader = new PostcardReader(bytes);
            Assert.False(distances
                ? ChunkRangesCodec.TryReadDistances(ref reader, out _)
                : ChunkRangesCodec.TryReadChunks(ref reader, out _));
        }
    }

    [Fact]
    public void A_sequence_says_what_is_asked_of_each_blob()
    {
        ChunkRanges some = ChunkRanges.FromChunks(1, 3);
        var sequence = ChunkRangesSequence.FromRanges([ChunkRanges.Empty, some, some, ChunkRanges.All]);
        Assert.Equal([1, 3, 4], sequence.Spans.Select(span => (int)span.Offset));
        Assert.Equal(ChunkRanges.Empty, sequence[0]);
        Assert.Equal(some, sequence[2]);
        Assert.Equal(ChunkRanges.All, sequence[3]);
        Assert.Equal(ChunkRanges.Empty, sequence[ulong.MaxValue]);
        Assert.Equal([1, 2], sequence.Selected(3).Select(span => (int)span.Offset));
        Assert.False(sequence.IsOpen || sequence.IsSingleBlob || sequence.IsEmpty);
        Assert.True(ChunkRangesSequence.OfBlob(some).IsSingleBlob);
        Assert.True(ChunkRangesSequence.OfBlob(ChunkRanges.Empty).IsEmpty);
        Assert.True(ChunkRangesSequence.All.IsOpen);
        Assert.Equal([0, 1, 2, 3, 4], ChunkRangesSequence.All.Selected(5).Select(span => (int)span.Offset));
    }

    [Theory]
    [InlineData("02000100000100")] // the same offset twice
    [InlineData("02010100ffffffffffffffffff010100")] // offsets beyond 64 bits
    [InlineData("0300010001")] // cut off
    [InlineData("ffffffffffffffffff01")] // as many spans as there are numbers
    public void Malformed_sequences_are_refused(string hex)
    {
        var reader = new PostcardReader(Convert.FromHexString(hex));
        Assert.False(ChunkRangesSequence.TryRead(ref reader, out ChunkRangesSequence sequence));
        Assert.True(sequence.IsEmpty);
    }
}
