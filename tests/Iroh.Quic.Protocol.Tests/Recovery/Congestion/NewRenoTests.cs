using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery.Congestion;

namespace Iroh.Quic.Protocol.Tests.Recovery.Congestion;

public class NewRenoTests
{
    private const int Size = 1200;

    private static readonly TimeSpan Rtt = TimeSpan.FromMilliseconds(50);

    private Instant _now = new(1_000_000_000);

    [Theory]
    [InlineData(1200, 12000)]
    [InlineData(1452, 14520)]
    [InlineData(1472, 14720)]
    [InlineData(4000, 14720)]
    [InlineData(9000, 18000)]
    public void Rfc9002_7_2_the_initial_window_is_14720_bytes_within_2_and_10_datagrams(int size, long window)
    {
        Assert.Equal(window, new NewReno(size).Window);
        Assert.Equal(window, new Cubic(size).Window);
    }

    [Fact]
    public void Rfc9002_7_no_more_than_the_window_is_in_flight()
    {
        NewReno reno = new(Size);
        for (int i = 0; i < 10; i++)
        {
            Assert.True(reno.CanSend(Size));
            reno.OnPacketSent(Size);
        }

        Assert.False(reno.CanSend(1));
    }

    [Fact]
    public void Rfc9002_7_3_1_slow_start_grows_by_what_is_acknowledged()
    {
        NewReno reno = new(Size);
        Flight(reno);
        Assert.Equal(24000, reno.Window);
        Flight(reno);
        Assert.Equal(48000, reno.Window);
        Assert.True(reno.IsInSlowStart);
    }

    [Fact]
    public void Rfc9002_7_3_2_a_loss_halves_the_window_once_per_recovery_period()
    {
        NewReno reno = new(Size);
        Instant sentAt = _now;
        reno.OnPacketSent(Size);
        reno.OnPacketSent(Size);
        _now += Rtt;
        Lose(reno, sentAt);
        Assert.Equal(6000, reno.Window);
        Assert.Equal(6000, reno.SlowStartThreshold);
        _now += TimeSpan.FromMilliseconds(1);
        Lose(reno, sentAt);
        Assert.Equal(6000, reno.Window);
        Assert.Equal(1, reno.CongestionEvents);
    }

    [Fact]
    public void Rfc9002_7_3_2_packets_sent_before_the_period_do_not_let_the_window_grow()
    {
        NewReno reno = new(Size);
        Instant sentAt = _now;
        for (int i = 0; i < 10; i++)
            reno.OnPacketSent(Size);
        _now += Rtt;
        Lose(reno, sentAt);
        for (int i = 0; i < 9; i++)
            reno.OnPacketAcknowledged(sentAt, Size);
        reno.OnAckEnd(_now, Rtt);
        Assert.Equal(6000, reno.Window);
        Assert.Equal(0, reno.BytesInFlight);
    }

    [Fact]
    public void Rfc9002_A_7_what_the_ack_that_reveals_a_loss_acknowledges_does_not_let_the_window_grow()
    {
        NewReno reno = new(Size);
        Instant sentAt = _now;
        for (int i = 0; i < 10; i++)
            reno.OnPacketSent(Size);
        _now += Rtt;
        for (int i = 0; i < 9; i++)
            reno.OnPacketAcknowledged(sentAt, Size);
        Lose(reno, sentAt);
        reno.OnAckEnd(_now, Rtt);
        Assert.Equal(6000, reno.Window);
    }

    [Fact]
    public void Rfc9002_7_3_3_avoidance_adds_one_datagram_per_window()
    {
        NewReno reno = new(Size);
        for (int i = 0; i < 4; i++)
            Flight(reno);
        Instant sentAt = _now;
        reno.OnPacketSent(Size);
        _now += Rtt;
        Lose(reno, sentAt);
        long window = reno.Window;
        Assert.Equal(96000, window);
        for (int round = 1; round <= 5; round++)
        {
            Flight(reno);
            Assert.InRange(reno.Window, window + ((round - 1) * Size), window + (round * Size));
        }

        Assert.InRange(reno.Window, window + (4 * Size), window + (5 * Size));
    }

    [Fact]
    public void Rfc9002_7_2_the_window_is_never_below_two_datagrams()
    {
        NewReno reno = new(Size);
        for (int i = 0; i < 20; i++)
        {
            Instant sentAt = _now;
            reno.OnPacketSent(Size);
            _now += Rtt;
            Lose(reno, sentAt);
        }

        Assert.Equal(2 * Size, reno.Window);
    }

    [Fact]
    public void Rfc9002_7_6_2_persistent_congestion_begins_slow_start_from_the_minimum()
    {
        NewReno reno = new(Size);
        for (int i = 0; i < 3; i++)
            Flight(reno);
        Instant sentAt = _now;
        reno.OnPacketSent(Size);
        _now += Rtt;
        Lose(reno, sentAt);
        long threshold = reno.SlowStartThreshold;
        reno.OnPersistentCongestion();
        Assert.Equal(2 * Size, reno.Window);
        Assert.Equal(threshold, reno.SlowStartThreshold);
        Flight(reno);
        Assert.Equal(4 * Size, reno.Window);
    }

    [Fact]
    public void Rfc9002_7_8_an_application_that_does_not_fill_the_window_does_not_let_it_grow()
    {
        NewReno reno = new(Size);
        for (int i = 0; i < 3; i++)
            Flight(reno);
        long window = reno.Window;
        for (int i = 0; i < 50; i++)
            Flight(reno, 10 * Size);
        Assert.Equal(window, reno.Window);
    }

    [Fact]
    public void Rfc9002_7_2_a_larger_datagram_size_raises_the_initial_window_only_while_nothing_was_learnt()
    {
        NewReno fresh = new(Size);
        fresh.SetMaxDatagramSize(1452);
        Assert.Equal(14520, fresh.Window);

        NewReno used = new(Size);
        Flight(used);
        used.SetMaxDatagramSize(1452);
        Assert.Equal(24000, used.Window);
    }

    [Fact]
    public void Discarded_packets_leave_flight_without_another_trace()
    {
        NewReno reno = new(Size);
        reno.OnPacketSent(Size);
        reno.OnPacketDiscarded(Size);
        Assert.Equal((0L, 12000L), (reno.BytesInFlight, reno.Window));
    }

    private void Flight(NewReno reno, long bytes = 0)
    {
        long left = bytes == 0 ? reno.Window : bytes;
        _now += TimeSpan.FromMilliseconds(1);
        Instant sentAt = _now;
        int packets = (int)(left / Size);
        for (int i = 0; i < packets; i++)
            reno.OnPacketSent(Size);
        _now += Rtt;
        for (int i = 0; i < packets; i++)
            reno.OnPacketAcknowledged(sentAt, Size);
        reno.OnAckEnd(_now, Rtt);
    }

    private void Lose(NewReno reno, Instant sentAt)
    {
        reno.OnPacketLost(Size);
        reno.OnCongestionEvent(_now, sentAt);
    }
}
