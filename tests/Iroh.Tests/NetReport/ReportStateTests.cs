using System.Net;
using System.Net.Sockets;
using Iroh.Base;
using Iroh.NetReport;

namespace Iroh.Tests.NetReport;

public class ReportStateTests
{
    private static readonly IPEndPoint s_seen = IPEndPoint.Parse("203.0.113.9:1111"), s_otherwise = IPEndPoint.Parse("203.0.113.9:2222");

    private NetReportResult? _previous;
    private ReportPlan? _plan;

    [Fact]
    public void Two_servers_that_see_the_same_tell_a_mapping_that_holds_and_end_the_report()
    {
        ReportState state = Asking(relays: 3);
        Assert.True(state.OnObserved(Probe(0), Observed(s_seen)));
        Assert.False(state.IsEnough);
        NetReportResult first = state.Build(default, isComplete: false);
        Assert.Equal((s_seen, null, true, false), (first.GlobalV4, first.MappingVariesByDestinationV4, first.UdpV4, first.UdpV6));
        state.OnObserved(Probe(1), Observed(s_seen));
        Assert.True(state.IsEnough);
        Assert.False(state.Build(default, true).MappingVariesByDestinationV4);
        Assert.False(state.Build(default, true).CaptivePortal);
    }

    [Fact]
    public void Two_servers_that_see_different_ports_tell_a_mapping_that_varies()
    {
        ReportState state = Asking(relays: 1, stun: 1);
        state.OnObserved(Probe(0), Observed(s_seen));
        state.OnObserved(Probe(1), Observed(s_otherwise));
        Assert.True(state.Build(default, true).MappingVariesByDestinationV4);
    }

    [Fact]
    public void A_silent_discovery_port_keeps_no_latency_back()
    {
        ReportState state = Asking(relays: 1);
        PlannedProbe https = _plan!.Probes.Single(probe => probe.Kind == ProbeKind.Https);
        Assert.True(state.IsWorthAsking(https));
        Assert.True(state.OnHttps(https, TimeSpan.FromMilliseconds(40), isLast: false));
        RelayLatency latency = Assert.Single(state.Build(default, isComplete: false).Relays);
        Assert.Equal(TimeSpan.FromMilliseconds(40), latency.Best);
        Assert.False(state.OnHttps(https, TimeSpan.FromMilliseconds(50), isLast: true));
        // UDP may still answer; the report waits, but whoever wants a home relay need not.
        Assert.False(state.IsEnough);
        state.OnFailed(Probe(0), "silent");
        state.OnFailed(_plan.Probes.Single(probe => probe.Kind == ProbeKind.CaptivePortal), null);
        Assert.True(state.IsEnough);
        Assert.Equal(["silent"], state.Build(default, true).Problems);
    }

    [Fact]
    public void What_udp_told_need_not_be_asked_over_http()
    {
        ReportState state = Asking(relays: 2);
        state.OnObserved(Probe(0), Observed(s_seen));
        PlannedProbe[] https = [.. _plan!.Probes.Where(probe => probe.Kind == ProbeKind.Https)];
        Assert.Equal([false, true], https.Select(state.IsWorthAsking));
        Assert.False(state.IsWorthAsking(_plan.Probes.Single(probe => probe.Kind == ProbeKind.CaptivePortal)));
    }

    [Fact]
    public void Stun_alone_does_not_end_a_report_that_has_to_find_a_home_relay()
    {
        ReportState state = Asking(relays: 1, stun: 2, discovery: false);
        foreach (PlannedProbe probe in _plan!.Probes.Where(probe => probe.Kind == ProbeKind.Stun))
            state.OnObserved(probe, Observed(s_seen));
        Assert.False(state.IsEnough);
        state.OnHttps(_plan.Probes.Single(probe => probe.Kind == ProbeKind.Https), TimeSpan.FromMilliseconds(9), isLast: true);
        Assert.True(state.IsEnough);
        Assert.Equal(2, state.Build(default, true).StunServers.Count(server => server.V4?.Address.Equals(s_seen) == true));
    }

