using System.Net;
using Iroh.LocalAddresses;

namespace Iroh.Tests.LocalAddresses;

public class DefaultRoutesTests
{
    private const string HeaderV4 = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";

    [Fact]
    public void The_route_with_the_lowest_metric_leads_elsewhere()
    {
        Assert.SkipUnless(BitConverter.IsLittleEndian, "the table is in the machine's byte order");
        Assert.Equal(
            new DefaultRoute("eth0", IPAddress.Parse("192.168.1.1")),
            DefaultRoutes.ParseV4(
            [
                HeaderV4,
                "wlan0\t00000000\t0102A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0",
                "eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0",
                "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
            ]));
        Assert.Equal(
            new DefaultRoute("eth0", IPAddress.Parse("fe80::1")),
            DefaultRoutes.ParseV6(
            [
                "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0",
                "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth0",
                "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo",
            ]));
    }

    [Fact]
    public void A_tunnel_leads_elsewhere_without_a_gateway() =>
        Assert.Equal(new DefaultRoute("wg0", null), DefaultRoutes.ParseV4([HeaderV4, "wg0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0"]));

    [Theory]
    [InlineData("")]
    [InlineData("eth0 00000000")]
    [InlineData("eth0\t00000000\tnonsense\t0003\t0\t0\t100\t00000000\t0\t0\t0")]
    [InlineData("eth0\t00000000\t0101A8C0\t0002\t0\t0\t100\t00000000\t0\t0\t0")]
    [InlineData("0 00 0 00 0 zz 0 0 0 lo")]
    public void Lines_of_another_form_are_no_routes(string line)
    {
        Assert.Null(DefaultRoutes.ParseV4([line]));
        Assert.Null(DefaultRoutes.ParseV6([line]));
    }

    [Fact]
    public void Reading_this_machine_never_fails() => Assert.NotNull(NetworkInterfaces.Read());
}
