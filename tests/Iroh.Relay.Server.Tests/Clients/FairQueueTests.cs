using System.Buffers;
using Iroh.Relay.Server.Clients;

namespace Iroh.Relay.Server.Tests.Clients;

public sealed class FairQueueTests
{
    private readonly FairQueue _queue = new();

    [Fact]
    public void Packets_of_one_source_come_out_in_order()
    {
        object source = new();
        for (byte i = 0; i < 100; i++)
            Assert.True(Add(source, i, 10));
        Assert.Equal(Enumerable.Range(0, 100), Drain().Select(packet => (int)packet.Tag));
        Assert.Equal((0, 0), (_queue.Count, _queue.Bytes));
    }

    [Fact]
    public void A_full_queue_of_one_source_refuses_more()
    {
        object source = new();
        for (int i = 0; i < FairQueue.PacketsMax; i++)
            Assert.True(Add(source, 1, 10));
        Assert.False(_queue.Enqueue(source, Packet(2, 10), out int dropped));
        Assert.Equal((1, FairQueue.PacketsMax), (dropped, _queue.Count));
    }

    [Fact]
    public void Long_packets_are_bounded_by_their_bytes()
    {
        object source = new();
        int taken = 0;
        while (Add(source, 1, 65_000))
            taken++;
        Assert.InRange(_queue.Bytes, FairQueue.BytesMax - 65_000, FairQueue.BytesMax);
        Assert.InRange(taken, 2, FairQueue.PacketsMax - 1);
    }

    [Fact]
    public void Who_floods_a_full_queue_makes_room_for_others_out_of_its_own_share()
    {
        object flood = new(), quiet = new();
        for (int i = 0; i < FairQueue.PacketsMax; i++)
            Add(flood, 1, 1200);
        for (int i = 0; i < 10; i++)
        {
            Assert.True(_queue.Enqueue(quiet, Packet(2, 1200), out int dropped));
            Assert.Equal(1, dropped);
        }

        Assert.Equal(FairQueue.PacketsMax, _queue.Count);
        Assert.Equal(10, Drain().Count(packet => packet.Tag == 2));
    }

    [Fact]
    public void Sources_take_turns_by_bytes()
    {
        object bulk = new(), small = new();
        for (int i = 0; i < 100; i++)
            Add(bulk, 1, 14_000);
        for (int i = 0; i < 100; i++)
            Add(small, 2, 100);
        List<(byte Tag, int Length)> order = Drain();
        int last = order.FindLastIndex(packet => packet.Tag == 2);
        // 100 small packets are less than one turn, so at most two turns of the other come before them.
        Assert.InRange(order.Take(last).Where(packet => packet.Tag == 1).Sum(packet => packet.Length), 0, 3 * 16 * 1024);
        Assert.Equal(200, order.Count);
    }

    [Fact]
    public void Whatever_is_put_in_the_bounds_hold_and_each_source_keeps_its_order()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var queue = new FairQueue();
            object[] sources = [.. Enumerable.Range(0, random.Next(1, 20)).Select(_ => new object())];
            int[] next = new int[sources.Length];
            int[] seen = [.. Enumerable.Repeat(-1, sources.Length)];
            int put = 0, dropped = 0, taken = 0;
            for (int step = 0; step < 5_000; step++)
            {
                if (random.Next(5) > 0)
                {
                    int source = random.Next(sources.Length);
                    OutgoingPacket packet = Packet(source, next[source]++, random.Next(16, random.Next(2) == 0 ? 200 : 65_000));
                    queue.Enqueue(sources[source], packet, out int lost);
                    put++;
                    dropped += lost;
                }
                else if (queue.TryDequeue(out OutgoingPacket packet))
                {
                    taken++;
                    int source = BitConverter.ToInt32(packet.Span);
                    int number = BitConverter.ToInt32(packet.Span[4..]);
                    Assert.True(number > seen[source], $"seed {seed}, step {step}: {number} after {seen[source]}");
                    seen[source] = number;
                    packet.Return();
                }

                Assert.True(queue.Count <= FairQueue.PacketsMax && queue.Bytes <= FairQueue.BytesMax, $"seed {seed}, step {step}");
                Assert.True(queue.Count == put - dropped - taken, $"seed {seed}, step {step}");
            }

            queue.Clear();
            Assert.Equal((0, 0), (queue.Count, queue.Bytes));
        }
    }

    private bool Add(object source, byte tag, int length) => _queue.Enqueue(source, Packet(tag, length), out _);

    private List<(byte Tag, int Length)> Drain()
    {
        var order = new List<(byte, int)>();
        while (_queue.TryDequeue(out OutgoingPacket packet))
        {
            order.Add((packet.Span[0], packet.Length));
            packet.Return();
        }

        return order;
    }

    private static OutgoingPacket Packet(byte tag, int length)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(length);
        buffer[0] = tag;
        return new OutgoingPacket(buffer, 0, length, length);
    }

    private static OutgoingPacket Packet(int source, int number, int length)
    {
        OutgoingPacket packet = Packet(0, length);
        BitConverter.TryWriteBytes(packet.Buffer, source);
        BitConverter.TryWriteBytes(packet.Buffer.AsSpan(4), number);
        return packet;
    }
}
