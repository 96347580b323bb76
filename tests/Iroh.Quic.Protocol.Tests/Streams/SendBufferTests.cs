using Iroh.Cryptography;
using Iroh.Quic.Protocol.Streams;

namespace Iroh.Quic.Protocol.Tests.Streams;

public sealed class SendBufferTests
{
    [Fact]
    public void Lost_data_is_sent_again_without_what_has_arrived()
    {
        SendBuffer buffer = Sent(new BlockPool(), 100);
        buffer.Acknowledge(40, 20);
        buffer.MarkLost(20, 60);
        Assert.Equal(new OffsetRange(20, 40), buffer.FirstLost);
        buffer.Send(20, new byte[20]);
        Assert.Equal(new OffsetRange(60, 80), buffer.FirstLost);
        buffer.Send(60, new byte[20]);
        Assert.False(buffer.HasLost);
    }

    [Fact]
    public void Data_that_arrives_after_it_was_declared_lost_is_not_sent_again()
    {
        SendBuffer buffer = Sent(new BlockPool(), 100);
        buffer.MarkLost(0, 100);
        buffer.Acknowledge(0, 50);
        Assert.Equal(new OffsetRange(50, 100), buffer.FirstLost);
    }

    [Fact]
    public void Memory_is_freed_from_the_front_and_whole_when_all_has_arrived()
    {
        var pool = new BlockPool();
        SendBuffer buffer = Sent(pool, 3 * BlockPool.BlockLength);
        Assert.Equal(3, pool.Rented);
        Assert.Equal(0, buffer.Acknowledge(BlockPool.BlockLength, BlockPool.BlockLength));
        Assert.Equal(3, pool.Rented);
        Assert.Equal(2 * BlockPool.BlockLength, buffer.Acknowledge(0, BlockPool.BlockLength));
        Assert.Equal(1, pool.Rented);
        Assert.Equal(BlockPool.BlockLength, buffer.Acknowledge(2 * BlockPool.BlockLength, BlockPool.BlockLength));
        Assert.Equal(0, pool.Rented);
        Assert.Equal(0, buffer.Buffered);
    }

    [Fact]
    public void Any_history_of_losses_and_acknowledgements_sends_every_byte_until_it_has_arrived()
    {
        for (ulong seed = 1; seed <= 150; seed++)
            RunHistory(seed);
    }

    private static void RunHistory(ulong seed)
    {
        var random = new SeededRandomSource(seed);
        var pool = new BlockPool();
        var buffer = new SendBuffer(pool);
        var data = new byte[1 + random.NextBelow(60_000)];
        random.Fill(data);
        var arrived = new OffsetRanges();
        List<OffsetRange> inFlight = [];
        while (buffer.End < (ulong)data.Length || buffer.Buffered > 0)
        {
            switch (random.NextBelow(4))
            {
                case 0:
                    int count = (int)random.NextBelow((ulong)data.Length - buffer.End + 1);
                    buffer.Append(data.AsSpan((int)buffer.End, count));
                    break;
                case 1 or 2 when buffer.HasLost || buffer.Sent < buffer.End:
                    OffsetRange next = buffer.HasLost ? buffer.FirstLost : new OffsetRange(buffer.Sent, buffer.End);
                    var frame = new byte[1 + random.NextBelow(Math.Min(next.End - next.Start, 2000))];
                    buffer.Send(next.Start, frame);
                    Assert.True(frame.AsSpan().SequenceEqual(data.AsSpan((int)next.Start, frame.Length)), $"seed {seed}");
                    inFlight.Add(new OffsetRange(next.Start, next.Start + (ulong)frame.Length));
                    break;
                case 3 when inFlight.Count > 0:
                    int index = (int)random.NextBelow((ulong)inFlight.Count);
                    OffsetRange sent = inFlight[index];
                    inFlight.RemoveAt(index);
                    if (random.NextBelow(3) == 0)
                    {
                        buffer.MarkLost(sent.Start, sent.End - sent.Start);
                    }
                    else
                    {
                        buffer.Acknowledge(sent.Start, sent.End - sent.Start);
                        arrived.Add(sent.Start, sent.End);
                    }

                    break;
            }
        }

        Assert.True(arrived.Count == 1 && arrived.First == new OffsetRange(0, (ulong)data.Length), $"seed {seed}");
        Assert.False(buffer.HasLost, $"seed {seed}");
        Assert.Equal(0, pool.Rented);
    }

    private static SendBuffer Sent(BlockPool pool, int length)
    {
        var buffer = new SendBuffer(pool);
        buffer.Append(new byte[length]);
        buffer.Send(0, new byte[length]);
        return buffer;
    }
}
