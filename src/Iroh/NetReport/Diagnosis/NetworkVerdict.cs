using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Iroh.NetReport.Diagnosis;

/// <summary>Says what kind of network it is, whether direct connections are to be expected, and why. A pure function of what was found.</summary>
internal static class NetworkVerdict
{
    /// <summary>A diagnosis with its conclusions.</summary>
    /// <param name="found">What was found; its conclusions are replaced.</param>
    /// <param name="request">Who was asked.</param>
    public static NetworkDiagnosis Conclude(NetworkDiagnosis found, NetReportRequest request)
    {
        NetworkKind kind = KindOf(found, request);
        DirectOutlook direct = OutlookOf(kind, found);
        return found with { Kind = kind, Direct = direct, Findings = [.. Explain(kind, found, request)] };
    }

    private static NetworkKind KindOf(NetworkDiagnosis found, NetReportRequest request)
    {
        NetReportResult report = found.Report;
        bool hasUdp = report.UdpV4 || report.UdpV6;
        bool hasRelay = report.Relays.Any(relay => relay.Best is not null);
        if (hasUdp && !AreServersHere(report))
        {
            if ((report.GlobalV4 is { } v4 && IsLocal(found, v4.Address)) || (report.GlobalV4 is null && report.GlobalV6 is { } v6 && IsLocal(found, v6.Address)))
                return NetworkKind.Open;
            return (report.MappingVariesByDestinationV4 ?? report.MappingVariesByDestinationV6) switch
            {
                true => NetworkKind.HardNat,
                false => NetworkKind.EasyNat,
                null => NetworkKind.SomeNat,
            };
        }

        if (found.LocalAddresses.All(address => IPAddress.IsLoopback(address.Address)))
            return NetworkKind.Loopback;
        if (report.CaptivePortal == true)
            return NetworkKind.CaptivePortal;
        if (request.Relays.Count == 0 && request.StunServers.Count == 0)
            return NetworkKind.Unknown;
        if (hasUdp)
            return NetworkKind.Unknown;
        bool wasUdpAsked = request.StunServers.Count > 0 || request.Relays.Any(relay => relay.AddressDiscoveryPort is not null);
        return hasRelay ? wasUdpAsked ? NetworkKind.UdpBlocked : NetworkKind.Unknown : NetworkKind.Unreachable;
    }

    private static DirectOutlook OutlookOf(NetworkKind kind, NetworkDiagnosis found) => kind switch
    {
        NetworkKind.Open or NetworkKind.EasyNat => DirectOutlook.Expected,
        NetworkKind.HardNat => IsForwarded(found) || IsOpenV6(found) ? DirectOutlook.Expected : DirectOutlook.Likely,
        NetworkKind.SomeNat => IsForwarded(found) || IsOpenV6(found) ? DirectOutlook.Expected : DirectOutlook.Likely,
        NetworkKind.UdpBlocked or NetworkKind.CaptivePortal => DirectOutlook.LocalOnly,
        NetworkKind.Loopback => DirectOutlook.None,
        NetworkKind.Unreachable => DirectOutlook.LocalOnly,
        _ => DirectOutlook.Unknown,
    };

    private static IEnumerable<string> Explain(NetworkKind kind, NetworkDiagnosis found, NetReportRequest request)
    {
        yield return Describe(kind, found);
        if (AreServersHere(found.Report))
            yield return "The servers that were asked run on this machine: they cannot tell what the outside sees.";
        else if (new[] { found.Report.GlobalV4, found.Report.GlobalV6 }.OfType<IPEndPoint>().ToArray() is { Length: > 0 } seen
            && seen.All(address => !IsPublic(address.Address)))
            yield return "The servers that were asked are in a private network themselves: between it and the Internet there may be more NATs.";
        if (found.Report.GlobalV4 is not null && IsOpenV6(found) && kind != NetworkKind.Open)
            yield return "IPv6 works without a NAT: peers that have IPv6 too connect directly over it.";
        if (found.PortMapping is { } mapped)
            yield return Describe(mapped, found.Report);
        else if (kind is NetworkKind.HardNat or NetworkKind.SomeNat && found.PortMappingProblem is { } problem)
            yield return $"A forwarded port would help; the gateway gives none: {problem}";
        if (kind is NetworkKind.HardNat or NetworkKind.UdpBlocked or NetworkKind.CaptivePortal && request.Relays.Count == 0)
            yield return "Give nodes here a relay (--relay URL): without one they cannot be reached from other networks.";
        if (found.Report.PreferredRelay is { } home && found.Report.Relays.First(relay => relay.Url.Equals(home)).Best is { } latency)
            yield return string.Create(CultureInfo.InvariantCulture, $"The nearest relay that answers is {home}, {latency.TotalMilliseconds:0.#} ms away.");
        foreach (string missing in Missing(found, request))
            yield return missing;
        if (!found.UdpOffload.Gso)
            yield return "The kernel does not cut large writes into datagrams (no UDP GSO): throughput costs more processor time.";
    }

