using System.Text.Json.Nodes;
using Blixard.NatLab.Tests.Lab;
using Blixard.Testing.Namespaces;
using Blixard.Testing.NatLab;

namespace Blixard.NatLab.Tests;

/// <summary><c>net doctor</c> behind each kind of NAT tells what the probes of the lab see.</summary>
public sealed class DoctorTests
{
    [LabTheory]
    [InlineData(NatKind.Open, false)]
    [InlineData(NatKind.AddressIndependent, false)]
    [InlineData(NatKind.PortRestricted, false)]
    [InlineData(NatKind.RandomPort, true)]
    [InlineData(NatKind.DoubleNat, false)]
    public async Task The_doctor_finds_the_public_address_and_whether_the_mapping_varies(NatKind kind, bool varies)
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabSite site = await lab.AddSiteAsync("site", kind);
        LabHost host = await lab.AddHostAsync("host", site);
        await using NatMeeting servers = await NatMeeting.StartAsync(lab, BlixardProgram.Path);

        JsonObject report = await ExamineAsync(lab, host);

        string expected = (site.PublicAddress ?? host.Address).ToString();
        Assert.Contains(report["publicAddresses"]!.AsArray(), address => address!.GetValue<string>().StartsWith(expected + ":", StringComparison.Ordinal));
        Assert.Equal(varies, report["nat"]!["mappingVariesByDestination"]!.GetValue<bool>());
    }

    [LabFact]
    public async Task Where_no_udp_passes_the_doctor_finds_the_relay_and_no_public_address()
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabHost host = await lab.AddHostAsync("host", await lab.AddSiteAsync("site", NatKind.UdpBlocked));
        await using NatMeeting servers = await NatMeeting.StartAsync(lab, BlixardProgram.Path);

        JsonObject report = await ExamineAsync(lab, host);

        Assert.Empty(report["publicAddresses"]!.AsArray());
        JsonNode relay = Assert.Single(report["relays"]!.AsArray())!;
        Assert.StartsWith(NatMeeting.RelayUrl, relay["url"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.NotNull(relay["latencyMs"]);
    }

    private static async Task<JsonObject> ExamineAsync(InternetLab lab, LabHost host)
    {
        await using LabProgram doctor = LabProgram.Start(lab, host, BlixardProgram.Path, ["net", "doctor", .. NatMeeting.EndpointOptions]);
        LabEvent report = await doctor.UntilAsync(seen => seen.Item.ContainsKey("nat"), "its report");
        return report.Item;
    }
}
