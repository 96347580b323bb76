using System.Net;
using System.Net.Sockets;
using Iroh.Base;

namespace Iroh.NetReport;

/// <summary>
/// What a report has found out so far, and whether that is enough. No I/O and no clock. Every input tells whether it changed
/// anything. Not thread-safe.
/// </summary>
internal sealed class ReportState
{
    // Of each family, what the addresses that servers saw can tell: the address by one, whether it varies by two.
    private const int ObservationsWanted = 2;

    // One sentence a probe at most; more than this nobody reads.
    private const int ProblemsMax = 32;

    private readonly ReportPlan _plan;
    private readonly NetReportResult? _previous;
    private readonly HashSet<PlannedProbe> _open;
    private readonly Dictionary<RelayUrl, RelayLatency> _latencies = [];
    private readonly Dictionary<StunServer, StunServerResult> _stun = [];
    private readonly List<(AddressFamily Family, string By, IPEndPoint Address)> _observed = [];
    private readonly List<string> _problems = [];
    private readonly IReadOnlyList<RelayUrl> _relays;
    private readonly IReadOnlyList<StunServer> _servers;
    private bool? _captivePortal;

    /// <summary>A report at its beginning.</summary>
    public ReportState(ReportPlan plan, NetReportRequest request, NetReportResult? previous)
    {
        (_plan, _previous) = (plan, previous);
        _open = [.. plan.Probes];
        _relays = [.. request.Relays.Select(relay => relay.Url).Distinct()];
        _servers = [.. request.StunServers.Distinct()];
    }

    /// <summary>
    /// Whether the report may end. It does when everything has answered or failed; and before that when all that is open would only tell
    /// what is known: two observations of each family that is asked, one in an incremental report, and a latency by which a home relay can
    /// be chosen.
    /// </summary>
    public bool IsEnough
    {
        get
        {
            if (_open.Count == 0)
                return true;
            if (_relays.Count > 0 && _latencies.Count == 0)
                return false;
            int wanted = _plan.IsFull ? ObservationsWanted : 1;
            PlannedProbe[] asking = [.. _plan.Probes.Where(IsObserving)];
            return asking.Length > 0
                ? asking.Select(probe => probe.Family).Distinct().All(family => CountOf(family) >= wanted || !_open.Any(probe => IsObserving(probe) && probe.Family == family))
                    && asking.Any(probe => CountOf(probe.Family) > 0) && !IsHttpsNeeded
                : !_open.Any(probe => probe.Kind is ProbeKind.Https or ProbeKind.CaptivePortal);
        }
    }

    /// <summary>Whether a question that is due still makes sense.</summary>
    public bool IsWorthAsking(PlannedProbe probe) => probe.Kind switch
    {
        // UDP gets through: nobody stands in between.
        ProbeKind.CaptivePortal => _observed.Count == 0,
        ProbeKind.Https => IsHttpsNeeded || !HasUdpLatency(probe.Relay!.Url),
        _ => true,
    };

    /// <summary>A server saw this address of ours.</summary>
    public bool OnObserved(PlannedProbe probe, ObservedAddress observed)
    {
        _open.Remove(probe);
        _observed.Add((probe.Family, probe.Relay?.Url.ToString() ?? probe.Server!.ToString(), observed.Address));
        bool isV4 = probe.Family == AddressFamily.InterNetwork;
        if (probe.Relay is { Url: var url })
        {
            RelayLatency latency = _latencies.GetValueOrDefault(url) ?? new RelayLatency(url);
            _latencies[url] = isV4 ? latency with { V4 = observed.RoundTrip } : latency with { V6 = observed.RoundTrip };
        }
        else if (probe.Server is { } server)
        {
            StunServerResult result = _stun.GetValueOrDefault(server) ?? new StunServerResult(server);
            _stun[server] = isV4 ? result with { V4 = observed } : result with { V6 = observed };
        }

        return true;
    }