    private static string Describe(NetworkKind kind, NetworkDiagnosis found) => kind switch
    {
        NetworkKind.Loopback => "This machine has no address but loopback: nobody beyond it can connect, and it can connect to nobody.",
        NetworkKind.Unreachable => "No server that was asked answers, neither over UDP nor over HTTP. Peers in the same network may connect directly; "
            + "others cannot. Is the machine online, and are the addresses of the servers right?",
        NetworkKind.CaptivePortal => "A captive portal answers in the name of others: log in with a browser first. Until then only peers in the same network connect.",
        NetworkKind.UdpBlocked => "UDP does not get out of this network, while relays answer over HTTP: connections beyond it go through a relay. "
            + "Direct ones need a firewall that lets UDP out.",
        NetworkKind.Open => $"There is no NAT: servers see {Addresses(found.Report)}, an address of this machine. "
            + "Direct connections are to be expected, unless a firewall stops what comes in and the peer's network is hard as well.",
        NetworkKind.EasyNat => $"A NAT that keeps one address for all destinations: servers see {Addresses(found.Report)}. "
            + "Peers find each other through it: direct connections are to be expected.",
        NetworkKind.HardNat => "A NAT that takes another port or address for each destination (symmetric): what a server sees of us is of no use to a peer. "
            + "Direct connections come up with peers that have no NAT or an easy one; between two of this kind a relay carries the traffic.",
        NetworkKind.SomeNat => $"A NAT: a server sees {Addresses(found.Report)}. Whether that holds for other destinations takes a second server to tell; "
            + "if it does, direct connections are to be expected.",
        _ when found.LocalAddresses.Any(address => IsPublic(address.Address)) =>
            "This machine has a public address. Whether the outside reaches it takes servers out there to tell.",
        _ => "This machine has private addresses only, so most likely a NAT is in front of it. Of which kind takes servers outside to tell.",
    };

    private static string Describe(PortMapping.MappedPort mapped, NetReportResult report)
    {
        string how = mapped.Protocol switch
        {
            PortMapping.PortMappingProtocol.Pcp => "PCP",
            PortMapping.PortMappingProtocol.NatPmp => "NAT-PMP",
            _ => "UPnP",
        };
        bool isBehindAnother = !IsPublic(mapped.External.Address)
            || (report.GlobalV4 is { } global && !global.Address.Equals(mapped.External.Address));
        return isBehindAnother
            ? $"The gateway forwards a port ({how}), but its address {mapped.External.Address} is not the one that the outside sees: there is a second NAT, "
                + "and the forwarded port helps only peers in between."
            : $"The gateway forwards ports ({how}): peers reach this machine at {mapped.External} whatever the NAT does otherwise.";
    }

    private static IEnumerable<string> Missing(NetworkDiagnosis found, NetReportRequest request)
    {
        int tellers = request.StunServers.Count + request.Relays.Count(relay => relay.AddressDiscoveryPort is not null);
        if (request.Relays.Count == 0)
            yield return "Not found out: how far relays are. Name them with --relay URL; 'blixard relay serve' runs one.";
        if (tellers == 0)
            yield return "Not found out: the public address and the kind of NAT. Name two servers outside with --stun HOST:PORT.";
        else if (tellers == 1 && (found.Report.UdpV4 || found.Report.UdpV6) && (found.Report.MappingVariesByDestinationV4 ?? found.Report.MappingVariesByDestinationV6) is null)
            yield return "Not found out: whether the NAT's mapping varies by destination. Name a second server, at another address, with --stun HOST:PORT.";
    }

    private static bool AreServersHere(NetReportResult report) =>
        (report.GlobalV4 ?? report.GlobalV6) is not null
        && (report.GlobalV4 is not { } v4 || IPAddress.IsLoopback(v4.Address)) && (report.GlobalV6 is not { } v6 || IPAddress.IsLoopback(v6.Address));

    private static bool IsForwarded(NetworkDiagnosis found) => found.PortMapping is { } mapped && IsPublic(mapped.External.Address)
        && (found.Report.GlobalV4 is not { } global || global.Address.Equals(mapped.External.Address));

    private static bool IsOpenV6(NetworkDiagnosis found) => found.Report.GlobalV6 is { } global && IsLocal(found, global.Address);

    private static bool IsLocal(NetworkDiagnosis found, IPAddress address) =>
        found.LocalAddresses.Any(local => local.Address.GetAddressBytes().AsSpan().SequenceEqual(address.GetAddressBytes()));

    private static string Addresses(NetReportResult report) =>
        string.Join(" and ", new[] { report.GlobalV4, report.GlobalV6 }.OfType<IPEndPoint>().Select(address => address.ToString()));

    /// <summary>Whether an address is routed in the Internet: not private (RFC 1918), shared (RFC 6598), link-local, unique-local or loopback.</summary>
    internal static bool IsPublic(IPAddress address) => !IPAddress.IsLoopback(address) && (address.AddressFamily == AddressFamily.InterNetworkV6
        ? !address.IsIPv6LinkLocal && !address.IsIPv6UniqueLocal && !address.IsIPv6Multicast
        : address.GetAddressBytes() is not ([10, ..] or [172, >= 16 and < 32, ..] or [192, 168, ..] or [169, 254, ..] or [100, >= 64 and < 128, ..]));
}