    [Fact]
    public void An_incremental_report_ends_with_one_answer_and_keeps_what_still_holds()
    {
        _previous = new NetReportResult { At = default, GlobalV4 = s_seen, MappingVariesByDestinationV4 = false };
        ReportState state = Asking(relays: 3, isFull: false);
        state.OnObserved(Probe(2), Observed(s_seen));
        Assert.True(state.IsEnough);
        Assert.False(state.Build(default, true).MappingVariesByDestinationV4);
    }

    [Fact]
    public void An_address_that_changed_takes_with_it_what_was_known_of_the_mapping()
    {
        _previous = new NetReportResult { At = default, GlobalV4 = s_seen, MappingVariesByDestinationV4 = false };
        ReportState state = Asking(relays: 3, isFull: false);
        state.OnObserved(Probe(0), Observed(s_otherwise));
        NetReportResult result = state.Build(default, true);
        Assert.Equal((s_otherwise, null), (result.GlobalV4, result.MappingVariesByDestinationV4));
    }

    [Fact]
    public void A_mapping_that_varies_keeps_the_address_that_was_told_before()
    {
        _previous = new NetReportResult { At = default, GlobalV4 = s_otherwise, MappingVariesByDestinationV4 = true };
        ReportState state = Asking(relays: 2, isFull: false);
        state.OnObserved(Probe(0), Observed(s_seen));
        state.OnObserved(Probe(1), Observed(s_otherwise));
        Assert.Equal(s_otherwise, state.Build(default, true).GlobalV4);
    }

    [Fact]
    public void Random_answers_in_any_order_end_the_report_when_nothing_is_open()
    {
        for (int seed = 1; seed <= 300; seed++)
        {
            var random = new Random(seed);
            ReportState state = Asking(random.Next(4), random.Next(3), discovery: random.Next(2) == 0, isFull: random.Next(2) == 0);
            PlannedProbe[] probes = [.. _plan!.Probes];
            random.Shuffle(probes);
            foreach (PlannedProbe probe in probes)
            {
                if (random.Next(3) == 0)
                    state.OnFailed(probe, $"{probe}");
                else if (probe.Kind == ProbeKind.Https)
                    state.OnHttps(probe, TimeSpan.FromMilliseconds(random.Next(1, 99)), true);
                else if (probe.Kind == ProbeKind.CaptivePortal)
                    state.OnCaptivePortal(probe, random.Next(2) == 0);
                else
                    state.OnObserved(probe, Observed(random.Next(4) == 0 ? s_otherwise : s_seen));
                NetReportResult result = state.Build(default, false);
                Assert.True(result.UdpV4 == result.GlobalV4 is not null, $"seed {seed}");
                Assert.True(result.MappingVariesByDestinationV4 is null || result.UdpV4, $"seed {seed}");
            }

            Assert.True(state.IsEnough, $"seed {seed}");
        }
    }

    private ReportState Asking(int relays, int stun = 0, bool discovery = true, bool isFull = true)
    {
        var request = new NetReportRequest
        {
            Relays = [.. Enumerable.Range(0, relays).Select(i => new RelayConfiguration(RelayUrl.Parse($"https://relay{i}.example"), discovery ? 7842 : null))],
            StunServers = [.. Enumerable.Range(0, stun).Select(i => new StunServer($"stun{i}.example"))],
            HasV6 = false,
            IsFull = isFull,
        };
        _plan = ReportPlan.Create(request, [IPEndPoint.Parse("0.0.0.0:1")], true, null);
        return new ReportState(_plan, request, _previous);
    }

    private PlannedProbe Probe(int index) => _plan!.Probes.Where(probe => probe.Family == AddressFamily.InterNetwork).ElementAt(index);

    private static ObservedAddress Observed(IPEndPoint address) => new(address, TimeSpan.FromMilliseconds(20));
}
