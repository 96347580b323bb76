using System.Net;
using System.Text.Json.Nodes;
using Blixard.Cli.Cluster;
using Iroh.NetReport;
using Iroh.NetReport.Diagnosis;
using Iroh.PortMapping;

namespace Blixard.Cli.Net.Doctor;

/// <summary>A diagnosis as JSON.</summary>
internal static class DoctorJson
{
    public static JsonObject Create(NetworkDiagnosis diagnosis)
    {
        NetReportResult report = diagnosis.Report;
        return new JsonObject
        {
            ["localAddresses"] = List(diagnosis.LocalAddresses.Select(address => address.Address.ToString())),
            ["gateways"] = List(new[] { diagnosis.GatewayV4, diagnosis.GatewayV6 }.OfType<IPAddress>().Select(address => address.ToString())),
            ["publicAddresses"] = List(new[] { report.GlobalV4, report.GlobalV6 }.OfType<IPEndPoint>().Select(address => address.ToString())),
            ["nat"] = new JsonObject
            {
                ["kind"] = StatusText.Words(diagnosis.Kind.ToString()),
                ["mappingVariesByDestination"] = report.MappingVariesByDestinationV4 ?? report.MappingVariesByDestinationV6,
                ["mappingVariesByDestinationV4"] = report.MappingVariesByDestinationV4,
                ["mappingVariesByDestinationV6"] = report.MappingVariesByDestinationV6,
            },
            ["direct"] = StatusText.Words(diagnosis.Direct.ToString()),
            ["relays"] = new JsonArray([.. report.Relays.Select(relay => new JsonObject
            {
                ["url"] = relay.Url.ToString(),
                ["latencyMs"] = Milliseconds(relay.Best),
                ["udpV4Ms"] = Milliseconds(relay.V4),
                ["udpV6Ms"] = Milliseconds(relay.V6),
                ["httpMs"] = Milliseconds(relay.Https),
            })]),
            ["homeRelay"] = report.PreferredRelay?.ToString(),
            ["stun"] = new JsonArray([.. report.StunServers.Select(server => new JsonObject
            {
                ["server"] = server.Server.ToString(), ["v4"] = Observed(server.V4), ["v6"] = Observed(server.V6),
            })]),
            ["udp"] = new JsonObject
            {
                ["v4"] = report.UdpV4, ["v6"] = report.UdpV6, ["gso"] = diagnosis.UdpOffload.Gso, ["gro"] = diagnosis.UdpOffload.Gro,
            },
            ["captivePortal"] = report.CaptivePortal,
            ["portMapping"] = diagnosis.PortMapping is { } mapped ? Mapping(mapped) : null,
            ["portMappingProblem"] = diagnosis.PortMappingProblem,
            ["findings"] = List(diagnosis.Findings),
            ["problems"] = List(report.Problems),
        };
    }

    private static JsonObject Mapping(MappedPort mapped) => new()
    {
        ["external"] = mapped.External.ToString(), ["protocol"] = DoctorText.Name(mapped.Protocol),
    };

    private static JsonObject? Observed(ObservedAddress? observed) => observed is { } seen
        ? new JsonObject { ["address"] = seen.Address.ToString(), ["rttMs"] = Milliseconds(seen.RoundTrip) }
        : null;

    private static JsonArray List(IEnumerable<string> items) => new([.. items.Select(item => JsonValue.Create(item))]);

    private static double? Milliseconds(TimeSpan? time) => time is { } known ? Math.Round(known.TotalMilliseconds, 3) : null;
}
