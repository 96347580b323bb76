using System.Numerics;

namespace Iroh.Cryptography.Tests;

/// <summary>The field arithmetic against <see cref="BigInteger"/>.</summary>
public sealed class FieldElementTests
{
    private static readonly BigInteger P = BigInteger.Pow(2, 255) - 19;

    [Fact]
    public void Squares_are_told_from_other_numbers_as_Euler_does()
    {
        foreach (BigInteger value in Samples(150))
            Assert.True(FieldElement.Read(Bytes(value)).IsSquare() == IsSquare(value), $"{value}");
    }

    // A wrong result would be a square where the right one is none, or the reverse, in half of all pairs.
    [Fact]
    public void Sums_differences_products_and_powers_agree()
    {
        BigInteger[] samples = [.. Samples(40).Where((_, i) => i % 5 == 0)];
        foreach (BigInteger a in samples)
        {
            foreach (BigInteger b in samples)
            {
                FieldElement x = FieldElement.Read(Bytes(a)), y = FieldElement.Read(Bytes(b));
                string pair = $"{a}, {b}";
                Assert.True((x + y).IsSquare() == IsSquare(a + b), pair);
                Assert.True((x - y).IsSquare() == IsSquare(a - b + P), pair);
                Assert.True((x * y).IsSquare() == IsSquare(a * b), pair);
                Assert.True((((x - y) * (x + y)) - x.Square(3)).IsSquare() == IsSquare((a * a) - (b * b) - BigInteger.Pow(a, 8)), pair);
            }
        }
    }

    [Fact]
    public void Decompression_agrees_for_small_large_and_random_coordinates()
    {
        BigInteger d = BigInteger.Parse("37095705934669439343138083508754565189542113879843219016388785533085940283555");
        foreach (BigInteger y in Samples(150))
        {
            BigInteger u = (y * y) - 1 + (P * P), v = (d * y * y) + 1;
            byte[] bytes = Bytes(y);
            bool expected = IsSquare(u * v);
            Assert.True(Ed25519.IsValidPublicKey(bytes) == expected, $"{y}");
            bytes[31] |= 0x80;
            Assert.True(Ed25519.IsValidPublicKey(bytes) == expected, $"{y} with the sign");
        }
    }

    // Around 0, p and 2^255, around every limb's border, and random ones.
    private static IEnumerable<BigInteger> Samples(int randomOnes)
    {
        BigInteger end = BigInteger.Pow(2, 255);
        for (int i = 0; i < 20; i++)
            yield return i;
        for (int i = 1; i < 40; i++)
            yield return end - i;
        for (int limb = 1; limb < 5; limb++)
        {
            yield return BigInteger.Pow(2, 51 * limb) - 1;
            yield return BigInteger.Pow(2, 51 * limb);
        }

        var random = new SeededRandomSource(4);
        byte[] bytes = new byte[32];
        for (int i = 0; i < randomOnes; i++)
        {
            random.Fill(bytes);
            bytes[31] &= 0x7f;
            yield return new BigInteger(bytes, isUnsigned: true);
        }
    }

    private static bool IsSquare(BigInteger value) => BigInteger.ModPow(((value % P) + P) % P, (P - 1) / 2, P) <= 1;

    private static byte[] Bytes(BigInteger value)
    {
        byte[] bytes = new byte[32];
        Assert.True(value.TryWriteBytes(bytes, out _, isUnsigned: true));
        return bytes;
    }
}
