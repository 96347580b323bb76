namespace Iroh.Cryptography.Tests;

public sealed class Blake3HasherTests
{
    [Fact]
    public void Input_in_any_parts_gives_the_hash_of_the_whole()
    {
        for (ulong seed = 1; seed <= 300; seed++)
        {
            var random = new SeededRandomSource(seed);
            var input = new byte[random.NextBelow(random.NextBelow(2) == 0 ? 5000UL : 150_000)];
            random.Fill(input);
            var hasher = new Blake3Hasher();
            ReadOnlySpan<byte> rest = input;
            while (!rest.IsEmpty)
            {
                int count = (int)random.NextBelow(Math.Min((ulong)rest.Length, random.NextBelow(3) == 0 ? 100_000UL : 2500) + 1);
                hasher.Update(rest[..count]);
                rest = rest[count..];
            }

            Assert.True(Blake3Inputs.Hash(input).AsSpan().SequenceEqual(Finish(hasher)), $"seed {seed}");
        }
    }

    [Fact]
    public void Asking_for_the_hash_in_between_changes_nothing()
    {
        byte[] input = Blake3Inputs.Repeating251(20_480);
        var hasher = new Blake3Hasher();
        for (int length = 0; length < input.Length; length += 128)
        {
            Assert.Equal(Blake3Inputs.Hash(input.AsSpan(0, length)), Finish(hasher));
            hasher.Update(input.AsSpan(length, 128));
        }
    }

    [Fact]
    public void Whole_chunks_at_the_end_can_be_the_root()
    {
        for (int chunks = 1; chunks <= 70; chunks++)
        {
            byte[] input = Blake3Inputs.Repeating251(chunks * Blake3.ChunkLength);
            var atOnce = new Blake3Hasher();
            atOnce.Update(input);
            var byChunk = new Blake3Hasher();
            for (int i = 0; i < chunks; i++)
                byChunk.Update(input.AsSpan(i * Blake3.ChunkLength, Blake3.ChunkLength));
            Assert.Equal(Blake3Inputs.Hash(input), Finish(atOnce));
            Assert.Equal(Blake3Inputs.Hash(input), Finish(byChunk));
        }
    }

    [Fact]
    public void Reset_starts_again_with_the_same_key()
    {
        byte[] key = Blake3Inputs.Repeating251(32);
        Blake3Hasher hasher = Blake3Hasher.CreateKeyed(key);
        hasher.Update("abc"u8);
        byte[] expected = Finish(hasher);
        hasher.Update(new byte[5000]);
        hasher.Reset();
        hasher.Update("abc"u8);
        Assert.Equal(expected, Finish(hasher));
        Assert.NotEqual(Blake3Inputs.Hash("abc"u8), expected);
    }

    [Fact]
    public void Extended_output_can_begin_anywhere()
    {
        var hasher = new Blake3Hasher();
        hasher.Update("abc"u8);
        var whole = new byte[1000];
        hasher.Finish(whole);
        Assert.Equal(Blake3Inputs.Hash("abc"u8), whole[..32]);
        var part = new byte[200];
        for (int offset = 0; offset < 800; offset += 7)
        {
            hasher.Finish(part, (ulong)offset);
            Assert.Equal(whole[offset..(offset + 200)], part);
        }
    }

    private static byte[] Finish(Blake3Hasher hasher)
    {
        var hash = new byte[Blake3.HashLength];
        hasher.Finish(hash);
        return hash;
    }
}
