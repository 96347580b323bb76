using System.Net;
using Iroh.Relay.Server.Names;

namespace Iroh.Relay.Server.Tests.Names;

public sealed class PutLimitTests
{
    private static readonly DateTimeOffset s_now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void A_burst_is_allowed_and_then_one_in_each_interval()
    {
        var limit = new PutLimit(2, TimeSpan.FromSeconds(4));
        Assert.True(Take(limit, 0, "192.0.2.1"));
        Assert.True(Take(limit, 0, "192.0.2.1"));
        Assert.False(Take(limit, 3.9, "192.0.2.1"));
        Assert.True(Take(limit, 4, "192.0.2.1"));
        Assert.False(Take(limit, 4, "192.0.2.1"));
        Assert.True(Take(limit, 100, "192.0.2.1"));
        Assert.True(Take(limit, 100, "192.0.2.1"));
        Assert.False(Take(limit, 100, "192.0.2.1"));
    }

    [Fact]
    public void An_IPv6_network_counts_as_one_address_and_a_mapped_IPv4_address_as_itself()
    {
        var limit = new PutLimit(1, TimeSpan.FromSeconds(4));
        Assert.True(Take(limit, 0, "2001:db8::1"));
        Assert.False(Take(limit, 0, "2001:db8::ffff:1"));
        Assert.True(Take(limit, 0, "2001:db8:0:1::1"));
        Assert.True(Take(limit, 0, "192.0.2.1"));
        Assert.False(Take(limit, 0, "::ffff:192.0.2.1"));
        Assert.True(Take(limit, 0, "0.0.0.0"));
        Assert.True(Take(limit, 0, "::"));
    }

    [Fact]
    public void More_addresses_than_fit_are_refused_until_others_are_forgotten()
    {
        var limit = new PutLimit(1, TimeSpan.FromSeconds(4));
        for (int i = 0; i < PutLimit.AddressesMax; i++)
            Assert.True(Take(limit, 0, $"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}"));
        Assert.False(Take(limit, 3.9, "192.0.2.1"));
        Assert.True(Take(limit, 4, "192.0.2.1"));
    }

    private static bool Take(PutLimit limit, double seconds, string address) =>
        limit.TryTake(s_now.AddSeconds(seconds), IPAddress.Parse(address), out _);
}
