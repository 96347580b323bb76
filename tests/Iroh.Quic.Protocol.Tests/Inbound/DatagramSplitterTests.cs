using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Inbound;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Inbound;

public class DatagramSplitterTests
{
    private static readonly ConnectionId Id = new([1, 2, 3, 4, 5, 6, 7, 8]);
    private static readonly ConnectionId OtherId = new([8, 7, 6, 5, 4, 3, 2, 1]);

    [Fact]
    public void Coalesced_packets_come_one_after_the_other()
    {
        byte[] datagram = [.. Long(PacketType.Initial, Id, 30), .. Long(PacketType.Handshake, Id, 40), .. Short(Id, 50)];
        var splitter = new DatagramSplitter(datagram, 8);
        Assert.True(splitter.TryNext(out Span<byte> packet, out ParsedHeader header));
        Assert.Equal(PacketType.Initial, header.Type);
        int first = packet.Length;
        Assert.True(splitter.TryNext(out packet, out header));
        Assert.Equal(PacketType.Handshake, header.Type);
        int second = packet.Length;
        Assert.True(splitter.TryNext(out packet, out header));
        Assert.Equal(PacketType.OneRtt, header.Type);
        Assert.Equal(datagram.Length, first + second + packet.Length);
        Assert.Equal(0, splitter.Remaining);
        Assert.False(splitter.TryNext(out _, out _));
    }

    [Fact]
    public void A_packet_for_somebody_else_ends_the_datagram()
    {
        byte[] stranger = Short(OtherId, 50);
        byte[] datagram = [.. Long(PacketType.Initial, Id, 30), .. stranger];
        var splitter = new DatagramSplitter(datagram, 8);
        Assert.True(splitter.TryNext(out _, out _));
        Assert.False(splitter.TryNext(out _, out _));
        Assert.Equal(stranger.Length, splitter.Remaining);
    }

    [Fact]
    public void A_header_that_cannot_be_read_ends_the_datagram()
    {
        byte[] datagram = [.. Long(PacketType.Initial, Id, 30), 0, 0, 0];
        var splitter = new DatagramSplitter(datagram, 8);
        Assert.True(splitter.TryNext(out _, out _));
        Assert.False(splitter.TryNext(out _, out _));
        Assert.Equal(3, splitter.Remaining);
    }

    private static byte[] Long(PacketType type, ConnectionId id, int payload)
    {
        byte[] packet = new byte[LongHeader.EncodedLength(type, id.Length, 0, 0, 1) + payload];
        var writer = new WireWriter(packet);
        int offset = LongHeader.Write(ref writer, type, id, default, default, default, 1);
        LongHeader.PatchLength(packet, offset);
        return packet;
    }

    private static byte[] Short(ConnectionId id, int payload)
    {
        byte[] packet = new byte[9 + payload];
        packet[0] = 0x40;
        id.Span.CopyTo(packet.AsSpan(1));
        return packet;
    }
}
