using System.Globalization;
using System.Net;
using Blixard.Cli.Output;
using Iroh.NetReport;
using Iroh.NetReport.Diagnosis;
using Iroh.PortMapping;

namespace Blixard.Cli.Net.Doctor;

/// <summary>A diagnosis for people: first what it means, then what was seen.</summary>
internal static class DoctorText
{
    private const int NameWidth = 20;

    public static string Render(NetworkDiagnosis diagnosis)
    {
        NetReportResult report = diagnosis.Report;
        var lines = new List<string> { Headline(diagnosis.Direct) };
        lines.AddRange(diagnosis.Findings.Select(finding => $"  {finding}"));
        lines.Add("");
        lines.Add(Row("local addresses", string.Join(", ", diagnosis.LocalAddresses.Select(address => $"{address.Address} ({address.Interface})"))));
        lines.Add(Row("gateway", string.Join(", ", new[] { diagnosis.GatewayV4, diagnosis.GatewayV6 }.OfType<IPAddress>())));
        lines.Add(Row("public addresses", string.Join(", ", new[] { report.GlobalV4, report.GlobalV6 }.OfType<IPEndPoint>())));
        lines.Add(Row("mapping varies", YesNo(report.MappingVariesByDestinationV4 ?? report.MappingVariesByDestinationV6)));
        lines.Add(Row("port mapping", diagnosis.PortMapping is { } mapped ? $"{mapped.External} ({Name(mapped.Protocol)})" : diagnosis.PortMappingProblem ?? ""));
        lines.Add(Row("captive portal", YesNo(report.CaptivePortal)));
        lines.Add(Row("udp", $"IPv4 {(report.UdpV4 ? "works" : "not seen")}, IPv6 {(report.UdpV6 ? "works" : "not seen")}, "
            + $"GSO {(diagnosis.UdpOffload.Gso ? "yes" : "no")}, GRO {(diagnosis.UdpOffload.Gro ? "yes" : "no")}"));
        if (report.Relays.Count > 0)
        {
            lines.Add("");
            lines.Add(TextTable.Render(["RELAY", "LATENCY", "UDP", "HTTP", ""], report.Relays.Select(relay => (string[])
            [
                relay.Url.ToString(), Milliseconds(relay.Best), Milliseconds(relay.V4 ?? relay.V6), Milliseconds(relay.Https),
                relay.Url.Equals(report.PreferredRelay) ? "home" : "",
            ])));
        }

        if (report.StunServers.Count > 0)
        {
            lines.Add("");
            lines.Add(TextTable.Render(["STUN SERVER", "SEES", "LATENCY"], report.StunServers.Select(server => (string[])
            [
                server.Server.ToString(),
                string.Join(", ", new[] { server.V4, server.V6 }.OfType<ObservedAddress>().Select(seen => seen.Address)),
                Milliseconds(server.V4?.RoundTrip ?? server.V6?.RoundTrip),
            ])));
        }

        lines.AddRange(report.Problems.Select(problem => $"! {problem}"));
        return string.Join('\n', lines).TrimEnd();
    }

    /// <summary>A protocol as its specification spells it.</summary>
    public static string Name(PortMappingProtocol protocol) => protocol switch
    {
        PortMappingProtocol.Pcp => "PCP",
        PortMappingProtocol.NatPmp => "NAT-PMP",
        _ => "UPnP",
    };

    private static string Headline(DirectOutlook direct) => direct switch
    {
        DirectOutlook.Expected => "Direct connections: to be expected",
        DirectOutlook.Likely => "Direct connections: with most peers",
        DirectOutlook.LocalOnly => "Direct connections: within this network only",
        DirectOutlook.None => "Direct connections: none",
        _ => "Direct connections: not known",
    };

    private static string Row(string name, string value) => $"{name.PadRight(NameWidth)}{(value.Length > 0 ? value : "-")}";

    private static string YesNo(bool? value) => value switch { true => "yes", false => "no", null => "not known" };

    private static string Milliseconds(TimeSpan? time) =>
        time is { } known ? string.Create(CultureInfo.InvariantCulture, $"{known.TotalMilliseconds:0.0} ms") : "";
}
