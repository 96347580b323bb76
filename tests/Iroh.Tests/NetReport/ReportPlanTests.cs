using System.Net;
using System.Net.Sockets;
using Iroh.Base;
using Iroh.NetReport;

namespace Iroh.Tests.NetReport;

public class ReportPlanTests
{
    private static readonly IPEndPoint[] s_both = [IPEndPoint.Parse("0.0.0.0:1"), IPEndPoint.Parse("[::]:1")];

    [Fact]
    public void Relays_and_stun_servers_are_asked_over_udp_at_once_and_over_http_a_little_later()
    {
        var request = new NetReportRequest { Relays = [Relay(1), Relay(2)], StunServers = [new StunServer("stun.example")] };
        ReportPlan plan = ReportPlan.Create(request, s_both, canDiscover: true, previous: null);
        Assert.Equal(
            [
                "0 AddressDiscovery InterNetwork", "0 AddressDiscovery InterNetwork", "0 Stun InterNetwork",
                "0 AddressDiscovery InterNetworkV6", "0 AddressDiscovery InterNetworkV6", "0 Stun InterNetworkV6",
                "200 Https Unspecified", "200 Https Unspecified", "200 CaptivePortal Unspecified",
            ],
            plan.Probes.Select(probe => $"{probe.Delay.TotalMilliseconds} {probe.Kind} {probe.Family}"));
    }

    [Fact]
    public void A_family_without_an_address_or_a_socket_is_not_asked_over()
    {
        var request = new NetReportRequest { Relays = [Relay(1)], HasV6 = false };
        Assert.DoesNotContain(ReportPlan.Create(request, s_both, true, null).Probes, probe => probe.Family == AddressFamily.InterNetworkV6);
        Assert.DoesNotContain(ReportPlan.Create(request, s_both[1..], true, null).Probes, probe => probe.Kind == ProbeKind.AddressDiscovery);
    }

    [Fact]
    public void If_one_relay_has_no_discovery_all_are_asked_over_http_at_once_so_that_they_compare()
    {
        var request = new NetReportRequest { Relays = [Relay(1), Relay(2) with { AddressDiscoveryPort = null }], IsFull = false };
        ReportPlan plan = ReportPlan.Create(request, s_both, true, null);
        Assert.Equal(2, plan.Probes.Count(probe => probe.Kind == ProbeKind.Https && probe.Delay == TimeSpan.Zero));
        Assert.DoesNotContain(plan.Probes, probe => probe.Kind == ProbeKind.CaptivePortal);
    }

    [Fact]
    public void Of_many_relays_the_nearest_of_the_last_report_are_asked()
    {
        RelayConfiguration[] relays = [.. Enumerable.Range(0, 30).Select(Relay)];
        var previous = new NetReportResult { At = default, Relays = [new RelayLatency(Relay(29).Url, Https: TimeSpan.FromMilliseconds(1))] };
        ReportPlan plan = ReportPlan.Create(new NetReportRequest { Relays = [.. relays, relays[0]], HasV6 = false }, s_both, true, previous);
        PlannedProbe[] discovering = [.. plan.Probes.Where(probe => probe.Kind == ProbeKind.AddressDiscovery)];
        Assert.Equal(ReportPlan.AddressDiscoveryRelaysMax, discovering.Length);
        Assert.Equal(Relay(29), discovering[0].Relay);
        Assert.Equal(ReportPlan.HttpsRelaysMax, plan.Probes.Count(probe => probe.Kind == ProbeKind.Https));
    }

    [Fact]
    public void Without_servers_nothing_is_asked() =>
        Assert.Empty(ReportPlan.Create(new NetReportRequest(), s_both, true, null).Probes);

    private static RelayConfiguration Relay(int number) => new(RelayUrl.Parse($"https://relay{number}.example"), 7842);
}
