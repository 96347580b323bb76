using System.Security.Cryptography;
using Iroh.Cryptography;
using Iroh.Tls.KeyExchange;

namespace Iroh.Tls.Tests;

public sealed class EphemeralKeyTests
{
    [Theory]
    [InlineData(KeyExchangeGroup.X25519, 32)]
    [InlineData(KeyExchangeGroup.Secp256r1, 65)]
    public void Both_ends_agree_and_the_same_seed_gives_the_same_keys(KeyExchangeGroup group, int length)
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            var one = new EphemeralKey(new SeededRandomSource(seed));
            var other = new EphemeralKey(new SeededRandomSource(seed + 1000));
            byte[] secret = new byte[32], otherSecret = new byte[32];

            Assert.True(one.TryAgree(group, other.PublicKey(group), secret), $"seed {seed}");
            Assert.True(other.TryAgree(group, one.PublicKey(group), otherSecret), $"seed {seed}");

            Assert.Equal(secret, otherSecret);
            Assert.NotEqual(new byte[32], secret);
            Assert.Equal(length, one.PublicKey(group).Length);
            Assert.Equal(one.PublicKey(group), new EphemeralKey(new SeededRandomSource(seed)).PublicKey(group));
            Assert.NotEqual(one.PublicKey(group), other.PublicKey(group));
        }
    }

    // Another implementation's way to the same secret, so that both ends cannot be wrong alike.
    [Fact]
    public void The_secret_of_P256_is_the_x_coordinate_of_the_common_point()
    {
        var own = new EphemeralKey(new SeededRandomSource(3));
        using var peer = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
        ECPoint point = peer.ExportParameters(false).Q;
        byte[] share = own.PublicKey(KeyExchangeGroup.Secp256r1), secret = new byte[32];
        using var ownKey = ECDiffieHellman.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint { X = share[1..33], Y = share[33..] },
        });

        Assert.True(own.TryAgree(KeyExchangeGroup.Secp256r1, [4, .. point.X!, .. point.Y!], secret));

        Assert.Equal(peer.DeriveRawSecretAgreement(ownKey.PublicKey), secret);
    }

    [Fact]
    public void Shares_that_are_no_keys_are_refused()
    {
        var key = new EphemeralKey(new SeededRandomSource(1));
        byte[] good = key.PublicKey(KeyExchangeGroup.Secp256r1), secret = new byte[32];

        Assert.False(key.TryAgree(KeyExchangeGroup.X25519, new byte[32], secret));
        Assert.False(key.TryAgree(KeyExchangeGroup.X25519, good, secret));
        Assert.False(key.TryAgree(KeyExchangeGroup.Secp256r1, [], secret));
        Assert.False(key.TryAgree(KeyExchangeGroup.Secp256r1, good.AsSpan(0, 64), secret));
        Assert.False(key.TryAgree(KeyExchangeGroup.Secp256r1, [3, .. good[1..]], secret));
        Assert.False(key.TryAgree(KeyExchangeGroup.Secp256r1, [4, .. new byte[64]], secret));
        Assert.False(key.TryAgree(KeyExchangeGroup.Secp256r1, [.. good[..64], (byte)(good[64] ^ 1)], secret));
        Assert.False(key.TryAgree(KeyExchangeGroup.Secp256r1, [4, .. Enumerable.Repeat((byte)255, 64)], secret));
    }
}
