using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.Codec.Frames;

public class AckFrameTests
{
    [Fact]
    public void Ranges_are_written_until_the_space_is_used_up()
    {
        PacketNumberRange[] ranges = Every(10, 100);
        for (int space = 0; space < 400; space++)
        {
            var writer = new WireWriter(new byte[space]);
            bool written = AckFrame.TryWrite(ref writer, ranges, 3, new EcnCounts(1, 2, 3), out int count);
            Assert.Equal(count > 0, written);
            Assert.Equal(written, writer.Position > 0);
            if (!written)
                continue;

            AckFrame frame = Read(writer.Written);
            Assert.Equal(ranges[..count], AnyFrame.Ranges(frame));
            Assert.Equal(new EcnCounts(1, 2, 3), frame.Ecn);
            // One more range takes two bytes here.
            Assert.True(count == AckFrame.WrittenRangesMax || writer.Remaining < 2, $"{space}");
        }
    }

    [Fact]
    public void No_more_than_64_ranges_are_written()
    {
        var writer = new WireWriter(new byte[2000]);
        Assert.True(AckFrame.TryWrite(ref writer, Every(10, 100), 0, null, out int count));
        Assert.Equal(64, count);
        Assert.Equal(64, Read(writer.Written).RangeCount);
    }

    [Fact]
    public void A_frame_of_the_peer_may_have_more_ranges()
    {
        byte[] bytes = new byte[300];
        var writer = new WireWriter(bytes);
        writer.WriteVarInt(1000);
        writer.WriteVarInt(0);
        writer.WriteVarInt(100);
        writer.WriteVarInt(0);
        for (int i = 0; i < 100; i++)
        {
            writer.WriteVarInt(1);
            writer.WriteVarInt(2);
        }

        var reader = new WireReader(writer.Written);
        Assert.True(AckFrame.TryRead(ref reader, FrameType.Ack, out AckFrame frame));
        PacketNumberRange[] ranges = AnyFrame.Ranges(frame);
        Assert.Equal(101, ranges.Length);
        Assert.Equal(new PacketNumberRange(new PacketNumber(1000), new PacketNumber(1000)), ranges[0]);
        Assert.Equal(new PacketNumberRange(new PacketNumber(995), new PacketNumber(997)), ranges[1]);
        Assert.Equal(new PacketNumberRange(new PacketNumber(500), new PacketNumber(502)), ranges[100]);
    }

    [Fact]
    public void The_largest_packet_numbers_do_not_overflow()
    {
        ulong max = PacketNumber.Max.Value;
        PacketNumberRange[] ranges =
        [
            new(new PacketNumber(max), new PacketNumber(max)),
            new(new PacketNumber(0), new PacketNumber(max - 2)),
        ];
        var writer = new WireWriter(new byte[64]);
        Assert.True(AckFrame.TryWrite(ref writer, ranges, 0, null, out _));
        Assert.Equal(ranges, AnyFrame.Ranges(Read(writer.Written)));
    }

    [Fact]
    public void The_delay_is_scaled_by_the_exponent()
    {
        Assert.Equal(125UL, AckFrame.EncodeDelay(TimeSpan.FromMilliseconds(1), 3));
        Assert.Equal(0UL, AckFrame.EncodeDelay(TimeSpan.FromMilliseconds(-1), 3));
        var writer = new WireWriter(new byte[64]);
        AckFrame.TryWrite(ref writer, Every(10, 1), 125, null, out _);
        Assert.Equal(TimeSpan.FromMilliseconds(1), Read(writer.Written).Delay(3));
    }

    [Fact]
    public void A_delay_beyond_all_bounds_is_the_longest_time()
    {
        var writer = new WireWriter(new byte[64]);
        AckFrame.TryWrite(ref writer, Every(10, 1), VarInt.Max, null, out _);
        Assert.Equal(TimeSpan.MaxValue, Read(writer.Written).Delay(20));
    }

    private static PacketNumberRange[] Every(ulong step, int count) =>
        [.. Enumerable.Range(0, count).Select(i => new PacketNumber(60 + (ulong)(count - i) * step))
            .Select(n => new PacketNumberRange(n, n))];

    private static AckFrame Read(ReadOnlySpan<byte> bytes)
    {
        var reader = new WireReader(bytes);
        Assert.True(FrameReader.TryReadType(ref reader, out ulong type, out _));
        Assert.True(AckFrame.TryRead(ref reader, type, out AckFrame frame));
        Assert.Equal(0, reader.Remaining);
        return frame;
    }
}
