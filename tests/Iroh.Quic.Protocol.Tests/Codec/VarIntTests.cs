using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;

namespace Iroh.Quic.Protocol.Tests.Codec;

public class VarIntTests
{
    // RFC 9000 §A.1.
    [Theory]
    [InlineData("c2197c5eff14e88c", 151_288_809_941_952_652)]
    [InlineData("9d7f3e7d", 494_878_333)]
    [InlineData("7bbd", 15_293)]
    [InlineData("25", 37)]
    public void The_examples_of_RFC_9000_are_read_and_written(string hex, ulong value)
    {
        byte[] bytes = Convert.FromHexString(hex);
        var reader = new WireReader(bytes);
        Assert.True(reader.TryReadVarInt(out ulong read));
        Assert.Equal(value, read);
        Assert.Equal(0, reader.Remaining);
        Assert.Equal(bytes.Length, VarInt.Length(value));

        var writer = new WireWriter(new byte[8]);
        writer.WriteVarInt(value);
        Assert.Equal(hex, Convert.ToHexStringLower(writer.Written));
    }

    [Fact]
    public void A_longer_form_has_the_same_value()
    {
        var reader = new WireReader([0x40, 0x25]); // RFC 9000 §A.1: the same 37 in two bytes.
        Assert.True(reader.TryReadVarInt(out ulong value));
        Assert.Equal(37UL, value);
    }

    [Fact]
    public void Every_form_survives_and_every_cut_is_refused()
    {
        var random = new SeededRandomSource(1);
        Span<byte> buffer = stackalloc byte[8];
        for (int i = 0; i < 50_000; i++)
        {
            ulong value = random.VarIntValue();
            int shortest = VarInt.Length(value);
            for (int length = shortest; length <= 8; length *= 2)
            {
                var writer = new WireWriter(buffer);
                writer.WriteVarInt(value, length);
                Assert.Equal(length, writer.Position);
                var reader = new WireReader(buffer[..length]);
                Assert.True(reader.TryReadVarInt(out ulong read));
                Assert.Equal(value, read);
                var cut = new WireReader(buffer[..(length - 1)]);
                Assert.False(cut.TryReadVarInt(out _));
                Assert.Equal(0, cut.Position);
            }
        }
    }
}
