using System.Net;
using System.Net.Sockets;
using Iroh.Base;

namespace Iroh.NetReport;

/// <summary>What one report asks, and when. A pure function of what is to be found out and what is known already.</summary>
internal sealed class ReportPlan
{
    /// <summary>Relays that are asked over UDP in one report, nearest first.</summary>
    public const int AddressDiscoveryRelaysMax = 5;

    /// <summary>Relays that are asked over HTTP in one report, nearest first: a relay map may be the whole world's.</summary>
    public const int HttpsRelaysMax = 10;

    /// <summary>STUN servers that are asked in one report; two tell whether the mapping varies, the others replace those that are down.</summary>
    public const int StunServersMax = 4;

    /// <summary>What UDP gets as a lead before TCP and TLS are spent on the same relays.</summary>
    public static readonly TimeSpan HttpsDelay = TimeSpan.FromMilliseconds(200);

    private ReportPlan(IReadOnlyList<PlannedProbe> probes, bool isFull) => (Probes, IsFull) = (probes, isFull);

    /// <summary>The questions, in the order of their delays.</summary>
    public IReadOnlyList<PlannedProbe> Probes { get; }

    /// <summary>Whether the report is a full one.</summary>
    public bool IsFull { get; }

    /// <summary>Makes a plan.</summary>
    /// <param name="request">What is to be found out.</param>
    /// <param name="sockets">The sockets there are; a family without one is not asked over.</param>
    /// <param name="canDiscover">Whether QUIC address discovery can be asked at all.</param>
    /// <param name="previous">The report before; null if there was none.</param>
    public static ReportPlan Create(
        NetReportRequest request, IReadOnlyCollection<IPEndPoint> sockets, bool canDiscover, NetReportResult? previous)
    {
        var families = new List<AddressFamily>(2);
        if (request.HasV4 && sockets.Any(socket => socket.AddressFamily == AddressFamily.InterNetwork))
            families.Add(AddressFamily.InterNetwork);
        if (request.HasV6 && sockets.Any(socket => socket.AddressFamily == AddressFamily.InterNetworkV6))
            families.Add(AddressFamily.InterNetworkV6);
        RelayConfiguration[] relays = NearestFirst(request.Relays, previous);
        RelayConfiguration[] discovering =
            canDiscover && families.Count > 0 ? [.. relays.Where(relay => relay.AddressDiscoveryPort is not null).Take(AddressDiscoveryRelaysMax)] : [];

        var probes = new List<PlannedProbe>();
        foreach (AddressFamily family in families)
        {
            probes.AddRange(discovering.Select(relay => new PlannedProbe(ProbeKind.AddressDiscovery, TimeSpan.Zero, relay, null, family)));
            probes.AddRange(request.StunServers.Take(StunServersMax)
                .Select(server => new PlannedProbe(ProbeKind.Stun, TimeSpan.Zero, null, server, family)));
        }

        // Latencies are compared only with their like: if one relay can be asked over HTTP alone, all of them are, and at once.
        TimeSpan httpsDelay = discovering.Length == relays.Length ? HttpsDelay : TimeSpan.Zero;
        probes.AddRange(relays.Take(HttpsRelaysMax).Select(relay => new PlannedProbe(ProbeKind.Https, httpsDelay, relay, null)));
        if (request.IsFull && relays.Length > 0)
            probes.Add(new PlannedProbe(ProbeKind.CaptivePortal, HttpsDelay, relays[0], null));
        return new ReportPlan([.. probes.OrderBy(probe => probe.Delay)], request.IsFull);
    }

    private static RelayConfiguration[] NearestFirst(IReadOnlyList<RelayConfiguration> relays, NetReportResult? previous)
    {
        Dictionary<RelayUrl, TimeSpan> known = (previous?.Relays ?? [])
            .Where(latency => latency.Best is not null).ToDictionary(latency => latency.Url, latency => latency.Best!.Value);
        return [.. relays.DistinctBy(relay => relay.Url).OrderBy(relay => known.GetValueOrDefault(relay.Url, TimeSpan.MaxValue))];
    }
}
