using Iroh.Blobs.Provider;
using Iroh.Blobs.Transfer.Planning;

namespace Iroh.Blobs.Tests.Transfer.Planning;

/// <summary>Rates that are measured and rates that are kept.</summary>
public sealed class RateTests
{
    [Fact]
    public void A_rate_is_measured_while_something_is_asked_and_falls_when_nothing_comes()
    {
        var meter = new RateMeter();
        Assert.Null(meter.Rate(5));
        meter.OnRequest(5);
        for (int i = 1; i <= 300; i++)
            meter.OnReceived(5 + (i * 0.01), 10_000);
        Assert.InRange(meter.Rate(8)!.Value, 0.9e6, 1.1e6);

        // Not asked: it stays as it is. Asked and silent: it falls.
        meter.OnEnd(8);
        Assert.InRange(meter.Rate(60)!.Value, 0.9e6, 1.1e6);
        meter.OnRequest(60);
        Assert.InRange(meter.Rate(63)!.Value, 0, 0.1e6);
    }

    [Fact]
    public void A_limit_holds_senders_to_its_rate_and_lets_short_bursts_pass()
    {
        var rate = new ByteRate(1_000_000);
        double now = 100, sent = 0;
        for (int i = 0; i < 1000; i++)
        {
            now += rate.Book(now, 10_000);
            sent += 10_000;
        }

        Assert.InRange(sent / (now - 100), 1_000_000, 1_020_000);
        Assert.Equal(0, rate.Book(now + 10, 50_000));
        Assert.Equal(0, rate.Book(now + 10, 50_001));
        Assert.True(rate.Book(now + 10, 1) > 0);
    }
}
