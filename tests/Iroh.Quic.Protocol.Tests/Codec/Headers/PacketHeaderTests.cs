using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Codec.Headers;

public class PacketHeaderTests
{
    [Fact]
    public void A_long_header_is_read_as_it_was_written()
    {
        const ulong Seed = 1;
        var random = new SeededRandomSource(Seed);
        for (int i = 0; i < 5_000; i++)
        {
            PacketType type = random.Coin() ? PacketType.Initial : PacketType.Handshake;
            ConnectionId destination = random.Id();
            ConnectionId source = random.Id();
            byte[] token = type == PacketType.Initial ? random.BytesUpTo(100) : [];
            int numberLength = 1 + (int)random.NextBelow(4);
            var writer = new WireWriter(new byte[2000]);
            int offset = LongHeader.Write(
                ref writer, type, destination, source, token, new PacketNumber(random.VarIntValue()), numberLength);
            Assert.Equal(
                writer.Position, LongHeader.EncodedLength(type, destination.Length, source.Length, token.Length, numberLength));
            writer.WriteBytes(random.Bytes(20 + (int)random.NextBelow(1000)));
            LongHeader.PatchLength(writer.Written, offset);
            int length = writer.Position;
            writer.WriteBytes(random.BytesUpTo(50)); // The next packet of the datagram.

            Assert.True(PacketHeader.TryParse(writer.Written, 8, out ParsedHeader header), $"seed {Seed}, round {i}");
            Assert.Equal(type, header.Type);
            Assert.Equal(QuicVersion.V1, header.Version);
            Assert.Equal(destination, header.DestinationId);
            Assert.Equal(source, header.SourceId);
            Assert.Equal(token, header.Token.ToArray());
            Assert.Equal(offset, header.PacketNumberOffset);
            Assert.Equal(length, header.PacketLength);
            Assert.Equal(numberLength, PacketHeader.PacketNumberLength(writer.Written[0]));
            Assert.False(PacketHeader.HasReservedBits(writer.Written[0]));
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void A_short_header_is_read_as_it_was_written(bool spin, bool keyPhase)
    {
        var id = new ConnectionId([1, 2, 3, 4, 5, 6, 7, 8]);
        var writer = new WireWriter(new byte[100]);
        int offset = ShortHeader.Write(ref writer, id, spin, keyPhase, new PacketNumber(0x123456), 3);
        Assert.Equal(ShortHeader.EncodedLength(8, 3), writer.Position);
        Assert.Equal([0x12, 0x34, 0x56], writer.Written[offset..].ToArray());
        writer.WriteBytes(new byte[30]);

        Assert.True(PacketHeader.TryParse(writer.Written, 8, out ParsedHeader header));
        Assert.Equal(PacketType.OneRtt, header.Type);
        Assert.Equal(id, header.DestinationId);
        Assert.Equal(9, header.PacketNumberOffset);
        Assert.Equal(writer.Position, header.PacketLength);
        Assert.Equal(spin, (writer.Written[0] & PacketHeader.SpinBit) != 0);
        Assert.Equal(keyPhase, (writer.Written[0] & PacketHeader.KeyPhaseBit) != 0);
        Assert.False(PacketHeader.HasReservedBits(writer.Written[0]));
    }

    [Theory]
    [InlineData(0x48, true)]
    [InlineData(0x50, true)]
    [InlineData(0x67, false)]
    [InlineData(0xc4, true)]
    [InlineData(0xc8, true)]
    [InlineData(0xf3, false)]
    public void Reserved_bits_are_those_of_the_header_form(byte first, bool reserved)
    {
        Assert.Equal(reserved, PacketHeader.HasReservedBits(first));
    }

    [Theory]
    [InlineData("", "no bytes")]
    [InlineData("0001020304050607081122", "short, fixed bit 0")]
    [InlineData("8000000001088394c8f03e5157080000014400", "long, fixed bit 0")]
    [InlineData("810a1a2a3a00001122", "unknown version, fixed bit 0")]
    [InlineData("40010203040506", "short, cut inside the id")]
    [InlineData("c0000000", "cut inside the version")]
    [InlineData("c000000001088394c8f03e", "cut inside the destination id")]
    [InlineData("c000000001008394c8f03e", "cut inside the source id")]
    [InlineData("c0000000010000054142", "cut inside the token")]
    [InlineData("c00000000100000044", "cut inside the length")]
    [InlineData("c0000000010000000500010203", "length beyond the datagram")]
    [InlineData("e0000000010000c0ffffffffffffff", "length beyond all bounds")]
    [InlineData("c00000000115000102030405060708090a0b0c0d0e0f10111213140000014400", "a destination id of 21 bytes in version 1")]
    [InlineData("f000000001000000112233445566778899aabbccddeeff", "a Retry with half a tag")]
    [InlineData("f0000000010000000102030405060708090a0b0c0d0e0f", "a Retry without a token")]
    public void What_is_no_packet_is_dropped(string hex, string why)
    {
        Assert.False(PacketHeader.TryParse(Convert.FromHexString(hex), 8, out _), why);
    }

    [Fact]
    public void Of_an_unknown_version_the_ids_are_read_even_if_they_are_long()
    {
        byte[] destination = new SeededRandomSource(1).Bytes(255);
        byte[] packet = [0xc5, 0x0a, 0x1a, 0x2a, 0x3a, 255, .. destination, 2, 7, 8, 0xff, 0xff];
        Assert.True(PacketHeader.TryParse(packet, 8, out ParsedHeader header));
        Assert.Equal(PacketType.UnknownVersion, header.Type);
        Assert.Equal(0x0a1a2a3aU, header.Version);
        Assert.Equal(destination, header.DestinationIdBytes.ToArray());
        Assert.Equal([7, 8], header.SourceIdBytes.ToArray());
    }

    [Fact]
    public void Version_negotiation_swaps_the_ids_and_lists_the_versions()
    {
        byte[] clientDestination = new SeededRandomSource(2).Bytes(30);
        byte[] clientSource = [1, 2, 3];
        uint[] versions = [QuicVersion.V1, 0x0a1a2a3a];
        var writer = new WireWriter(new byte[100]);
        VersionNegotiationPacket.Write(ref writer, 0x15, clientSource, clientDestination, versions);
        Assert.Equal(VersionNegotiationPacket.EncodedLength(3, 30, 2), writer.Position);
        Assert.Equal(
            "d500000000" + "03010203" + "1e" + Convert.ToHexStringLower(clientDestination) + "000000010a1a2a3a",
            Convert.ToHexStringLower(writer.Written));
    }

    [Theory]
    [InlineData(0xc0)]
    [InlineData(0x80)] // RFC 9000 §17.2.1: the fixed bit has no meaning here.
    public void Version_negotiation_is_read_and_searched(byte first)
    {
        byte[] packet = [first, 0, 0, 0, 0, 1, 9, 2, 7, 8, 0, 0, 0, 1, 0xff, 0, 0, 0x1d, 0xee];
        Assert.True(PacketHeader.TryParse(packet, 8, out ParsedHeader header));
        Assert.Equal(PacketType.VersionNegotiation, header.Type);
        Assert.Equal([9], header.DestinationIdBytes.ToArray());
        Assert.Equal([7, 8], header.SourceIdBytes.ToArray());
        Assert.True(VersionNegotiationPacket.Lists(packet, header, QuicVersion.V1));
        Assert.True(VersionNegotiationPacket.Lists(packet, header, 0xff00001d));
        Assert.False(VersionNegotiationPacket.Lists(packet, header, 2));
    }

    [Fact]
    public void Version_negotiation_with_ids_that_cannot_be_ours_is_dropped()
    {
        byte[] packet = [0xc0, 0, 0, 0, 0, 21, .. new byte[21], 0, 0, 0, 0, 1];
        Assert.False(PacketHeader.TryParse(packet, 8, out _));
    }

    [Fact]
    public void Any_bytes_are_parsed_to_spans_inside_the_datagram_or_dropped()
    {
        const ulong Seed = 3;
        var random = new SeededRandomSource(Seed);
        int parsed = 0;
        for (int i = 0; i < 100_000; i++)
        {
            byte[] input = random.Mutate(RandomPacket(random));
            int idLength = (int)random.NextBelow(ConnectionId.MaxLength + 1);
            if (!PacketHeader.TryParse(input, idLength, out ParsedHeader header))
                continue;
            parsed++;
            string round = $"seed {Seed}, round {i}";
            Assert.True(header.PacketLength > 0 && header.PacketLength <= input.Length, round);
            Assert.True(header.PacketNumberOffset > 0 && header.PacketNumberOffset <= header.PacketLength, round);
            if (header.Type == PacketType.VersionNegotiation)
                VersionNegotiationPacket.Lists(input, header, QuicVersion.V1);
            if (header.Type is PacketType.Initial or PacketType.Handshake)
                AssertWrittenAgain(input, header, round);
        }

        Assert.True(parsed > 20_000, $"seed {Seed}: only {parsed} inputs could be read");
    }

    private static void AssertWrittenAgain(ReadOnlySpan<byte> input, in ParsedHeader header, string round)
    {
        var writer = new WireWriter(new byte[4096]);
        int offset = LongHeader.Write(
            ref writer, header.Type, header.DestinationId, header.SourceId, header.Token, default, 1);
        writer = new WireWriter(writer.Written[..offset].ToArray().Concat(new byte[header.PacketLength]).ToArray());
        writer.Advance(offset);
        writer.WriteBytes(input[header.PacketNumberOffset..header.PacketLength]);
        LongHeader.PatchLength(writer.Written, offset);
        Assert.True(PacketHeader.TryParse(writer.Written, 8, out ParsedHeader again), round);
        Assert.True(
            again.Type == header.Type
            && again.DestinationIdBytes.SequenceEqual(header.DestinationIdBytes)
            && again.SourceIdBytes.SequenceEqual(header.SourceIdBytes)
            && again.Token.SequenceEqual(header.Token)
            && again.PacketLength - again.PacketNumberOffset == header.PacketLength - header.PacketNumberOffset,
            round);
    }

    private static byte[] RandomPacket(RandomSource random)
    {
        var writer = new WireWriter(new byte[2000]);
        ConnectionId destination = random.Id();
        ConnectionId source = random.Id();
        switch (random.NextBelow(5))
        {
            case 0:
                ShortHeader.Write(ref writer, destination, random.Coin(), random.Coin(), new PacketNumber(random.VarIntValue()), 2);
                writer.WriteBytes(random.BytesUpTo(60));
                break;
            case 1:
                VersionNegotiationPacket.Write(ref writer, (byte)random.NextUInt64(), destination.Span, source.Span, [1, 2]);
                break;
            case 2:
                RetryPacket.Write(ref writer, 0, destination, source, random.Id(), random.Bytes(20));
                break;
            default:
                PacketType type = random.Coin() ? PacketType.Initial : PacketType.Handshake;
                int offset = LongHeader.Write(
                    ref writer, type, destination, source, random.BytesUpTo(40), new PacketNumber(random.VarIntValue()), 2);
                writer.WriteBytes(random.BytesUpTo(100));
                LongHeader.PatchLength(writer.Written, offset);
                break;
        }

        return writer.Written.ToArray();
    }
}
