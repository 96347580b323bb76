using Iroh.Cryptography;
using Iroh.Quic.Protocol.Streams;

namespace Iroh.Quic.Protocol.Tests.Streams;

public sealed class OffsetRangesTests
{
    [Fact]
    public void Ranges_that_touch_become_one()
    {
        var ranges = new OffsetRanges();
        ranges.Add(10, 20);
        ranges.Add(30, 40);
        ranges.Add(20, 30);
        Assert.Equal(1, ranges.Count);
        Assert.Equal(new OffsetRange(10, 40), ranges.First);
    }

    [Fact]
    public void Removing_the_middle_leaves_both_ends()
    {
        var ranges = new OffsetRanges();
        ranges.Add(10, 40);
        ranges.Remove(20, 30);
        Assert.Equal(2, ranges.Count);
        Assert.Equal(new OffsetRange(10, 20), ranges[0]);
        Assert.Equal(new OffsetRange(30, 40), ranges[1]);
    }

    [Fact]
    public void Any_history_agrees_with_a_plain_set_of_offsets()
    {
        for (ulong seed = 1; seed <= 200; seed++)
        {
            var random = new SeededRandomSource(seed);
            var ranges = new OffsetRanges();
            var model = new bool[200];
            for (int step = 0; step < 100; step++)
            {
                int start = (int)random.NextBelow(200);
                int end = start + (int)random.NextBelow((ulong)(201 - start));
                switch (random.NextBelow(5))
                {
                    case 0 or 1 or 2:
                        ranges.Add((ulong)start, (ulong)end);
                        model.AsSpan(start, end - start).Fill(true);
                        break;
                    case 3:
                        ranges.Remove((ulong)start, (ulong)end);
                        model.AsSpan(start, end - start).Clear();
                        break;
                    default:
                        // Removes what the other set has within the range; the other's ranges go whole, so keep them inside.
                        var other = new OffsetRanges();
                        int middle = (start + end) / 2;
                        other.Add((ulong)start, (ulong)middle);
                        ranges.RemoveAllIn(other, (ulong)start, (ulong)end);
                        model.AsSpan(start, middle - start).Clear();
                        break;
                }

                Assert.True(RangesOf(model).SequenceEqual(RangesOf(ranges)), $"seed {seed}, step {step}");
            }
        }
    }

    private static List<OffsetRange> RangesOf(OffsetRanges ranges) => [.. Enumerable.Range(0, ranges.Count).Select(i => ranges[i])];

    private static List<OffsetRange> RangesOf(bool[] model)
    {
        List<OffsetRange> result = [];
        for (int i = 0; i < model.Length; i++)
        {
            if (!model[i])
                continue;
            int start = i;
            while (i < model.Length && model[i])
                i++;
            result.Add(new OffsetRange((ulong)start, (ulong)i));
        }

        return result;
    }
}
