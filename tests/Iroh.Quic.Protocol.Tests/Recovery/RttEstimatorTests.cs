using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;

namespace Iroh.Quic.Protocol.Tests.Recovery;

public class RttEstimatorTests
{
    private static readonly Instant Now = new(1_000_000_000);

    [Fact]
    public void Rfc9002_6_2_2_before_any_sample_the_rtt_is_333_ms()
    {
        RttEstimator rtt = new();
        Check(rtt, smoothed: 333, variation: 166.5);
        Assert.Equal(Instant.Never, rtt.FirstSampleAt);

        // 333 + 4 x 166.5
        Assert.Equal(999, rtt.ProbeTimeoutBase.TotalMilliseconds, 3);
    }

    [Fact]
    public void Rfc9002_5_3_samples_worked_out_by_hand()
    {
        RttEstimator rtt = new();

        // The first sample sets all three; the delay is not subtracted.
        Sample(rtt, 100, delay: 10);
        Check(rtt, smoothed: 100, variation: 50);
        Assert.Equal(300, rtt.ProbeTimeoutBase.TotalMilliseconds, 3);

        // adjusted = 110; 3/4 x 50 + 1/4 x 10 = 40; 7/8 x 100 + 110/8 = 101.25
        Sample(rtt, 120, delay: 10);
        Check(rtt, smoothed: 101.25, variation: 40);
        Assert.Equal(261.25, rtt.ProbeTimeoutBase.TotalMilliseconds, 3);

        // The smallest sample so far: the delay would take it below min_rtt, so it is not subtracted.
        // 3/4 x 40 + 1/4 x 11.25 = 32.8125; 7/8 x 101.25 + 90/8 = 99.84375
        Sample(rtt, 90, delay: 25);
        Check(rtt, smoothed: 99.84375, variation: 32.8125);
        Assert.Equal(90, rtt.Min.TotalMilliseconds, 3);

        // The delay counts no further than max_ack_delay: adjusted = 200 - 25 = 175.
        // 3/4 x 32.8125 + 1/4 x 75.15625 = 43.3984; 7/8 x 99.84375 + 175/8 = 109.2383
        Sample(rtt, 200, delay: 80);
        Check(rtt, smoothed: 109.2383, variation: 43.3984);
    }

    [Fact]
    public void Rfc9002_5_2_min_rtt_ignores_the_ack_delay()
    {
        RttEstimator rtt = new();
        Sample(rtt, 100, delay: 0);
        Sample(rtt, 110, delay: 25);
        Assert.Equal(100, rtt.Min.TotalMilliseconds, 3);
    }

    [Fact]
    public void Rfc9002_5_2_min_rtt_starts_anew_after_persistent_congestion()
    {
        RttEstimator rtt = new();
        Sample(rtt, 20, delay: 0);
        Sample(rtt, 300, delay: 0);
        rtt.OnPersistentCongestion();
        Assert.Equal(300, rtt.Min.TotalMilliseconds, 3);
    }

    [Fact]
    public void Rfc9002_6_1_2_the_loss_delay_is_nine_eighths_of_the_larger_estimate_and_at_least_a_millisecond()
    {
        RttEstimator rtt = new();
        Sample(rtt, 80, delay: 0);
        Assert.Equal(90, rtt.LossDelay.TotalMilliseconds, 3);
        Sample(rtt, 160, delay: 0);
        Assert.Equal(180, rtt.LossDelay.TotalMilliseconds, 3);

        RttEstimator loopback = new();
        Sample(loopback, 0.03, delay: 0);
        Assert.Equal(1, loopback.LossDelay.TotalMilliseconds, 3);
    }

    [Fact]
    public void A_sample_of_no_time_at_all_does_not_make_the_smoothed_rtt_zero()
    {
        RttEstimator rtt = new();
        Sample(rtt, 0, delay: 0);
        Assert.True(rtt.Smoothed > TimeSpan.Zero);
    }

    private static void Sample(RttEstimator rtt, double milliseconds, double delay) => rtt.AddSample(
        Now, TimeSpan.FromMilliseconds(milliseconds), TimeSpan.FromMilliseconds(delay), TimeSpan.FromMilliseconds(25));

    private static void Check(RttEstimator rtt, double smoothed, double variation)
    {
        Assert.Equal(smoothed, rtt.Smoothed.TotalMilliseconds, 3);
        Assert.Equal(variation, rtt.Variation.TotalMilliseconds, 3);
    }
}
