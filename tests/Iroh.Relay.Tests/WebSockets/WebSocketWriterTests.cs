using Iroh.Cryptography;
using Iroh.Relay.WebSockets;

namespace Iroh.Relay.Tests.WebSockets;

public sealed class WebSocketWriterTests
{
    [Fact]
    public void The_example_of_RFC_6455_5_7_is_written()
    {
        byte[] frame = new byte[11];
        uint mask = BitConverter.ToUInt32([0x37, 0xfa, 0x21, 0x3d]);
        int header = WebSocketWriter.WriteHeader(frame, WebSocketOpcode.Text, 5, mask);
        WebSocketWriter.CopyMasked("Hello"u8, frame.AsSpan(header), mask, 0);
        Assert.Equal("818537fa213d7f9f4d5158", Convert.ToHexStringLower(frame));
    }

    [Theory]
    [InlineData(125, 6)]
    [InlineData(126, 8)]
    [InlineData(65_535, 8)]
    [InlineData(65_536, 14)]
    public void A_header_is_as_short_as_its_length_lets_it(int payloadLength, int headerLength)
    {
        byte[] header = new byte[WebSocketWriter.HeaderLengthMax];
        Assert.Equal(headerLength, WebSocketWriter.HeaderLength(payloadLength));
        Assert.Equal(headerLength, WebSocketWriter.WriteHeader(header, WebSocketOpcode.Binary, payloadLength, 0));
    }

    [Fact]
    public void Masking_in_parts_is_masking_at_once()
    {
        const ulong Seed = 8;
        var random = new SeededRandomSource(Seed);
        for (int round = 0; round < 500; round++)
        {
            byte[] payload = new byte[random.NextBelow(300)];
            random.Fill(payload);
            uint mask = (uint)random.NextUInt64();
            byte[] expected = new byte[payload.Length];
            byte[] key = BitConverter.GetBytes(mask);
            for (int i = 0; i < payload.Length; i++)
                expected[i] = (byte)(payload[i] ^ key[i % 4]);
            int split = (int)random.NextBelow((ulong)payload.Length + 1);
            byte[] masked = new byte[payload.Length];
            WebSocketWriter.CopyMasked(payload.AsSpan(0, split), masked, mask, 0);
            WebSocketWriter.CopyMasked(payload.AsSpan(split), masked.AsSpan(split), mask, split);
            Assert.True(expected.AsSpan().SequenceEqual(masked), $"seed {Seed}, round {round}");
        }
    }
}
