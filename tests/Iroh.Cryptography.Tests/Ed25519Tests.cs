using System.Globalization;
using System.Numerics;

namespace Iroh.Cryptography.Tests;

public sealed class Ed25519Tests
{
    // L, the order of the base point (RFC 8032 §5.1).
    private static readonly BigInteger GroupOrder =
        BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493", CultureInfo.InvariantCulture);

    // RFC 8032 §7.1: seed, public key, message, signature.
    public static TheoryData<string, string, string, string> Rfc8032 => new()
    {
        {
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        },
        {
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        },
        {
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        },
        {
            // Measured with the Rust endpoint: seed 00..1f, "hello iroh".
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8",
            "68656c6c6f2069726f68",
            "0d6841696055415c124b35ea9b90564bce157f9f73024b59107f161c817d74539694930fb3d28d9ec5d06bbf316173df5441b09d3c77133f67111b0bed8ab800"
        },
    };

    [Theory]
    [MemberData(nameof(Rfc8032))]
    public void Keys_and_signatures_match_the_vectors(string seed, string publicKey, string message, string signature)
    {
        Span<byte> key = stackalloc byte[Ed25519.PublicKeyLength];
        Span<byte> signed = stackalloc byte[Ed25519.SignatureLength];
        byte[] text = Convert.FromHexString(message);

        Ed25519.DerivePublicKey(Convert.FromHexString(seed), key);
        Ed25519.Sign(Convert.FromHexString(seed), text, signed);

        Assert.Equal(publicKey, Convert.ToHexStringLower(key));
        Assert.Equal(signature, Convert.ToHexStringLower(signed));
        Assert.True(Ed25519.Verify(key, text, signed));
    }

    // Secret keys and ids of the Rust library (endpoint ids, author ids and namespace ids are the same map).
    [Theory]
    [InlineData("00", "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29")]
    [InlineData("01", "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c")]
    [InlineData("02", "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394")]
    [InlineData("a1", "bc7cbcb5636375fa1d82434d466724d92377f53b980695dd49d26d0ce12205a5")]
    [InlineData("a2", "65e8f9b0bc6eae124169f0576f97362d295a8cf5f770b45e14357ce647d33eec")]
    [InlineData("b2", "55154f42065ea5a1bea05463826be2684eb92df92c100027aabaae57ca554207")]
    [InlineData("ff", "76a1592044a6e4f511265bca73a604d90b0529d1df602be30a19a9257660d1f5")]
    public void A_seed_of_one_repeated_byte_has_the_known_public_key(string seedByte, string publicKey)
    {
        byte[] seed = new byte[Ed25519.SeedLength];
        Array.Fill(seed, Convert.ToByte(seedByte, 16));
        byte[] key = new byte[Ed25519.PublicKeyLength];

        Ed25519.DerivePublicKey(seed, key);

        Assert.Equal(publicKey, Convert.ToHexStringLower(key));
        Assert.True(Ed25519.IsValidPublicKey(key));
    }

