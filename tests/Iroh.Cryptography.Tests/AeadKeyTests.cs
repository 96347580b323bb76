using System.Security.Cryptography;

namespace Iroh.Cryptography.Tests;

public sealed class AeadKeyTests
{
    public static TheoryData<AeadAlgorithm> Algorithms =>
        [AeadAlgorithm.Aes128Gcm, AeadAlgorithm.Aes256Gcm, AeadAlgorithm.ChaCha20Poly1305];

    // The GCM specification's test cases 1, 2 and 14: zero keys and nonces.
    [Theory]
    [InlineData(AeadAlgorithm.Aes128Gcm, "", "", "58e2fccefa7e3061367f1d57a4e7455a")]
    [InlineData(
        AeadAlgorithm.Aes128Gcm,
        "00000000000000000000000000000000", "0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf")]
    [InlineData(
        AeadAlgorithm.Aes256Gcm,
        "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919")]
    public void Zero_keys_give_the_published_answers(AeadAlgorithm algorithm, string plaintext, string ciphertext, string tag)
    {
        using var key = new AeadKey(algorithm, new byte[algorithm.KeyLength()]);
        byte[] data = Convert.FromHexString(plaintext);
        byte[] written = new byte[AeadKey.TagLength];

        key.Seal(new byte[AeadKey.NonceLength], [], data, written);

        Assert.Equal(ciphertext, Convert.ToHexStringLower(data));
        Assert.Equal(tag, Convert.ToHexStringLower(written));
    }

    // RFC 9001 A.5: a short header packet under ChaCha20-Poly1305 whose payload is one PING.
    [Fact]
    public void The_ChaCha20_packet_of_RFC_9001_is_sealed_byte_for_byte()
    {
        using var key = new AeadKey(
            AeadAlgorithm.ChaCha20Poly1305,
            Convert.FromHexString("c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8"));
        byte[] data = [0x01];
        byte[] tag = new byte[AeadKey.TagLength];

        key.Seal(Convert.FromHexString("e0459b3474bdd0e46d417eb0"), Convert.FromHexString("4200bff4"), data, tag);

        Assert.Equal("655e5cd55c41f69080575d7999c25a5bfb", Convert.ToHexStringLower([.. data, .. tag]));
    }

    [Theory]
    [MemberData(nameof(Algorithms))]
    public void One_key_used_in_both_directions_agrees_with_the_class_library(AeadAlgorithm algorithm)
    {
        var random = new SeededRandomSource(11);
        byte[] keyBytes = new byte[algorithm.KeyLength()];
        random.Fill(keyBytes);
        using var key = new AeadKey(algorithm, keyBytes);
        for (int round = 0; round < 200; round++)
        {
            byte[] nonce = new byte[AeadKey.NonceLength];
            byte[] associated = new byte[(int)random.NextBelow(40)];
            byte[] plaintext = new byte[(int)random.NextBelow(1500)];
            random.Fill(nonce);
            random.Fill(associated);
            random.Fill(plaintext);
            byte[] expected = new byte[plaintext.Length], expectedTag = new byte[AeadKey.TagLength];
            SealWithClassLibrary(algorithm, keyBytes, nonce, plaintext, expected, expectedTag, associated);

            byte[] data = [.. plaintext];
            byte[] tag = new byte[AeadKey.TagLength];
            key.Seal(nonce, associated, data, tag);
            Assert.Equal(expected, data);
            Assert.Equal(expectedTag, tag);

            Assert.True(key.TryOpen(nonce, associated, data, tag));
            Assert.Equal(plaintext, data);
        }
    }

    [Theory]
    [MemberData(nameof(Algorithms))]
    public void Anything_changed_fails_and_shows_no_plaintext_and_the_key_stays_usable(AeadAlgorithm algorithm)
    {
        using var key = new AeadKey(algorithm, new byte[algorithm.KeyLength()]);
        byte[] nonce = new byte[AeadKey.NonceLength];
        byte[] associated = [1, 2, 3];
        byte[] sealedData = "some plaintext"u8.ToArray();
        byte[] tag = new byte[AeadKey.TagLength];
        key.Seal(nonce, associated, sealedData, tag);

        byte[][] parts = [nonce, associated, sealedData, tag];
        foreach (byte[] part in parts)
        {
            for (int i = 0; i < part.Length; i++)
            {
                part[i] ^= 0x10;
                byte[] data = [.. sealedData];
                byte[] tagBefore = [.. tag];
                Assert.False(key.TryOpen(nonce, associated, data, tag));
                Assert.Equal(new byte[data.Length], data);
                Assert.Equal(tagBefore, tag);
                part[i] ^= 0x10;
            }
        }

        Assert.True(key.TryOpen(nonce, associated, sealedData, tag));
        Assert.Equal("some plaintext"u8.ToArray(), sealedData);
    }

    [Theory]
    [MemberData(nameof(Algorithms))]
    public void A_key_of_another_length_is_refused(AeadAlgorithm algorithm) =>
        Assert.Throws<ArgumentException>(() => new AeadKey(algorithm, new byte[24]));

    [Fact]
    public void A_disposed_key_throws()
    {
        var key = new AeadKey(AeadAlgorithm.Aes128Gcm, new byte[16]);
        key.Dispose();
        key.Dispose();

        Assert.Throws<ObjectDisposedException>(() => key.Seal(new byte[12], [], new byte[1], new byte[16]));
    }

    [Theory]
    [MemberData(nameof(Algorithms))]
    public void Sealing_and_opening_allocate_nothing(AeadAlgorithm algorithm)
    {
        using var key = new AeadKey(algorithm, new byte[algorithm.KeyLength()]);
        byte[] nonce = new byte[AeadKey.NonceLength], data = new byte[1400], tag = new byte[AeadKey.TagLength];
        SealAndOpen(2);

        long before = GC.GetAllocatedBytesForCurrentThread();
        SealAndOpen(100);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, allocated);

        void SealAndOpen(int times)
        {
            for (int i = 0; i < times; i++)
            {
                key.Seal(nonce, nonce, data, tag);
                if (!key.TryOpen(nonce, nonce, data, tag))
                    throw new InvalidOperationException("A sealed message did not open.");
            }
        }
    }

    private static void SealWithClassLibrary(
        AeadAlgorithm algorithm, byte[] key, byte[] nonce, byte[] plaintext, byte[] ciphertext, byte[] tag, byte[] associated)
    {
        if (algorithm == AeadAlgorithm.ChaCha20Poly1305)
        {
            using var chaCha = new ChaCha20Poly1305(key);
            chaCha.Encrypt(nonce, plaintext, ciphertext, tag, associated);
        }
        else
        {
            using var gcm = new AesGcm(key, AeadKey.TagLength);
            gcm.Encrypt(nonce, plaintext, ciphertext, tag, associated);
        }
    }
}
