using System.Net;
using Iroh.LocalAddresses;
using Iroh.NetReport;
using Iroh.PortMapping;

namespace Iroh.Tests.LocalAddresses;

public class DirectAddressSelectionTests
{
    [Fact]
    public void A_socket_on_one_address_contributes_exactly_that_one_even_loopback() =>
        Assert.Equal(["127.0.0.1:4433"], Select(["127.0.0.1:4433"], Up("192.168.1.5"), Up("127.0.0.1")));

    [Fact]
    public void A_wildcard_socket_contributes_the_addresses_of_its_family() =>
        Assert.Equal(
            ["10.0.0.7:1", "192.168.1.5:1", "[2001:db8::5]:2"],
            Select(["0.0.0.0:1", "[::]:2"], Up("192.168.1.5"), Up("10.0.0.7"), Up("2001:db8::5"), Up("127.0.0.1"), Up("::1")));

    [Fact]
    public void Link_local_and_deprecated_ipv6_addresses_and_interfaces_that_are_down_are_left_out() =>
        Assert.Equal(
            ["192.168.1.5:1"],
            Select(
                ["0.0.0.0:1", "[::]:1"],
                Up("192.168.1.5"),
                Up("fe80::1"),
                new InterfaceAddress(IPAddress.Parse("2001:db8::9"), IsUp: true, IsDeprecated: true),
                new InterfaceAddress(IPAddress.Parse("10.1.1.1"), IsUp: false, IsDeprecated: false)));

    [Fact]
    public void Unique_local_and_ipv4_link_local_addresses_count_only_if_there_is_nothing_better()
    {
        Assert.Equal(["192.168.1.5:1"], Select(["0.0.0.0:1", "[::]:1"], Up("192.168.1.5"), Up("fd00::1"), Up("169.254.3.3")));
        Assert.Equal(["169.254.3.3:1", "[fd00::1]:1"], Select(["0.0.0.0:1", "[::]:1"], Up("fd00::1"), Up("169.254.3.3"), Up("127.0.0.1")));
    }

    [Fact]
    public void Loopback_counts_only_if_there_is_nothing_else_at_all()
    {
        Assert.Equal(["127.0.0.1:1", "[::1]:1"], Select(["0.0.0.0:1", "[::]:1"], Up("127.0.0.1"), Up("::1")));
        Assert.Equal(["10.0.0.7:1"], Select(["0.0.0.0:1", "[::]:1"], Up("127.0.0.1"), Up("::1"), Up("10.0.0.7")));
    }

    [Fact]
    public void What_is_known_from_outside_comes_on_top_and_makes_loopback_needless()
    {
        var outside = new OutsideAddresses
        {
            Configured = [IPEndPoint.Parse("198.51.100.1:99")],
            Mapped = new MappedPort(IPEndPoint.Parse("203.0.113.1:1000"), 1, PortMappingProtocol.Pcp),
            Report = new NetReportResult { At = default, GlobalV4 = IPEndPoint.Parse("203.0.113.1:2000"), GlobalV6 = IPEndPoint.Parse("[2001:db8::9]:3") },
        };
        Assert.Equal(
            ["10.0.0.7:1", "198.51.100.1:99", "203.0.113.1:1000", "203.0.113.1:2000", "[2001:db8::9]:3"],
            Select(["0.0.0.0:1"], outside, Up("10.0.0.7"), Up("127.0.0.1")));
        Assert.DoesNotContain("127.0.0.1:1", Select(["0.0.0.0:1"], outside, Up("127.0.0.1")));
    }

    [Theory]
    [InlineData(true, true, true)]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    public void A_fixed_port_behind_a_nat_that_varies_may_be_forwarded(bool isFixed, bool varies, bool isGuessed)
    {
        var outside = new OutsideAddresses
        {
            Report = new NetReportResult { At = default, GlobalV4 = IPEndPoint.Parse("203.0.113.1:2000"), MappingVariesByDestinationV4 = varies },
            IsV4PortFixed = isFixed,
        };
        Assert.Equal(isGuessed, Select(["0.0.0.0:4433"], outside, Up("10.0.0.7")).Contains("203.0.113.1:4433"));
    }

    [Fact]
    public void This_machine_has_at_least_loopback() =>
        Assert.Contains(NetworkInterfaces.List(), candidate => IPAddress.IsLoopback(candidate.Address) && candidate.IsUp);

    private static InterfaceAddress Up(string address) => new(IPAddress.Parse(address), IsUp: true, IsDeprecated: false);

    private static string[] Select(string[] sockets, params InterfaceAddress[] interfaces) => Select(sockets, null, interfaces);

    private static string[] Select(string[] sockets, OutsideAddresses? outside, params InterfaceAddress[] interfaces) =>
        [.. DirectAddressSelection.Select([.. sockets.Select(IPEndPoint.Parse)], interfaces, outside).Select(endPoint => endPoint.ToString())];
}