    /// <summary>A relay answered a request over HTTP.</summary>
    /// <param name="probe">The question.</param>
    /// <param name="roundTrip">How long it took.</param>
    /// <param name="isLast">Whether no better measurement follows.</param>
    public bool OnHttps(PlannedProbe probe, TimeSpan roundTrip, bool isLast)
    {
        if (isLast)
            _open.Remove(probe);
        RelayUrl url = probe.Relay!.Url;
        RelayLatency latency = _latencies.GetValueOrDefault(url) ?? new RelayLatency(url);
        if (latency.Https <= roundTrip)
            return false;
        _latencies[url] = latency with { Https = roundTrip };
        return true;
    }

    /// <summary>It is known whether somebody else answers in a relay's name.</summary>
    public bool OnCaptivePortal(PlannedProbe probe, bool isCaptive)
    {
        _open.Remove(probe);
        _captivePortal = isCaptive;
        return true;
    }

    /// <summary>A question ends without an answer.</summary>
    /// <param name="probe">The question.</param>
    /// <param name="problem">A sentence for people; null if it was not asked at all.</param>
    public bool OnFailed(PlannedProbe probe, string? problem)
    {
        if (!_open.Remove(probe))
            return false;
        if (problem is not null && _problems.Count < ProblemsMax && !_problems.Contains(problem))
            _problems.Add(problem);
        return false;
    }

    /// <summary>The report as it is. An incremental one takes from the one before what it did not ask, where nothing speaks against it.</summary>
    public NetReportResult Build(DateTimeOffset at, bool isComplete)
    {
        NetReportResult? kept = _plan.IsFull ? null : _previous;
        (IPEndPoint? globalV4, bool? variesV4) = Summarise(AddressFamily.InterNetwork, kept?.GlobalV4, kept?.MappingVariesByDestinationV4);
        (IPEndPoint? globalV6, bool? variesV6) = Summarise(AddressFamily.InterNetworkV6, kept?.GlobalV6, kept?.MappingVariesByDestinationV6);
        RelayLatency[] relays = [.. _relays.Select(url => _latencies.GetValueOrDefault(url) ?? new RelayLatency(url))];
        return new NetReportResult
        {
            At = at,
            IsFull = _plan.IsFull,
            IsComplete = isComplete,
            UdpV4 = CountOf(AddressFamily.InterNetwork) > 0,
            UdpV6 = CountOf(AddressFamily.InterNetworkV6) > 0,
            GlobalV4 = globalV4,
            GlobalV6 = globalV6,
            MappingVariesByDestinationV4 = variesV4,
            MappingVariesByDestinationV6 = variesV6,
            Relays = relays,
            StunServers = [.. _servers.Select(server => _stun.GetValueOrDefault(server) ?? new StunServerResult(server))],
            PreferredRelay = relays.Where(latency => latency.Best is not null).MinBy(latency => latency.Best)?.Url,
            CaptivePortal = _observed.Count > 0 ? false : _captivePortal ?? kept?.CaptivePortal,
            Problems = [.. _problems],
        };
    }

    private static bool IsObserving(PlannedProbe probe) => probe.Kind is ProbeKind.AddressDiscovery or ProbeKind.Stun;

    // Some relay can be asked over HTTP alone: only if all are can they be compared.
    private bool IsHttpsNeeded => _plan.Probes.Any(probe => probe is { Kind: ProbeKind.Https } && probe.Delay == TimeSpan.Zero)
        && _open.Any(probe => probe.Kind == ProbeKind.Https);

    private bool HasUdpLatency(RelayUrl url) => _latencies.GetValueOrDefault(url) is { } latency && (latency.V4 ?? latency.V6) is not null;

    private int CountOf(AddressFamily family) => _observed.Count(observed => observed.Family == family);

    private (IPEndPoint? Global, bool? Varies) Summarise(AddressFamily family, IPEndPoint? previous, bool? previouslyVaried)
    {
        IPEndPoint[] seen = [.. _observed.Where(observed => observed.Family == family).Select(observed => observed.Address)];
        if (seen.Length == 0)
            return (null, null);
        // One that was seen before is most likely the one that lasts.
        IPEndPoint global = Array.Find(seen, address => address.Equals(previous)) ?? seen[0];
        if (seen.Distinct().Count() > 1)
            return (global, true);
        return (global, _observed.Where(observed => observed.Family == family).Select(observed => observed.By).Distinct().Count() > 1
            ? false
            : global.Equals(previous) || previouslyVaried == true ? previouslyVaried : null);
    }
}
