using System.Security.Cryptography;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Codec;

namespace Iroh.Quic.Protocol.Tests.ConnectionIds;

public class StatelessResetTests
{
    private static readonly byte[] Key = new SeededRandomSource(1).Bytes(StatelessReset.KeyLength);
    private static readonly ConnectionId Id = new([1, 2, 3, 4, 5, 6, 7, 8]);

    [Fact]
    public void A_token_is_the_start_of_the_HMAC_of_the_id()
    {
        byte[] hmac = HMACSHA256.HashData(Key, new byte[] { 1, 2, 3, 4, 5, 6, 7, 8 });
        Assert.Equal(new StatelessResetToken(hmac.AsSpan(0, 16)), new StatelessReset(Key).TokenOf(Id));
    }

    [Fact]
    public void The_same_key_makes_the_same_tokens_and_another_key_others()
    {
        byte[] otherKey = new SeededRandomSource(2).Bytes(StatelessReset.KeyLength);
        Assert.Equal(new StatelessReset(Key).TokenOf(Id), new StatelessReset(Key).TokenOf(Id));
        Assert.NotEqual(new StatelessReset(Key).TokenOf(Id), new StatelessReset(otherKey).TokenOf(Id));
    }

    // RFC 9000 §10.3.3: "an endpoint MUST ensure that every Stateless Reset that it sends is smaller than the packet that
    // triggered it".
    [Fact]
    public void A_reset_is_smaller_than_its_trigger_and_looks_like_a_short_header_packet()
    {
        var random = new SeededRandomSource(3);
        var token = new StatelessResetToken(random.Bytes(16));
        byte[] buffer = new byte[2000];
        for (int trigger = 0; trigger < 1500; trigger++)
        {
            bool written = StatelessReset.TryWrite(buffer, trigger, token, random, out int length);
            Assert.Equal(trigger > 21, written);
            if (!written)
                continue;
            Assert.InRange(length, StatelessReset.LengthMin, trigger - 1);
            if (trigger <= 43)
                Assert.Equal(trigger - 1, length);
            Assert.Equal(PacketHeader.FixedBit, buffer[0] & (PacketHeader.LongBit | PacketHeader.FixedBit));
            Assert.True(StatelessReset.TryGetToken(buffer.AsSpan(0, length), out StatelessResetToken found));
            Assert.Equal(token, found);
        }
    }

    // RFC 9000 §10.3: at least 21 bytes.
    [Fact]
    public void Datagrams_below_21_bytes_are_no_resets()
    {
        Assert.False(StatelessReset.TryGetToken(new byte[20], out _));
        Assert.True(StatelessReset.TryGetToken(new byte[21], out _));
    }

    [Fact]
    public void Tokens_differ_by_any_bit()
    {
        byte[] bytes = new SeededRandomSource(4).Bytes(16);
        var token = new StatelessResetToken(bytes);
        Assert.Equal(Convert.ToHexStringLower(bytes), token.ToString());
        for (int bit = 0; bit < 128; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.NotEqual(token, new StatelessResetToken(bytes));
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        Assert.Equal(token, new StatelessResetToken(bytes));
    }
}
