using System.Net;
using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Tests.AddressDiscovery;

public class AddressRulesTests
{
    [Theory]
    [InlineData("192.0.2.1:1", true)]
    [InlineData("127.0.0.1:1", true)]
    [InlineData("223.255.255.255:65535", true)]
    [InlineData("[2001:db8::1]:1", true)]
    [InlineData("[::1]:1", true)]
    [InlineData("[fd00::1]:1", true)]
    [InlineData("[::ffff:192.0.2.1]:1", true)]
    [InlineData("192.0.2.1:0", false)]
    [InlineData("0.0.0.0:1", false)]
    [InlineData("0.1.2.3:1", false)]
    [InlineData("224.0.0.251:5353", false)]
    [InlineData("240.0.0.1:1", false)]
    [InlineData("255.255.255.255:1", false)]
    [InlineData("[::]:1", false)]
    [InlineData("[ff02::fb]:5353", false)]
    [InlineData("[fe80::1]:1", false)]
    [InlineData("[febf::1]:1", false)]
    [InlineData("[::ffff:224.0.0.1]:1", false)]
    [InlineData("[::ffff:0.0.0.0]:1", false)]
    public void An_address_is_reachable_if_a_datagram_could_be_sent_there(string text, bool expected) =>
        Assert.Equal(expected, AddressRules.IsReachable(NetworkAddress.From(IPEndPoint.Parse(text))));

    [Fact]
    public void What_is_no_IP_address_is_not_reachable()
    {
        Assert.False(AddressRules.IsReachable(default));
        Assert.False(AddressRules.IsReachable(NetworkAddress.Virtual(7)));
    }

    [Theory]
    [InlineData("127.0.0.1:1", true)]
    [InlineData("127.255.0.9:1", true)]
    [InlineData("[::1]:1", true)]
    [InlineData("[::2]:1", false)]
    [InlineData("[1::1]:1", false)]
    [InlineData("10.0.0.1:1", false)]
    public void The_own_host_has_loopback_addresses(string text, bool expected) =>
        Assert.Equal(expected, AddressRules.IsLoopback(NetworkAddress.From(IPEndPoint.Parse(text))));
}
