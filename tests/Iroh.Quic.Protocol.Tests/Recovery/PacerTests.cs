using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;

namespace Iroh.Quic.Protocol.Tests.Recovery;

public class PacerTests
{
    private const int Size = 1200;

    private static readonly Instant Start = new(1_000_000_000);

    [Fact]
    public void Rfc9002_7_7_the_initial_window_leaves_at_once()
    {
        Pacer pacer = new();
        Assert.Equal(10, BurstAt(pacer, Start, 12_000, TimeSpan.FromMilliseconds(333)));
    }

    [Theory]
    [InlineData(12_000, 100)]
    [InlineData(120_000, 20)]
    [InlineData(1_200_000, 20)]
    [InlineData(1_200_000, 200)]
    [InlineData(6_000_000, 50)]
    public void Over_time_five_quarters_of_the_window_leave_per_round_trip(long window, double milliseconds)
    {
        TimeSpan rtt = TimeSpan.FromMilliseconds(milliseconds);
        Pacer pacer = new();
        Instant now = Start;
        Instant end = Start + TimeSpan.FromSeconds(20);
        long sent = 0;
        while (now < end)
        {
            Instant at = pacer.NextSendTime(now, Size, window, rtt, Size);
            if (at > now)
            {
                Assert.InRange((at - now).TotalMilliseconds, 0.999, 10.001);
                now = at;
                continue;
            }

            pacer.OnPacketSent(Size);
            sent += Size;
        }

        double expected = 1.25 * window * 20_000 / milliseconds;
        Assert.InRange(sent, 0.97 * expected, (1.02 * expected) + (Pacer.BurstPacketsMax * Size));
    }

    [Theory]
    [InlineData(12_000, 100, 10, 10)]
    [InlineData(1_200_000, 20, 100, 101)]
    [InlineData(120_000_000, 1000, 200, 201)]
    [InlineData(120_000_000, 500, 256, 256)]
    public void A_burst_is_two_milliseconds_of_the_window_within_10_and_256_packets(long window, double milliseconds, int least, int most)
    {
        TimeSpan rtt = TimeSpan.FromMilliseconds(milliseconds);
        Pacer pacer = new();
        Assert.InRange(BurstAt(pacer, Start, window, rtt), least, most);
    }

    [Theory]
    [InlineData(12_000, 0.03)]
    [InlineData(600_000, 0.05)]
    [InlineData(3_000_000, 0.8)]
    [InlineData(3_000_000, 2.0)]
    [InlineData(6_000_000, 3.0)]
    public void On_a_path_as_fast_as_loopback_nothing_waits(long window, double milliseconds)
    {
        TimeSpan rtt = TimeSpan.FromMilliseconds(milliseconds);
        Pacer pacer = new();
        Instant now = Start;
        for (int round = 0; round < 200; round++)
        {
            for (long sent = 0; sent < window; sent += Size)
            {
                Assert.Equal(now, pacer.NextSendTime(now, Size, window, rtt, Size));
                pacer.OnPacketSent(Size);
            }

            now += rtt;
        }
    }

    [Fact]
    public void A_pause_does_not_save_up_more_than_one_burst()
    {
        TimeSpan rtt = TimeSpan.FromMilliseconds(20);
        Pacer pacer = new();
        BurstAt(pacer, Start, 1_200_000, rtt);
        Assert.InRange(BurstAt(pacer, Start + TimeSpan.FromSeconds(5), 1_200_000, rtt), 100, 101);
    }

    [Fact]
    public void Probes_that_need_not_ask_delay_what_follows_but_not_without_bound()
    {
        TimeSpan rtt = TimeSpan.FromMilliseconds(100);
        Pacer pacer = new();
        pacer.NextSendTime(Start, Size, 12_000, rtt, Size);
        for (int i = 0; i < 1000; i++)
            pacer.OnPacketSent(Size);
        Instant now = Start;
        int waits = 0;
        while (pacer.NextSendTime(now, Size, 12_000, rtt, Size) is var at && at > now)
        {
            now = at;
            waits++;
        }

        // The bucket of 12,000 bytes is at most as deep in debt, and 150 bytes come in per millisecond: 160 ms in steps of 10.
        Assert.InRange(waits, 1, 17);
    }

    private static int BurstAt(Pacer pacer, Instant now, long window, TimeSpan rtt)
    {
        int sent = 0;
        while (pacer.NextSendTime(now, Size, window, rtt, Size) <= now)
        {
            pacer.OnPacketSent(Size);
            sent++;
        }

        return sent;
    }
}
