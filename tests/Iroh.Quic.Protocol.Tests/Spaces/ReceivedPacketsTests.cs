using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Tests.Spaces;

public class ReceivedPacketsTests
{
    private static readonly Instant Start = new(1_000_000_000);

    [Fact]
    public void Ranges_are_listed_with_the_largest_numbers_first()
    {
        ReceivedPackets received = Record(1, 2, 3, 7, 5);
        Assert.Equal([Range(7, 7), Range(5, 5), Range(1, 3)], received.Ranges.ToArray());
    }

    [Fact]
    public void A_number_between_two_ranges_joins_them()
    {
        ReceivedPackets received = Record(1, 3, 2);
        Assert.Equal([Range(1, 3)], received.Ranges.ToArray());
    }

    [Fact]
    public void Only_the_largest_packet_sets_the_time_that_the_ack_delay_counts_from()
    {
        ReceivedPackets received = new();
        received.Record(Start, new(5), EcnCodepoint.NotEct);
        received.Record(Start + TimeSpan.FromMilliseconds(3), new(4), EcnCodepoint.NotEct);
        Assert.Equal(new PacketNumber(5), received.Largest);
        Assert.Equal(Start, received.LargestReceivedAt);
    }

    [Fact]
    public void Rfc9000_13_4_1_each_mark_is_counted_once_per_packet()
    {
        ReceivedPackets received = new();
        EcnCodepoint[] marks = [EcnCodepoint.Ect0, EcnCodepoint.Ect0, EcnCodepoint.Ect1, EcnCodepoint.CongestionExperienced, EcnCodepoint.NotEct];
        for (int i = 0; i < marks.Length; i++)
        {
            Assert.True(received.Record(Start, new((ulong)i), marks[i]));
            Assert.False(received.Record(Start, new((ulong)i), marks[i]));
        }

        Assert.Equal(new EcnCounts(2, 1, 1), received.EcnCounts);
    }

    [Fact]
    public void Rfc9000_13_2_3_forgotten_numbers_are_not_accepted_again()
    {
        ReceivedPackets received = Record(0, 1, 2, 5, 6, 7, 9);
        received.ForgetUpTo(new(6));
        Assert.Equal([Range(9, 9), Range(7, 7)], received.Ranges.ToArray());
        Assert.True(received.IsDuplicate(new(3)));
        Assert.False(received.IsDuplicate(new(8)));
        Assert.Equal(new PacketNumber(9), received.Largest);
    }

    [Fact]
    public void The_largest_number_survives_when_all_ranges_are_forgotten()
    {
        ReceivedPackets received = Record(0, 1, 2);
        received.ForgetUpTo(new(2));
        Assert.True(received.Ranges.IsEmpty);
        Assert.Equal(new PacketNumber(2), received.Largest);
        Assert.True(received.IsDuplicate(new(2)));
    }

    [Fact]
    public void With_too_many_ranges_the_oldest_goes()
    {
        ReceivedPackets received = new();
        for (ulong i = 0; i <= ReceivedPackets.RangesMax; i++)
            received.Record(Start, new(10 + (i * 2)), EcnCodepoint.NotEct);
        Assert.Equal(ReceivedPackets.RangesMax, received.Ranges.Length);
        Assert.Equal(12UL, received.Ranges[^1].First.Value);
        Assert.True(received.IsDuplicate(new(9)));
        Assert.False(received.IsDuplicate(new(11)));
    }

    [Fact]
    public void A_packet_older_than_all_ranges_that_fit_is_accepted_once()
    {
        ReceivedPackets received = new();
        for (ulong i = 0; i < ReceivedPackets.RangesMax; i++)
            received.Record(Start, new(10 + (i * 2)), EcnCodepoint.NotEct);
        Assert.True(received.Record(Start, new(5), EcnCodepoint.NotEct));
        Assert.True(received.IsDuplicate(new(5)));
        Assert.False(received.IsDuplicate(new(6)));
        Assert.Equal(10UL, received.Ranges[^1].First.Value);
    }

    [Fact]
    public void Random_arrivals_match_a_set_of_all_numbers()
    {
        for (ulong seed = 0; seed < 2000; seed++)
        {
            SeededRandomSource random = new(seed);
            ReceivedPackets received = new();
            SortedSet<ulong> all = [];
            ulong floor = 0;
            ulong spread = 1 + random.NextBelow(400);
            ulong next = random.NextBelow(50);
            for (int step = 0; step < 150; step++)
            {
                if (random.NextBelow(20) == 0 && all.Count > 0)
                {
                    ulong largest = all.Max - Math.Min(all.Max, random.NextBelow(spread));
                    received.ForgetUpTo(new(largest));
                    floor = Math.Max(floor, largest + 1);
                }

                next += random.NextBelow(2 + (seed % 3 * 2));
                ulong number = next - Math.Min(next, random.NextBelow(4) == 0 ? random.NextBelow(spread) : 0);
                bool isNew = number >= floor && !all.Contains(number);
                Check(isNew == received.Record(Start, new(number), EcnCodepoint.NotEct), seed, step);
                if (isNew)
                    all.Add(number);

                List<PacketNumberRange> expected = Runs(all, floor);
                if (expected.Count > ReceivedPackets.RangesMax)
                {
                    floor = expected[^1].Last.Value + 1;
                    expected.RemoveAt(expected.Count - 1);
                }

                Check(expected.SequenceEqual(received.Ranges.ToArray()), seed, step);
                Check(received.Floor.Value == floor, seed, step);
                ulong probe = random.NextBelow(next + 5);
                Check(received.IsDuplicate(new(probe)) == (probe < floor || all.Contains(probe)), seed, step);
            }
        }
    }

    private static void Check(bool condition, ulong seed, int step) => Assert.True(condition, $"seed {seed}, step {step}");

    private static List<PacketNumberRange> Runs(SortedSet<ulong> all, ulong floor)
    {
        List<PacketNumberRange> runs = [];
        foreach (ulong number in all.Reverse().TakeWhile(n => n >= floor))
        {
            if (runs.Count > 0 && runs[^1].First.Value == number + 1)
                runs[^1] = new(new(number), runs[^1].Last);
            else
                runs.Add(Range(number, number));
        }

        return runs;
    }

    private static ReceivedPackets Record(params ulong[] numbers)
    {
        ReceivedPackets received = new();
        foreach (ulong number in numbers)
            Assert.True(received.Record(Start, new(number), EcnCodepoint.NotEct));
        return received;
    }

    private static PacketNumberRange Range(ulong first, ulong last) => new(new(first), new(last));
}
