using Iroh.Relay.Server.Clients;

namespace Iroh.Relay.Server.Tests.Clients;

public sealed class TokenBucketTests
{
    [Fact]
    public void A_burst_passes_and_what_is_above_it_waits_as_long_as_it_takes_to_fill()
    {
        var bucket = new TokenBucket(new ReceiveLimit(1000, 500));
        Assert.Equal(TimeSpan.Zero, bucket.Take(TimeSpan.Zero, 500));
        Assert.Equal(TimeSpan.FromSeconds(0.25), bucket.Take(TimeSpan.Zero, 250));
        Assert.Equal(TimeSpan.Zero, bucket.Take(TimeSpan.FromSeconds(0.25), 0));
    }

    [Fact]
    public void The_bucket_never_holds_more_than_its_size()
    {
        var bucket = new TokenBucket(new ReceiveLimit(1000, 500));
        Assert.Equal(TimeSpan.FromSeconds(0.1), bucket.Take(TimeSpan.FromHours(1), 600));
    }

    [Fact]
    public void The_burst_is_a_tenth_of_a_second_if_nothing_is_said() => Assert.Equal(1000, new ReceiveLimit(10_000).BurstBytes);

    [Fact]
    public void In_the_long_run_the_rate_is_kept()
    {
        for (int seed = 0; seed < 50; seed++)
        {
            var random = new Random(seed);
            var limit = new ReceiveLimit(random.Next(1000, 1_000_000), random.Next(1, 100_000));
            var bucket = new TokenBucket(limit);
            TimeSpan now = TimeSpan.Zero;
            long sent = 0;
            for (int i = 0; i < 2_000; i++)
            {
                int bytes = random.Next(1, 65_536);
                sent += bytes;
                now += bucket.Take(now, bytes);
            }

            double allowed = limit.BurstBytes + (limit.BytesPerSecond * now.TotalSeconds);
            Assert.True(Math.Abs(sent - allowed) < 65_536 + limit.BurstBytes, $"seed {seed}: {sent} sent, {allowed:0} allowed");
        }
    }
}
