namespace Iroh.Cryptography.Tests;

public sealed class X25519Tests
{
    // RFC 7748 §5.2: scalar, u coordinate, product.
    [Theory]
    [InlineData(
        "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")]
    [InlineData(
        "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
        "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957")]
    public void Products_match_the_vectors(string scalar, string u, string product)
    {
        byte[] result = new byte[X25519.KeyLength];

        Assert.True(X25519.TryAgree(Convert.FromHexString(scalar), Convert.FromHexString(u), result));

        Assert.Equal(product, Convert.ToHexStringLower(result));
    }

    // RFC 7748 §5.2, the loop.
    [Theory]
    [InlineData(1, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")]
    [InlineData(1000, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")]
    public void Repeated_products_match_the_vectors(int times, string expected)
    {
        byte[] scalar = new byte[X25519.KeyLength];
        scalar[0] = 9;
        byte[] u = [.. scalar];
        for (int i = 0; i < times; i++)
        {
            byte[] product = new byte[X25519.KeyLength];
            Assert.True(X25519.TryAgree(scalar, u, product));
            u = scalar;
            scalar = product;
        }

        Assert.Equal(expected, Convert.ToHexStringLower(scalar));
    }

    [Fact]
    public void Both_sides_of_the_exchange_in_RFC_7748_section_6_1_agree()
    {
        byte[] alice = Convert.FromHexString("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        byte[] bob = Convert.FromHexString("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        byte[] alicePublic = new byte[32], bobPublic = new byte[32], one = new byte[32], other = new byte[32];

        X25519.DerivePublicKey(alice, alicePublic);
        X25519.DerivePublicKey(bob, bobPublic);
        Assert.True(X25519.TryAgree(alice, bobPublic, one));
        Assert.True(X25519.TryAgree(bob, alicePublic, other));

        Assert.Equal("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", Convert.ToHexStringLower(alicePublic));
        Assert.Equal("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", Convert.ToHexStringLower(bobPublic));
        Assert.Equal("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", Convert.ToHexStringLower(one));
        Assert.Equal(one, other);
    }

    // u coordinates of small order: 0, 1, p - 1, p, p + 1 and the two of order 8.
    [Theory]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [InlineData("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")]
    [InlineData("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")]
    public void A_peer_key_of_small_order_is_refused_and_leaves_no_secret(string peer)
    {
        byte[] secret = new byte[X25519.KeyLength];
        Array.Fill(secret, (byte)7);
        byte[] own = new byte[X25519.KeyLength];
        new SeededRandomSource(3).Fill(own);

        Assert.False(X25519.TryAgree(own, Convert.FromHexString(peer), secret));

        Assert.Equal(new byte[X25519.KeyLength], secret);
    }
}
