using System.Net;
using Iroh.Relay.Server.AddressDiscovery;

namespace Iroh.Relay.Server.Tests.AddressDiscovery;

public sealed class AddressTallyTests
{
    [Fact]
    public void There_is_room_for_so_many_of_an_address_and_so_many_of_all()
    {
        var tally = new AddressTally(max: 3, perAddressMax: 2);

        Assert.True(tally.TryAdd(IPAddress.Parse("192.0.2.1")));
        Assert.True(tally.TryAdd(IPAddress.Parse("192.0.2.1")));
        Assert.False(tally.TryAdd(IPAddress.Parse("192.0.2.1")));
        Assert.True(tally.TryAdd(IPAddress.Parse("192.0.2.2")));
        Assert.False(tally.TryAdd(IPAddress.Parse("192.0.2.3")));
        Assert.Equal(3, tally.Count);
        tally.Remove(IPAddress.Parse("192.0.2.1"));
        Assert.True(tally.TryAdd(IPAddress.Parse("192.0.2.3")));
        tally.Remove(IPAddress.Parse("192.0.2.99"));
        Assert.Equal(3, tally.Count);
    }

    [Theory]
    [InlineData("2001:db8::1", "2001:db8::ffff:1", false)]
    [InlineData("2001:db8::1", "2001:db8:0:1::1", true)]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", false)]
    [InlineData("192.0.2.1", "::ffff:0:192.0.2.1", true)]
    public void Networks_of_64_bits_count_as_one_address_and_mapped_addresses_as_what_they_are(string one, string other, bool areTwo)
    {
        var tally = new AddressTally(max: 10, perAddressMax: 1);

        Assert.True(tally.TryAdd(IPAddress.Parse(one)));
        Assert.Equal(areTwo, tally.TryAdd(IPAddress.Parse(other)));
        tally.Remove(IPAddress.Parse(one));
        Assert.True(tally.TryAdd(IPAddress.Parse(one)));
    }
}
