using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Crypto;

namespace Iroh.Quic.Protocol.Tests.Codec.Headers;

public class RetryPacketTests
{
    private static readonly ConnectionId Original = new(Rfc9001Vectors.ClientDestinationId);

    [Fact]
    public void The_Retry_of_RFC_9001_is_written_byte_for_byte()
    {
        var source = new ConnectionId(Convert.FromHexString("f067a5502a4262b5"));
        var writer = new WireWriter(new byte[100]);
        RetryPacket.Write(ref writer, 0x0f, default, source, Original, "token"u8);
        Assert.Equal(RetryPacket.EncodedLength(0, 8, 5), writer.Position);
        Assert.Equal(Rfc9001Vectors.RetryPacket, writer.Written.ToArray());
    }

    [Fact]
    public void The_Retry_of_RFC_9001_is_read_and_its_tag_is_valid()
    {
        byte[] packet = Rfc9001Vectors.RetryPacket;
        Assert.True(PacketHeader.TryParse(packet, 8, out ParsedHeader header));
        Assert.Equal(PacketType.Retry, header.Type);
        Assert.True(header.DestinationIdBytes.IsEmpty);
        Assert.Equal("f067a5502a4262b5", header.SourceId.ToString());
        Assert.Equal("token"u8.ToArray(), header.Token.ToArray());
        Assert.Equal(packet.Length - PacketHeader.TagLength, header.PacketNumberOffset);
        Assert.True(RetryPacket.HasValidTag(packet, Original));
    }

    [Fact]
    public void A_tag_is_invalid_for_another_original_id()
    {
        Assert.False(RetryPacket.HasValidTag(Rfc9001Vectors.RetryPacket, new ConnectionId([1, 2, 3, 4, 5, 6, 7, 8])));
    }

    [Fact]
    public void A_tag_is_invalid_after_any_changed_bit()
    {
        byte[] packet = Rfc9001Vectors.RetryPacket;
        for (int bit = 0; bit < packet.Length * 8; bit++)
        {
            packet[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(RetryPacket.HasValidTag(packet, Original), $"bit {bit}");
            packet[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }

    [Fact]
    public void Mutated_Retries_are_refused_and_never_throw()
    {
        const ulong Seed = 1;
        var random = new SeededRandomSource(Seed);
        byte[] valid = Rfc9001Vectors.RetryPacket;
        for (int i = 0; i < 50_000; i++)
        {
            byte[] packet = random.Mutate(valid);
            if (PacketHeader.TryParse(packet, 8, out ParsedHeader header) && header.Type == PacketType.Retry)
                Assert.Equal(packet.AsSpan().SequenceEqual(valid), RetryPacket.HasValidTag(packet, Original));
        }
    }
}
