using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery.Congestion;

namespace Iroh.Quic.Protocol.Tests.Recovery.Congestion;

public class CubicTests
{
    private const int Size = 1200;
    private const int AckEvery = 2;

    private static readonly Instant Start = new(1_000_000_000);

    [Fact]
    public void Rfc9438_4_6_a_loss_leaves_seven_tenths_of_the_window()
    {
        Flow flow = new(TimeSpan.FromMilliseconds(100));
        flow.SlowStartTo(1000);
        double before = flow.Segments;
        flow.Lose();
        Assert.Equal(0.7 * before, flow.Segments, 0.01);
    }

    [Fact]
    public void Rfc9438_4_2_the_window_follows_the_cubic_curve_of_time()
    {
        TimeSpan rtt = TimeSpan.FromMilliseconds(100);
        Flow flow = new(rtt);
        flow.SlowStartTo(1000);
        double max = flow.Segments;
        flow.Lose();

        // K = cbrt((W_max - cwnd_epoch) / C): about nine seconds from 1000 segments.
        double epochWindow = flow.Segments;
        double k = Math.Cbrt((max - epochWindow) / 0.4);
        Assert.InRange(k, 8.5, 10.5);
        for (int round = 1; round < 150; round++)
        {
            flow.Round();
            double t = round * rtt.TotalSeconds;
            double curve = (0.4 * Math.Pow(t - k, 3)) + max;

            // The window of a round reaches what the curve promised for its end; ACKs of the round differ by less than a round.
            double earlier = (0.4 * Math.Pow(t - (3 * rtt.TotalSeconds) - k, 3)) + max;
            double later = (0.4 * Math.Pow(t + rtt.TotalSeconds - k, 3)) + max;
            Assert.True(
                flow.Segments >= Math.Max(earlier, epochWindow) - 2 && flow.Segments <= later + 2,
                $"round {round}: {flow.Segments} segments, the curve is at {curve}");
        }

        Assert.True(flow.Segments > max, "The curve turns convex beyond the old maximum.");
    }

    [Fact]
    public void Rfc9438_4_3_with_short_round_trips_the_window_grows_like_reno()
    {
        Flow flow = new(TimeSpan.FromMilliseconds(10));
        flow.SlowStartTo(40);
        double max = flow.Segments;
        flow.Lose();
        double before = flow.Segments;

        // alpha = 3 x 0.3 / 1.7 = 0.529 segments per round until the old maximum, then one; the cubic curve needs seconds.
        int rounds = (int)((max - before) / 0.529) - 2;
        for (int i = 0; i < rounds; i++)
            flow.Round();
        Assert.Equal(before + (rounds * 0.529), flow.Segments, 1.5);
        for (int i = 0; i < 6; i++)
            flow.Round();
        before = flow.Segments;
        for (int i = 0; i < 10; i++)
            flow.Round();
        Assert.Equal(before + 10, flow.Segments, 1.0);
    }

    [Fact]
    public void Rfc9438_4_7_a_flow_that_did_not_get_back_to_its_maximum_aims_lower()
    {
        Flow flow = new(TimeSpan.FromMilliseconds(100));
        flow.SlowStartTo(1000);
        double first = flow.Segments;
        flow.Lose();
        for (int i = 0; i < 30; i++)
            flow.Round();
        double second = flow.Segments;
        Assert.True(second < first);
        flow.Lose();

        // W_max = second x 0.85: the plateau, where the curve is flat, is there.
        double plateau = second * 0.85;
        double k = Math.Cbrt((plateau - flow.Segments) / 0.4);
        while (flow.SecondsSinceLoss < k)
            flow.Round();
        Assert.Equal(plateau, flow.Segments, 5.0);
    }

    [Fact]
    public void Rfc9438_5_8_time_in_which_the_application_is_idle_does_not_count()
    {
        Flow flow = new(TimeSpan.FromMilliseconds(100));
        flow.SlowStartTo(200);
        flow.Lose();
        for (int i = 0; i < 5; i++)
            flow.Round();
        double before = flow.Segments;
        for (int i = 0; i < 600; i++)
            flow.UnderusedRound();
        Assert.Equal(before, flow.Segments);
        flow.Round();
        Assert.InRange(flow.Segments, before, before + 10);
    }

    [Fact]
    public void Rfc9438_4_8_after_persistent_congestion_slow_start_leads_to_a_new_curve()
    {
        Flow flow = new(TimeSpan.FromMilliseconds(100));
        flow.SlowStartTo(200);
        flow.Lose();
        flow.Controller.OnPersistentCongestion();
        Assert.Equal(2, flow.Segments);
        while (flow.Controller.IsInSlowStart)
            flow.Round();
        double before = flow.Segments;
        flow.Round();
        Assert.InRange(flow.Segments, before, before * 1.5);
    }

    [Fact]
    public void Bytes_cut_off_by_rounding_do_not_keep_a_large_window_from_the_curve()
    {
        Flow flow = new(TimeSpan.FromMilliseconds(100));
        flow.SlowStartTo(10_000);
        double max = flow.Segments;
        flow.Lose();
        double k = Math.Cbrt((max - flow.Segments) / 0.4);
        while (flow.SecondsSinceLoss < k + 5)
            flow.Round();
        double curve = (0.4 * Math.Pow(flow.SecondsSinceLoss - k, 3)) + max;
        Assert.Equal(curve, flow.Segments, 15.0);
    }

    /// <summary>A sender that always fills its window, over a path of one constant delay; every second packet is acknowledged.</summary>
    private sealed class Flow(TimeSpan rtt)
    {
        private Instant _now = Start;
        private Instant _lostAt;

        public Cubic Controller { get; } = new(Size);

        public double Segments => (double)Controller.Window / Size;

        public double SecondsSinceLoss => (_now - _lostAt).TotalSeconds;

        public void SlowStartTo(int segments)
        {
            while (Segments < segments)
                Round();
        }

        /// <summary>One round trip in which a full window is acknowledged, evenly spread.</summary>
        public void Round()
        {
            int packets = (int)(Controller.Window / Size);
            Fill();
            TimeSpan step = rtt / Math.Max(1, packets / AckEvery);
            for (int i = 0; i + AckEvery <= packets; i += AckEvery)
            {
                _now += step;
                for (int k = 0; k < AckEvery; k++)
                    Controller.OnPacketAcknowledged(_now - TimeSpan.FromTicks(1), Size);
                Controller.OnAckEnd(_now, rtt);
                Fill();
            }
        }

        public void UnderusedRound()
        {
            while (Controller.BytesInFlight > 0)
                Controller.OnPacketDiscarded(Size);
            Controller.OnPacketSent(Size);
            _now += rtt;
            Controller.OnPacketAcknowledged(_now - rtt, Size);
            Controller.OnAckEnd(_now, rtt);
        }

        public void Lose()
        {
            Fill();
            _now += rtt;
            Controller.OnPacketLost(Size);
            Controller.OnCongestionEvent(_now, _now - rtt);
            _lostAt = _now;
            while (Controller.BytesInFlight > Controller.Window)
                Controller.OnPacketDiscarded(Size);
        }

        private void Fill()
        {
            while (Controller.CanSend(Size))
                Controller.OnPacketSent(Size);
        }
    }
}
