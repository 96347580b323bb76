using System.Text;
using System.Text.Json;

namespace Iroh.Cryptography.Tests;

public sealed class Blake3Tests
{
    private static readonly string VectorFolder = Path.Combine(AppContext.BaseDirectory, "Blake3", "Vectors");

    [Fact]
    public void Official_vectors_hold_in_all_modes_with_their_extended_output()
    {
        // test_vectors/test_vectors.json of github.com/BLAKE3-team/BLAKE3, as it is.
        using JsonDocument file = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(VectorFolder, "blake3-test-vectors.json")));
        byte[] key = Encoding.UTF8.GetBytes(file.RootElement.GetProperty("key").GetString()!);
        string context = file.RootElement.GetProperty("context_string").GetString()!;
        int cases = 0;
        foreach (JsonElement vector in file.RootElement.GetProperty("cases").EnumerateArray())
        {
            byte[] input = Blake3Inputs.Repeating251(vector.GetProperty("input_len").GetInt32());
            Check(new Blake3Hasher(), vector.GetProperty("hash").GetString()!);
            Check(Blake3Hasher.CreateKeyed(key), vector.GetProperty("keyed_hash").GetString()!);
            Check(Blake3Hasher.CreateDeriveKey(context), vector.GetProperty("derive_key").GetString()!);
            Assert.Equal(vector.GetProperty("hash").GetString()![..64], Convert.ToHexStringLower(Blake3Inputs.Hash(input)));
            cases++;

            void Check(Blake3Hasher hasher, string expected)
            {
                hasher.Update(input);
                var output = new byte[expected.Length / 2];
                hasher.Finish(output);
                Assert.Equal(expected, Convert.ToHexStringLower(output));
            }
        }

        Assert.Equal(35, cases);
    }

    [Fact]
    public void Hashes_agree_with_b3sum_and_with_iroh()
    {
        using JsonDocument file = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(VectorFolder, "blake3-b3sum.json")));
        int cases = 0;
        foreach (JsonElement vector in file.RootElement.GetProperty("vectors").EnumerateArray())
        {
            int length = vector.GetProperty("len").GetInt32();
            string pattern = vector.GetProperty("pattern").GetString()!;
            byte[] input = pattern switch
            {
                "p251" => Blake3Inputs.Repeating251(length),
                "pat" => Blake3Inputs.Create(length, i => (byte)((7 * i) + (13 * (i >> 8)) + (29 * (i >> 16)))),
                "iroh_test_data" => Blake3Inputs.Create(length, i => (byte)(65 + (i / 1024 % 26))),
                "utf8" => Encoding.UTF8.GetBytes(vector.GetProperty("text").GetString()!),
                _ => throw new InvalidDataException(pattern),
            };
            Assert.Equal(vector.GetProperty("hash").GetString(), Convert.ToHexStringLower(Blake3Inputs.Hash(input)));
            cases++;
        }

        Assert.Equal(66, cases);
    }

    [Fact]
    public void Subtree_values_combine_to_the_hash_of_the_whole_for_every_group_size()
    {
        var random = new SeededRandomSource(7);
        for (int round = 0; round < 60; round++)
        {
            var input = new byte[1 + random.NextBelow(200_000)];
            random.Fill(input);
            byte[] expected = Blake3Inputs.Hash(input);
            for (int groupLength = Blake3.ChunkLength; groupLength <= 64 * Blake3.ChunkLength; groupLength *= 2)
            {
                Assert.True(
                    expected.AsSpan().SequenceEqual(HashByGroups(input, 0, groupLength, isRoot: true)),
                    $"{input.Length} bytes in groups of {groupLength}");
            }
        }
    }

    [Fact]
    public void Neighbouring_subtrees_have_the_values_that_each_has_alone()
    {
        for (ulong seed = 1; seed <= 200; seed++)
        {
            var random = new SeededRandomSource(seed);
            int length = Blake3.ChunkLength << (int)random.NextBelow(11);
            int count = (int)random.NextBelow(Math.Max(2, 600_000 / (ulong)length));
            var input = new byte[count * length];
            random.Fill(input);
            ulong firstChunk = (random.NextBelow(2) == 0 ? (1UL << 32) / (uint)length * (uint)length : random.NextBelow(1 << 20)) * (uint)length;
            var actual = new byte[count * Blake3.HashLength];
            Blake3.HashSubtrees(input, length, firstChunk, actual);
            for (int i = 0; i < count; i++)
            {
                var expected = new byte[Blake3.HashLength];
                ulong first = firstChunk + (ulong)(i * (length / Blake3.ChunkLength));
                Blake3.HashSubtree(input.AsSpan(i * length, length), first, isRoot: false, expected);
                Assert.True(expected.AsSpan().SequenceEqual(actual.AsSpan(i * 32, 32)), $"seed {seed}, subtree {i}");
            }
        }
    }

    [Fact]
    public void Several_threads_give_the_hash_of_one()
    {
        byte[] input = Blake3Inputs.Repeating251(5_300_000);
        int[] lengths = [0, 1, 1024, 1 << 20, (1 << 20) + 1, 2 << 20, (2 << 20) + 1, 3 << 20, 4 << 20, 5_000_000, 5_300_000];
        foreach (int length in lengths)
        {
            var hash = new byte[Blake3.HashLength];
            foreach (int threads in new[] { 1, 2, 7 })
            {
                Blake3.HashParallel(input.AsMemory(0, length), threads, hash);
                Assert.Equal(Blake3Inputs.Hash(input.AsSpan(0, length)), hash);
            }
        }
    }

    [Fact]
    public void A_subtree_in_another_place_has_another_value()
    {
        byte[] input = Blake3Inputs.Repeating251(16 * 1024);
        var first = new byte[32];
        var second = new byte[32];
        Blake3.HashSubtree(input, 0, isRoot: false, first);
        Blake3.HashSubtree(input, 16, isRoot: false, second);
        Assert.NotEqual(first, second);
        Blake3.HashSubtree(input, 0, isRoot: true, second);
        Assert.NotEqual(first, second);
    }

    [Fact]
    public void Chunk_indices_beyond_32_bits_count()
    {
        // The vector kernels keep the counter in two words; a group across the boundary must carry.
        byte[] input = Blake3Inputs.Repeating251(32 * 1024);
        ulong firstChunk = (1UL << 32) - 16;
        var whole = new byte[32];
        Blake3.HashSubtree(input, firstChunk, isRoot: false, whole);
        Assert.Equal(HashByGroups(input, firstChunk, Blake3.ChunkLength, isRoot: false), whole);
    }

    [Fact]
    public void Too_short_destinations_and_wrong_key_lengths_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Blake3.Hash(default, new byte[31]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Blake3.CombineSubtrees(new byte[31], new byte[32], false, new byte[32]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Blake3.CombineSubtrees(new byte[32], new byte[33], false, new byte[32]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Blake3Hasher.CreateKeyed(new byte[31]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Blake3.HashParallel(default, 0, new byte[32]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Blake3.HashSubtrees(new byte[2048], 1025, 0, new byte[64]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Blake3.HashSubtrees(new byte[2049], 1024, 0, new byte[64]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Blake3.HashSubtrees(new byte[2048], 1024, 0, new byte[63]));
    }

    // The tree as verified streaming builds it: groups as leaves, then parents.
    private static byte[] HashByGroups(ReadOnlySpan<byte> data, ulong firstChunk, int groupLength, bool isRoot)
    {
        var value = new byte[32];
        if (data.Length <= groupLength)
        {
            Blake3.HashSubtree(data, firstChunk, isRoot, value);
            return value;
        }

        int left = groupLength;
        while (left * 2 < data.Length)
            left *= 2;
        Blake3.CombineSubtrees(
            HashByGroups(data[..left], firstChunk, groupLength, isRoot: false),
            HashByGroups(data[left..], firstChunk + (ulong)(left / Blake3.ChunkLength), groupLength, isRoot: false),
            isRoot,
            value);
        return value;
    }
}