    [Fact]
    public void Any_flipped_bit_makes_the_signature_invalid()
    {
        (byte[] key, byte[] message, byte[] signature) = Signed();
        for (int bit = 0; bit < 8 * signature.Length; bit++)
        {
            signature[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(Ed25519.Verify(key, message, signature), $"signature bit {bit}");
            signature[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        for (int bit = 0; bit < 8 * key.Length; bit++)
        {
            key[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(Ed25519.Verify(key, message, signature), $"key bit {bit}");
            key[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        message[0] ^= 1;
        Assert.False(Ed25519.Verify(key, message, signature));
    }

    [Fact]
    public void S_plus_the_group_order_is_refused()
    {
        (byte[] key, byte[] message, byte[] signature) = Signed();
        BigInteger s = new BigInteger(signature.AsSpan(32), isUnsigned: true) + GroupOrder;
        Span<byte> unreduced = signature.AsSpan(32);
        unreduced.Clear();
        Assert.True(s.TryWriteBytes(unreduced, out _, isUnsigned: true));

        Assert.False(Ed25519.Verify(key, message, signature));
    }

    // With a key of small order, R = identity and S = 0 satisfy the equation for every eighth message or for all of them:
    // what verify_strict is there to refuse.
    [Theory]
    [MemberData(nameof(SmallOrderEncodings))]
    public void Keys_of_small_order_verify_nothing(string encoded)
    {
        byte[] key = Convert.FromHexString(encoded);
        byte[] signature = new byte[Ed25519.SignatureLength];
        signature[0] = 1;
        for (byte message = 0; message < 32; message++)
            Assert.False(Ed25519.Verify(key, [message], signature));
    }

    [Theory]
    [MemberData(nameof(SmallOrderEncodings))]
    public void Small_order_encodings_are_points_and_eight_of_them_are_the_identity(string encoded)
    {
        byte[] key = Convert.FromHexString(encoded);

        Assert.True(Ed25519.IsValidPublicKey(key));
        Assert.True(Ed25519Point.HasSmallOrder(key));
        Assert.Equal((BigInteger.Zero, BigInteger.One), TimesEight(key));
    }

    [Theory]
    [InlineData("0200000000000000000000000000000000000000000000000000000000000000", false)]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000", true)]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000000", true)]
    [InlineData("0100000000000000000000000000000000000000000000000000000000000080", true)]
    [InlineData("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", true)]
    [InlineData("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", true)]
    [InlineData("efffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", false)]
    [InlineData("", false)]
    [InlineData("00", false)]
    [InlineData("000000000000000000000000000000000000000000000000000000000000000000", false)]
    public void Public_keys_are_accepted_as_the_Rust_library_accepts_them(string encoded, bool valid) =>
        Assert.Equal(valid, Ed25519.IsValidPublicKey(Convert.FromHexString(encoded)));

    [Fact]
    public void About_half_of_all_random_bytes_are_points()
    {
        var random = new SeededRandomSource(7);
        byte[] bytes = new byte[32];
        int points = 0;
        for (int i = 0; i < 400; i++)
        {
            random.Fill(bytes);
            points += Ed25519.IsValidPublicKey(bytes) ? 1 : 0;
        }

        Assert.InRange(points, 150, 250);
    }

    public static TheoryData<string> SmallOrderEncodings()
    {
        var all = new TheoryData<string>();
        foreach (string y in (string[])[
            "0000000000000000000000000000000000000000000000000000000000000000",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"])
        {
            byte[] bytes = Convert.FromHexString(y);
            all.Add(Convert.ToHexStringLower(bytes));
            bytes[31] |= 0x80;
            all.Add(Convert.ToHexStringLower(bytes));
        }

        return all;
    }

    private static (byte[] Key, byte[] Message, byte[] Signature) Signed()
    {
        byte[] seed = new byte[Ed25519.SeedLength];
        byte[] key = new byte[Ed25519.PublicKeyLength];
        byte[] signature = new byte[Ed25519.SignatureLength];
        byte[] message = [1, 2, 3];
        new SeededRandomSource(1).Fill(seed);
        Ed25519.DerivePublicKey(seed, key);
        Ed25519.Sign(seed, message, signature);
        return (key, message, signature);
    }

    // Textbook affine arithmetic (RFC 8032 §5.1.2 to §5.1.4), independent of the code under test.
    private static (BigInteger X, BigInteger Y) TimesEight(byte[] encoded)
    {
        BigInteger p = BigInteger.Pow(2, 255) - 19;
        BigInteger d = Mod(-121665 * Inverse(121666, p), p);
        byte[] yBytes = [.. encoded];
        yBytes[31] &= 0x7f;
        BigInteger y = Mod(new BigInteger(yBytes, isUnsigned: true), p);
        BigInteger square = Mod((y * y - 1) * Inverse(d * y * y + 1, p), p);
        BigInteger x = BigInteger.ModPow(square, (p + 3) / 8, p);
        if (Mod(x * x - square, p) != 0)
            x = Mod(x * BigInteger.ModPow(2, (p - 1) / 4, p), p);
        Assert.Equal(square, Mod(x * x, p));
        for (int i = 0; i < 3; i++)
        {
            BigInteger t = Mod(d * x * x * y * y, p);
            (x, y) = (Mod(2 * x * y * Inverse(1 + t, p), p), Mod((y * y + x * x) * Inverse(1 - t, p), p));
        }

        return (x, y);
    }

    private static BigInteger Mod(BigInteger value, BigInteger p) => ((value % p) + p) % p;

    private static BigInteger Inverse(BigInteger value, BigInteger p) => BigInteger.ModPow(Mod(value, p), p - 2, p);
}
