using Blixard.NatLab.Tests.Lab;
using Blixard.Testing.NatLab;
using Blixard.Testing.Namespaces;

namespace Blixard.NatLab.Tests.Meetings;

/// <summary>Two machines of one network that know nothing of each other but an id.</summary>
public sealed class LocalNetworkTests
{
    [LabFact]
    public async Task An_endpoint_is_found_by_its_id_on_the_local_network_and_not_without_asking_there()
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabSite site = await lab.AddSiteAsync("office", NatKind.Open);
        LabHost one = await lab.AddHostAsync("one", site), two = await lab.AddHostAsync("two", site);
        await using LabProgram listener = LabProgram.Start(lab, one, BlixardProgram.Path, "net", "listen", "--alpn", "local/1", "--mdns");
        string id = (await listener.UntilEventAsync("listening"))["endpointId"]!.GetValue<string>();

        await using LabProgram ping = LabProgram.Start(lab, two, BlixardProgram.Path, "net", "ping", id, "-c", "1", "--mdns");
        LabEvent pong = await ping.UntilAsync(seen => seen.Item.ContainsKey("seq"), "an answer");
        Assert.True(NatMeeting.IsPath(pong, "direct"));
        Assert.Equal(0, await ping.WaitForEndAsync());

        await using LabProgram blind = LabProgram.Start(lab, two, BlixardProgram.Path, "net", "ping", id, "-c", "1");
        Assert.Equal(2, await blind.WaitForEndAsync());
        Assert.Contains("--mdns", blind.Tail);
    }
}
