using Iroh.Cryptography;
using Iroh.Quic.Protocol.Streams;

namespace Iroh.Quic.Protocol.Tests.Streams;

public sealed class ReassemblyBufferTests
{
    [Fact]
    public void Data_behind_a_gap_waits_for_it()
    {
        var buffer = new ReassemblyBuffer(new BlockPool());
        Assert.True(buffer.TryInsert(3, "defg"u8));
        Assert.Equal(0, buffer.Read(new byte[10]));
        Assert.True(buffer.TryInsert(0, "abc"u8));
        Assert.Equal(7UL, buffer.Contiguous);
        Assert.Equal("abcdefg"u8, ReadAll(buffer));
    }

    [Fact]
    public void What_was_read_is_not_delivered_again()
    {
        var buffer = new ReassemblyBuffer(new BlockPool());
        Assert.True(buffer.TryInsert(0, "abc"u8));
        Assert.Equal("abc"u8, ReadAll(buffer));
        Assert.True(buffer.TryInsert(0, "abcde"u8));
        Assert.Equal("de"u8, ReadAll(buffer));
    }

    [Fact]
    public void A_buffer_that_was_read_empty_holds_no_memory()
    {
        var pool = new BlockPool();
        var buffer = new ReassemblyBuffer(pool);
        Assert.True(buffer.TryInsert(0, new byte[100_000]));
        Assert.Equal(7, pool.Rented);
        Assert.Equal(100_000, ReadAll(buffer).Length);
        Assert.Equal(0, pool.Rented);
    }

    [Fact]
    public void Memory_follows_the_offsets_and_not_the_number_of_frames()
    {
        var pool = new BlockPool();
        var buffer = new ReassemblyBuffer(pool);
        for (int repeat = 0; repeat < 50; repeat++)
        {
            for (ulong offset = 1; offset < 100_000; offset += 100)
                Assert.True(buffer.TryInsert(offset, "x"u8));
        }

        Assert.Equal(7, pool.Rented);
    }

    [Fact]
    public void More_gaps_than_the_limit_are_refused()
    {
        var buffer = new ReassemblyBuffer(new BlockPool());
        ulong offset = 1;
        for (int i = 0; i < ReassemblyBuffer.RangesMax; i++, offset += 2)
            Assert.True(buffer.TryInsert(offset, "x"u8));
        Assert.False(buffer.TryInsert(offset, "x"u8));
        Assert.True(buffer.TryInsert(0, "yy"u8), "data in order is always taken");
        Assert.True(buffer.TryInsert(offset, "x"u8), "and makes room for more behind gaps");
    }

    [Fact]
    public void Any_fragmentation_order_and_overlap_gives_the_same_bytes()
    {
        for (ulong seed = 1; seed <= 150; seed++)
        {
            var random = new SeededRandomSource(seed);
            var pool = new BlockPool();
            var buffer = new ReassemblyBuffer(pool);
            var expected = new byte[1 + random.NextBelow(80_000)];
            random.Fill(expected);
            List<byte> actual = [];
            var missing = new OffsetRanges();
            missing.Add(0, (ulong)expected.Length);
            var destination = new byte[10_000];
            while (missing.Count > 0)
            {
                // Half of the fragments begin where something is missing, so that it ends; the others anywhere.
                ulong start = random.NextBelow(2) == 0 ? missing.First.Start : random.NextBelow((ulong)expected.Length);
                ulong end = Math.Min(start + random.NextBelow(6000), (ulong)expected.Length);
                Assert.True(buffer.TryInsert(start, expected.AsSpan((int)start, (int)(end - start))), $"seed {seed}");
                missing.Remove(start, end);
                if (random.NextBelow(3) == 0)
                {
                    int count = buffer.Read(destination.AsSpan(0, (int)random.NextBelow(10_000)));
                    actual.AddRange(destination.AsSpan(0, count));
                }
            }

            actual.AddRange(ReadAll(buffer));
            Assert.True(expected.AsSpan().SequenceEqual(actual.ToArray()), $"seed {seed}");
            Assert.Equal(0, pool.Rented);
        }
    }

    private static byte[] ReadAll(ReassemblyBuffer buffer)
    {
        var destination = new byte[200_000];
        return destination[..buffer.Read(destination)];
    }
}
