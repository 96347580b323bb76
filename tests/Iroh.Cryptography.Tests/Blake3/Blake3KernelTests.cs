using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Iroh.Cryptography.Tests;

/// <summary>Each vector kernel against its scalar twin. A kernel that the processor lacks is not run.</summary>
public sealed class Blake3KernelTests
{
    private delegate void HashMany(
        ReadOnlySpan<byte> inputs, int length, int count, ReadOnlySpan<uint> key, ulong counter, bool countsUp,
        Blake3Flags flags, Blake3Flags flagsFirst, Blake3Flags flagsLast, Span<uint> values);

    [Fact]
    public void Four_lanes_give_what_the_scalar_twin_gives()
    {
        Assert.SkipUnless(Blake3Lanes128.IsSupported, "needs vectors of 128 bits");
        Compare(Blake3Kernel<Vector128<uint>, Blake3Lanes128>.HashMany, Blake3Lanes128.Count);
    }

    [Fact]
    public void Eight_lanes_give_what_the_scalar_twin_gives()
    {
        Assert.SkipUnless(Avx2.IsSupported, "needs AVX2");
        Compare(Blake3Kernel<Vector256<uint>, Blake3Lanes256>.HashMany, Blake3Lanes256.Count);
    }

    [Fact]
    public void Sixteen_lanes_give_what_the_scalar_twin_gives()
    {
        Assert.SkipUnless(Avx512F.IsSupported, "needs AVX-512F");
        Compare(Blake3Kernel<Vector512<uint>, Blake3Lanes512>.HashMany, Blake3Lanes512.Count);
    }

    [Fact]
    public void Any_number_of_inputs_gives_what_the_scalar_twin_gives() => Compare(Blake3Kernel.HashMany, 70);

    [Fact]
    public void Parents_may_take_the_place_of_their_children()
    {
        for (ulong seed = 1; seed <= 100; seed++)
        {
            var random = new SeededRandomSource(seed);
            int pairs = (int)random.NextBelow(40);
            uint[] key = Words(random, 8);
            uint[] children = Words(random, pairs * 16);
            var expected = new uint[pairs * 8];
            for (int i = 0; i < pairs; i++)
                Blake3Compression.Compress(key, children.AsSpan(i * 16, 16), 0, 64, Blake3Flags.Parent, expected.AsSpan(i * 8, 8));
            Blake3Kernel.HashParents(children, pairs, key, Blake3Flags.Parent, children);
            Assert.True(expected.AsSpan().SequenceEqual(children.AsSpan(0, expected.Length)), $"seed {seed}");
        }
    }

    private static void Compare(HashMany kernel, int countMax)
    {
        for (ulong seed = 1; seed <= 300; seed++)
        {
            var random = new SeededRandomSource(seed);
            int count = 1 + (int)random.NextBelow((ulong)countMax);
            int length = 64 * (1 + (int)random.NextBelow(17));
            var inputs = new byte[count * length];
            random.Fill(inputs);
            uint[] key = Words(random, 8);

            // Around the carry from the low word of the counter to the high one, and anywhere.
            ulong counter = random.NextBelow(2) == 0 ? (1UL << 32) - random.NextBelow(80) : random.NextUInt64();
            bool countsUp = random.NextBelow(2) == 0;
            var flags = (Blake3Flags)random.NextBelow(128);
            var first = (Blake3Flags)random.NextBelow(128);
            var last = (Blake3Flags)random.NextBelow(128);
            var expected = new uint[count * 8];
            var actual = new uint[(count * 8) + 1];
            actual[^1] = 0xfeedface;
            Blake3Kernel.HashManyScalar(inputs, length, count, key, counter, countsUp, flags, first, last, expected);
            kernel(inputs, length, count, key, counter, countsUp, flags, first, last, actual);
            Assert.True(expected.AsSpan().SequenceEqual(actual.AsSpan(0, expected.Length)), $"seed {seed}");
            Assert.Equal(0xfeedface, actual[^1]);
        }
    }

    private static uint[] Words(SeededRandomSource random, int count)
    {
        var words = new uint[count];
        for (int i = 0; i < count; i++)
            words[i] = (uint)random.NextUInt64();
        return words;
    }
}
