using Iroh.Base.Serialization;
using Iroh.Cryptography;

namespace Iroh.Base.Tests;

public class PostcardTests
{
    [Theory]
    [InlineData(0UL, "00")]
    [InlineData(127UL, "7f")]
    [InlineData(128UL, "8001")]
    [InlineData(65535UL, "ffff03")]
    [InlineData(ulong.MaxValue, "ffffffffffffffffff01")]
    public void Varints_are_little_endian_groups_of_seven_bits(ulong value, string hex)
    {
        var writer = new PostcardWriter();
        writer.WriteVarint(value);
        Assert.Equal(hex, Convert.ToHexStringLower(writer.Written));
        var reader = new PostcardReader(writer.Written);
        Assert.True(reader.TryReadUInt64(out ulong read));
        Assert.Equal(value, read);
    }

    [Theory]
    [InlineData("ffff04")]
    [InlineData("ffffff01")]
    [InlineData("80")]
    public void A_sixteen_bit_varint_that_overflows_or_ends_early_is_refused(string hex)
    {
        var reader = new PostcardReader(Convert.FromHexString(hex));
        Assert.False(reader.TryReadUInt16(out _));
    }

    [Fact]
    public void Overlong_zeros_within_the_width_are_read()
    {
        var reader = new PostcardReader([0x80, 0x80, 0x00]);
        Assert.True(reader.TryReadUInt16(out ushort value));
        Assert.Equal(0, value);
    }

    [Fact]
    public void A_length_beyond_the_bytes_is_refused_before_anything_is_allocated()
    {
        var writer = new PostcardWriter();
        writer.WriteVarint(ulong.MaxValue);
        var reader = new PostcardReader(writer.Written);
        Assert.False(reader.TryReadBytes(out _));
    }

    [Fact]
    public void A_string_that_is_not_utf8_is_refused()
    {
        var reader = new PostcardReader([2, 0xc3, 0x28]);
        Assert.False(reader.TryReadString(out _));
    }

    [Fact]
    public void Base_32_round_trips_and_refuses_what_no_bytes_encode_to()
    {
        for (ulong seed = 0; seed < 2_000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] bytes = new byte[random.NextBelow(70)];
            random.Fill(bytes);
            Assert.True(Base32.TryDecode(Base32.Encode(bytes), out byte[] decoded), $"seed {seed}");
            Assert.Equal(bytes, decoded);
            Assert.True(Base32.TryDecodeZ(Base32.EncodeZ(bytes), out decoded), $"seed {seed}");
            Assert.Equal(bytes, decoded);
        }

        Assert.False(Base32.TryDecode("a", out _));
        Assert.False(Base32.TryDecode("abc", out _));
        Assert.False(Base32.TryDecode("a1", out _));
        Assert.False(Base32.TryDecode("ab", out _));
        Assert.True(Base32.TryDecode("ae", out byte[] one) && one is [1]);
    }
}
