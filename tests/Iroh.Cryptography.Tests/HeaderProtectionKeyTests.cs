using System.Security.Cryptography;

namespace Iroh.Cryptography.Tests;

public sealed class HeaderProtectionKeyTests
{
    // RFC 9001 A.2, A.3 and A.5: key, sample, mask.
    [Theory]
    [InlineData(AeadAlgorithm.Aes128Gcm, "9f50449e04a0e810283a1e9933adedd2", "d1b1c98dd7689fb8ec11d242b123dc9b", "437b9aec36")]
    [InlineData(AeadAlgorithm.Aes128Gcm, "c206b8d9b9f0f37644430b490eeaa314", "2cd0991cd25b0aac406a5816b6394100", "2ec0d8356a")]
    [InlineData(
        AeadAlgorithm.ChaCha20Poly1305,
        "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4", "5e5cd55c41f69080575d7999c25a5bfb", "aefefe7d03")]
    public void Masks_match_RFC_9001(AeadAlgorithm algorithm, string key, string sample, string mask)
    {
        foreach (bool useInstructions in Implementations())
        {
            using var protection = new HeaderProtectionKey(algorithm, Convert.FromHexString(key), useInstructions);
            Assert.Equal(mask, Mask(protection, Convert.FromHexString(sample)));
        }
    }

    [Theory]
    [InlineData(AeadAlgorithm.Aes128Gcm)]
    [InlineData(AeadAlgorithm.Aes256Gcm)]
    public void Instructions_libcrypto_and_class_library_agree_for_random_keys(AeadAlgorithm algorithm)
    {
        var random = new SeededRandomSource(5);
        byte[] key = new byte[algorithm.KeyLength()], sample = new byte[HeaderProtectionKey.SampleLength];
        for (int i = 0; i < 200; i++)
        {
            random.Fill(key);
            random.Fill(sample);
            using var aes = System.Security.Cryptography.Aes.Create();
            aes.Key = key;
            string expected = Convert.ToHexStringLower(aes.EncryptEcb(sample, PaddingMode.None).AsSpan(0, 5));
            foreach (bool useInstructions in Implementations())
            {
                using var protection = new HeaderProtectionKey(algorithm, key, useInstructions);
                Assert.Equal(expected, Mask(protection, sample));
                Assert.Equal(expected, Mask(protection, sample));
            }
        }
    }

    [Fact]
    public void Wrong_lengths_and_use_after_disposal_throw()
    {
        Assert.Throws<ArgumentException>(() => new HeaderProtectionKey(AeadAlgorithm.Aes256Gcm, new byte[16]));
        var protection = new HeaderProtectionKey(AeadAlgorithm.Aes128Gcm, new byte[16]);
        Assert.Throws<ArgumentException>(() => protection.ComputeMask(new byte[15], new byte[5]));
        Assert.Throws<ArgumentException>(() => protection.ComputeMask(new byte[16], new byte[4]));
        protection.Dispose();
        Assert.Throws<ObjectDisposedException>(() => protection.ComputeMask(new byte[16], new byte[5]));
    }

    private static bool[] Implementations() => AesBlock.IsSupported ? [true, false] : [false];

    private static string Mask(HeaderProtectionKey key, byte[] sample)
    {
        Span<byte> mask = stackalloc byte[HeaderProtectionKey.MaskLength];
        key.ComputeMask(sample, mask);
        return Convert.ToHexStringLower(mask);
    }
}
