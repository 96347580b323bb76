using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Codec.Headers;

public class PacketNumberCodecTests
{
    // RFC 9000 §A.2.
    [Theory]
    [InlineData(0xac5c02, 2)]
    [InlineData(0xace8fe, 3)]
    public void The_length_is_that_of_the_example_in_RFC_9000(ulong number, int length)
    {
        Assert.Equal(length, PacketNumberCodec.EncodedLength(new PacketNumber(number), new PacketNumber(0xabe8b3)));
    }

    // RFC 9000 §A.3.
    [Fact]
    public void The_example_of_RFC_9000_is_decoded()
    {
        PacketNumber number = PacketNumberCodec.Decode(new PacketNumber(0xa82f30ea), 0x9b32, 2);
        Assert.Equal(0xa82f9b32UL, number.Value);
    }

    // A.2: the range of the bytes is twice the distance to the largest acknowledged, so the boundaries are powers of two.
    [Theory]
    [InlineData(0, null, 1)]
    [InlineData(127, null, 1)]
    [InlineData(128, null, 2)]
    [InlineData(228, 100UL, 1)]
    [InlineData(229, 100UL, 2)]
    [InlineData(100 + (1 << 15), 100UL, 2)]
    [InlineData(101 + (1 << 15), 100UL, 3)]
    [InlineData(100 + (1 << 23), 100UL, 3)]
    [InlineData(101 + (1 << 23), 100UL, 4)]
    public void The_length_grows_with_what_is_in_flight(ulong number, ulong? acknowledged, int length)
    {
        PacketNumber? largest = acknowledged is { } value ? new PacketNumber(value) : null;
        Assert.Equal(length, PacketNumberCodec.EncodedLength(new PacketNumber(number), largest));
    }

    [Fact]
    public void The_receiver_restores_every_number_that_the_sender_may_send()
    {
        const ulong Seed = 1;
        var random = new SeededRandomSource(Seed);
        Span<byte> bytes = stackalloc byte[4];
        for (int i = 0; i < 50_000; i++)
        {
            // The sender knows of `acknowledged`; the receiver has that and perhaps more, up to the number before.
            ulong number = random.VarIntValue();
            ulong inFlight = 1 + random.NextBelow(Math.Min(number + 1, 1UL << (int)random.NextBelow(31)));
            PacketNumber? acknowledged = inFlight > number ? null : new PacketNumber(number - inFlight);
            int length = PacketNumberCodec.EncodedLength(new PacketNumber(number), acknowledged);
            ulong received = number == 0 ? 0 : number - 1 - random.NextBelow(Math.Min(inFlight, number));
            PacketNumber? largest = number == 0 ? null : new PacketNumber(received);

            var writer = new WireWriter(bytes);
            PacketNumberCodec.Write(ref writer, new PacketNumber(number), length);
            ulong truncated = 0;
            foreach (byte b in writer.Written)
                truncated = (truncated << 8) | b;
            Assert.Equal(length, writer.Position);
            PacketNumber decoded = PacketNumberCodec.Decode(largest, truncated, length);
            Assert.True(decoded.Value == number, $"seed {Seed}, round {i}: {number} after {largest} in {length}");
        }
    }

    [Fact]
    public void A_decoded_number_is_never_above_the_largest()
    {
        var random = new SeededRandomSource(2);
        for (int i = 0; i < 50_000; i++)
        {
            int length = 1 + (int)random.NextBelow(4);
            var largest = new PacketNumber(PacketNumber.Max.Value - random.NextBelow(1UL << 33));
            ulong truncated = random.NextBelow(1UL << (8 * length));
            Assert.True(PacketNumberCodec.Decode(largest, truncated, length).Value <= PacketNumber.Max.Value);
        }
    }
}
