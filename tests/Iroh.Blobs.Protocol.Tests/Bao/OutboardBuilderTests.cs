using System.Text.Json;
using Iroh.Blobs.Bao;
using Iroh.Cryptography;

namespace Iroh.Blobs.Protocol.Tests.Bao;

public sealed class OutboardBuilderTests
{
    [Fact]
    public void Outboards_are_those_of_iroh()
    {
        JsonElement file = Vectors.Read("outboards.json");
        foreach (JsonElement vector in file.GetProperty("vectors").EnumerateArray())
        {
            BlobHash root = OutboardBuilder.Build(Vectors.Pattern(vector.GetProperty("len").GetInt32()), out byte[] outboard);
            Assert.Equal(vector.Text("hash"), root.ToString());
            Assert.Equal(vector.Text("outboard_preorder"), Convert.ToHexStringLower(outboard));
        }

        Assert.Equal(8, file.GetProperty("vectors").GetArrayLength());
    }

    [Fact]
    public void The_outboard_of_a_blob_of_five_megabytes_is_the_file_that_iroh_wrote()
    {
        JsonElement real = Vectors.Read("outboards.json").GetProperty("real_file");
        BlobHash root = OutboardBuilder.Build(Vectors.Pattern(5_242_885), out byte[] outboard);
        Assert.Equal(real.Text("blob_hash"), root.ToString());
        Assert.Equal(real.Text("blake3_of_file"), BlobHash.Of(outboard).ToString());
        Assert.Equal(Vectors.ReadBytes(real.Text("file")), outboard);
    }

    [Fact]
    public void Parts_of_any_length_give_the_hash_and_the_outboard_of_the_whole()
    {
        for (ulong seed = 1; seed <= 120; seed++)
        {
            var random = new SeededRandomSource(seed);
            var content = new byte[random.NextBelow(3) == 0 ? BaoTree.GroupLength * random.NextBelow(70) : random.NextBelow(1_200_000)];
            random.Fill(content);
            BlobHash root = OutboardBuilder.Build(content, out byte[] expected);
            Assert.Equal(BlobHash.Of(content), root);

            // The size is known here, so every pair goes where it belongs as soon as it is final.
            var builder = new OutboardBuilder();
            var actual = new byte[expected.Length];
            using IEnumerator<long> offsets = BaoTree.PairOffsetsAsHashed((ulong)content.Length).GetEnumerator();
            ReadOnlySpan<byte> rest = content;
            while (!rest.IsEmpty)
            {
                int count = (int)random.NextBelow(Math.Min((ulong)rest.Length, random.NextBelow(2) == 0 ? 20_000UL : 600_000) + 1);
                builder.Update(rest[..count]);
                rest = rest[count..];
                Assert.Equal((ulong)(content.Length - rest.Length), builder.Size);
                Place(builder, offsets, actual);
            }

            Assert.True(root == builder.Finish(), $"seed {seed}");
            Place(builder, offsets, actual);
            Assert.False(offsets.MoveNext());
            Assert.True(expected.AsSpan().SequenceEqual(actual), $"seed {seed}");
        }
    }

    [Fact]
    public void The_offsets_of_pairs_are_each_used_once_for_any_number_of_groups()
    {
        for (ulong groups = 1; groups <= 300; groups++)
        {
            ulong size = groups * BaoTree.GroupLength;
            long[] offsets = [.. BaoTree.PairOffsetsAsHashed(size)];
            Array.Sort(offsets);
            Assert.Equal(Enumerable.Range(0, (int)groups - 1).Select(i => (long)i * BaoTree.PairLength), offsets);
            Assert.Equal(offsets.Length * BaoTree.PairLength, BaoTree.OutboardLength(size));
        }
    }

    [Fact]
    public void A_finished_builder_takes_no_more()
    {
        var builder = new OutboardBuilder();
        Assert.Equal(BlobHash.Empty, builder.Finish());
        Assert.Throws<InvalidOperationException>(() => builder.Update([1]));
        Assert.Throws<InvalidOperationException>(() => builder.Finish());
    }

    private static void Place(OutboardBuilder builder, IEnumerator<long> offsets, byte[] outboard)
    {
        for (ReadOnlySpan<byte> pairs = builder.FinishedPairs; !pairs.IsEmpty; pairs = pairs[BaoTree.PairLength..])
        {
            Assert.True(offsets.MoveNext());
            pairs[..BaoTree.PairLength].CopyTo(outboard.AsSpan((int)offsets.Current));
        }

        builder.ClearFinishedPairs();
    }
}
