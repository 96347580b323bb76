using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Datagrams;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Tests.Datagrams;

public sealed class DatagramQueueTests
{
    private const int PacketSpace = 1200;

    [Fact]
    public void Nothing_is_sent_to_a_peer_that_takes_no_datagrams() // RFC 9221 §3
    {
        var queue = new DatagramQueue();
        Assert.Equal(DatagramSend.Unsupported, queue.Send("a"u8, PacketSpace));
        Assert.Equal(0, queue.MaxLength(PacketSpace));
        queue.OnPeerParameters(0);
        Assert.Equal(DatagramSend.Unsupported, queue.Send("a"u8, PacketSpace));
    }

    [Fact]
    public void The_longest_datagram_fills_a_packet_exactly()
    {
        DatagramQueue queue = Connected();
        int length = queue.MaxLength(PacketSpace);
        Assert.Equal(PacketSpace - 3, length);
        Assert.Equal(DatagramSend.TooLarge, queue.Send(new byte[length + 1], PacketSpace));
        Assert.Equal(DatagramSend.Ok, queue.Send(new byte[length], PacketSpace));
        Assert.Equal(PacketSpace, Take(queue, PacketSpace).Length);
    }

    [Fact]
    public void The_peers_frame_size_limits_datagrams_with_type_and_length() // RFC 9221 §3
    {
        var queue = new DatagramQueue();
        queue.OnPeerParameters(52);
        Assert.Equal(50, queue.MaxLength(PacketSpace));
    }

    [Fact]
    public void A_datagram_larger_than_declared_is_a_violation() // RFC 9221 §3
    {
        Assert.Null(new DatagramQueue(frameSizeMax: 12).OnDatagramFrame(new byte[10], 12));
        Assert.Equal(TransportErrorCode.ProtocolViolation, new DatagramQueue(frameSizeMax: 12).OnDatagramFrame(new byte[11], 13)?.Code);
        Assert.Equal(TransportErrorCode.ProtocolViolation, new DatagramQueue(frameSizeMax: 0).OnDatagramFrame([], 1)?.Code);
    }

    [Fact]
    public void A_full_send_queue_refuses_and_tells_when_it_moves_on()
    {
        var queue = new DatagramQueue(sendBytesMax: 2 * (100 + DatagramRing.EntryOverhead));
        queue.OnPeerParameters(65535);
        Assert.Equal(DatagramSend.Ok, queue.Send(new byte[100], PacketSpace));
        Assert.Equal(DatagramSend.Ok, queue.Send(new byte[100], PacketSpace));
        Assert.Equal(DatagramSend.QueueFull, queue.Send(new byte[100], PacketSpace));
        Assert.False(queue.TakeUnblocked());
        Assert.Equal(102 + 1, Take(queue, 150).Length);
        Assert.True(queue.TakeUnblocked());
        Assert.False(queue.TakeUnblocked());
        Assert.Equal(DatagramSend.Ok, queue.Send(new byte[100], PacketSpace));
    }

    [Fact]
    public void The_oldest_received_datagram_gives_way_to_a_newer_one()
    {
        var queue = new DatagramQueue(receiveBytesMax: 2 * (4 + DatagramRing.EntryOverhead));
        Assert.Null(queue.OnDatagramFrame("one."u8, 6));
        Assert.Null(queue.OnDatagramFrame("two."u8, 6));
        Assert.Null(queue.OnDatagramFrame("new."u8, 6));
        Assert.Equal(1UL, queue.ReceivedDropped);
        Assert.Equal("two."u8, Receive(queue));
        Assert.Equal("new."u8, Receive(queue));
        Assert.False(queue.TryReceive(new byte[10], out _));
    }

    [Fact]
    public void Empty_datagrams_are_bounded_too()
    {
        var queue = new DatagramQueue(receiveBytesMax: 1000);
        for (int i = 0; i < 10_000; i++)
            Assert.Null(queue.OnDatagramFrame([], 2));
        Assert.Equal(1000 / DatagramRing.EntryOverhead, queue.ReceivedCount);
    }

    [Fact]
    public void A_destination_that_is_too_short_leaves_the_datagram()
    {
        var queue = new DatagramQueue();
        Assert.Null(queue.OnDatagramFrame("four"u8, 6));
        Assert.False(queue.TryReceive(new byte[3], out int length));
        Assert.Equal(4, length);
        Assert.Equal("four"u8, Receive(queue));
    }

    [Fact]
    public void A_datagram_that_packets_have_become_too_small_for_is_dropped()
    {
        DatagramQueue queue = Connected();
        Assert.Equal(DatagramSend.Ok, queue.Send(new byte[1100], PacketSpace));
        Assert.Equal(DatagramSend.Ok, queue.Send("small"u8, PacketSpace));
        Assert.Equal(7, Take(queue, 1000, packetSpace: 1000).Length);
        Assert.Equal(1UL, queue.SendDropped);
    }

    [Fact]
    public void Any_history_delivers_what_was_queued_in_order()
    {
        for (ulong seed = 1; seed <= 100; seed++)
        {
            var random = new SeededRandomSource(seed);
            var ring = new DatagramRing(10_000);
            Queue<byte[]> model = new();
            for (int step = 0; step < 500; step++)
            {
                if (random.NextBelow(2) == 0)
                {
                    var data = new byte[random.NextBelow(3000)];
                    random.Fill(data);
                    int used = model.Sum(d => d.Length + DatagramRing.EntryOverhead);
                    Assert.True(ring.HasRoom(data.Length) == (used + data.Length + DatagramRing.EntryOverhead <= 10_000), $"seed {seed}");
                    if (!ring.HasRoom(data.Length))
                        continue;
                    ring.Enqueue(data);
                    model.Enqueue(data);
                }
                else if (model.TryDequeue(out byte[]? expected))
                {
                    Assert.True(ring.FirstLength == expected.Length, $"seed {seed}");
                    var actual = new byte[expected.Length];
                    ring.Dequeue(actual);
                    Assert.True(actual.AsSpan().SequenceEqual(expected), $"seed {seed}");
                }

                Assert.Equal(model.Count, ring.Count);
            }
        }
    }

    private static DatagramQueue Connected()
    {
        var queue = new DatagramQueue();
        queue.OnPeerParameters(65535);
        return queue;
    }

    private static byte[] Take(DatagramQueue queue, int capacity, int packetSpace = PacketSpace)
    {
        var writer = new WireWriter(new byte[capacity]);
        var sent = new SentFrameList();
        queue.WriteFrames(ref writer, packetSpace, sent);
        var reader = new WireReader(writer.Written);
        foreach (SentFrame frame in sent.Frames)
        {
            Assert.Equal(SentFrameKind.Datagram, frame.Kind);
            Assert.True(reader.TryReadVarInt(out ulong type) && DatagramFrame.TryRead(ref reader, type, out DatagramFrame read)
                && (ulong)read.Data.Length == frame.A);
        }

        Assert.Equal(0, reader.Remaining);
        return writer.Written.ToArray();
    }

    private static byte[] Receive(DatagramQueue queue)
    {
        var destination = new byte[2000];
        Assert.True(queue.TryReceive(destination, out int length));
        return destination[..length];
    }
}
