using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Blixard.Testing.Namespaces;
using Blixard.Testing.NatLab;

namespace Blixard.NatLab.Tests.Lab;

/// <summary>What can be done to hosts of a lab and to their ways.</summary>
public sealed class InternetLabTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [LabFact]
    public async Task A_host_moves_from_site_to_site_from_IPv4_to_IPv6_and_back()
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabSite home = await lab.AddSiteAsync("home", NatKind.PortRestricted), office = await lab.AddSiteAsync("office", NatKind.RandomPort);
        LabSite six = await lab.AddSiteAsync("six", NatKind.IPv6Only);
        LabHost host = await lab.AddHostAsync("host", home);

        // One socket of both families, bound to no address, as a node has: it lives through all moves.
        using Socket near = await LabSocket.BindUdpAsync(host, new IPEndPoint(IPAddress.IPv6Any, 0));
        using Socket serverV4 = await LabSocket.BindUdpAsync(lab.Server, new IPEndPoint(lab.Server.Address, 0));
        using Socket serverV6 = await LabSocket.BindUdpAsync(lab.Server, new IPEndPoint(lab.Server.AddressV6!, 0));
        var seen = new List<IPAddress?>();
        var expected = new List<IPAddress?>();
        foreach (LabSite site in new[] { office, six, home })
        {
            await lab.MoveAsync(host, site);
            IPEndPoint? from = await NatProbe.SeenByAsync(near, site == six ? serverV6 : serverV4);
            seen.Add(from?.Address);
            expected.Add(site.PublicAddress ?? host.AddressV6);
        }

        Assert.Equal(expected, seen);
    }

    [LabTheory]
    [InlineData(NatKind.PortRestricted)]
    [InlineData(NatKind.Open)]
    public async Task A_way_takes_as_long_as_it_is_told_to_and_carries_no_more(NatKind kind)
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabSite site = await lab.AddSiteAsync("site", kind, new LinkConditions { Delay = TimeSpan.FromMilliseconds(40) });
        LabHost host = await lab.AddHostAsync("host", site);
        using Socket near = await LabSocket.BindUdpAsync(host, new IPEndPoint(IPAddress.Any, 0));
        using Socket server = await LabSocket.BindUdpAsync(lab.Server, new IPEndPoint(lab.Server.Address, 0));
        IPEndPoint? from = await NatProbe.SeenByAsync(near, server);

        long start = Stopwatch.GetTimestamp();
        await server.SendToAsync(new byte[100], from!);
        await near.ReceiveAsync(new byte[2048], SocketFlags.None, Cancel).AsTask().WaitAsync(LabNode.Patience, Cancel);
        TimeSpan oneWay = Stopwatch.GetElapsedTime(start);

        // Never sooner; a busy machine makes it later.
        Assert.True(oneWay >= TimeSpan.FromMilliseconds(39), $"arrived after {oneWay.TotalMilliseconds} ms");
    }

    [LabFact]
    public async Task What_a_host_sends_vanishes_while_it_is_cut_off_and_passes_afterwards()
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabHost host = await lab.AddHostAsync("host", await lab.AddSiteAsync("site", NatKind.PortRestricted));
        using Socket near = await LabSocket.BindUdpAsync(host, new IPEndPoint(IPAddress.Any, 0));
        using Socket server = await LabSocket.BindUdpAsync(lab.Server, new IPEndPoint(lab.Server.Address, 0));

        IPEndPoint? before = await NatProbe.SeenByAsync(near, server);
        await lab.CutAsync(host, isCut: true);
        await near.SendToAsync("cut"u8.ToArray(), server.LocalEndPoint!);
        IPEndPoint? cut = await LabSocket.WaitForAsync(server, "cut"u8.ToArray(), TimeSpan.FromMilliseconds(300));
        await lab.CutAsync(host, isCut: false);
        IPEndPoint? after = await NatProbe.SeenByAsync(near, server);
        await lab.SetCarrierAsync(host, hasCarrier: false);
        string withoutCarrier = await LinkStateAsync(host);
        await lab.SetCarrierAsync(host, hasCarrier: true);
        IPEndPoint? again = await NatProbe.SeenByAsync(near, server);

        Assert.NotNull(before);
        Assert.Null(cut);
        Assert.Equal(before, after);
        Assert.Contains("NO-CARRIER", withoutCarrier, StringComparison.Ordinal);
        Assert.Equal(before, again);
    }

    [LabFact]
    public async Task Hosts_find_the_server_by_its_name_at_addresses_of_their_family_and_the_machine_does_not()
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabHost six = await lab.AddHostAsync("six", await lab.AddSiteAsync("here", NatKind.IPv6Only));
        LabHost four = await lab.AddHostAsync("four", await lab.AddSiteAsync("there", NatKind.RandomPort));

        string bySix = await RunAsync(lab.Command(six, "getent", "ahosts", InternetLab.ServerName));
        string byFour = await RunAsync(lab.Command(four, "getent", "ahosts", InternetLab.ServerName));
        string outside = await RunAsync(four.Command("grep", InternetLab.ServerName, "/etc/hosts"));

        Assert.StartsWith(lab.Server.AddressV6!.ToString(), bySix, StringComparison.Ordinal);
        Assert.StartsWith(lab.Server.Address.ToString(), byFour, StringComparison.Ordinal);
        Assert.Empty(outside);
    }

    [LabFact]
    public async Task A_lab_leaves_nothing()
    {
        string folder;
        string prefix;
        await using (InternetLab lab = await InternetLab.CreateAsync())
        {
            LabHost host = await lab.AddHostAsync("host", await lab.AddSiteAsync("site", NatKind.DoubleNat, new LinkConditions()));
            folder = lab.Folder;
            prefix = host.Namespace[..host.Namespace.LastIndexOf('-')] + "-";
        }

        Assert.False(Directory.Exists(folder));
        Assert.DoesNotContain(prefix, await RunAsync(new ProcessStartInfo("ip", ["netns", "list"])), StringComparison.Ordinal);
    }

    private static Task<string> LinkStateAsync(LabHost host) => RunAsync(host.Command("ip", "link", "show", "eth0"));

    private static async Task<string> RunAsync(ProcessStartInfo command)
    {
        command.RedirectStandardOutput = true;
        using Process process = Process.Start(command)!;
        string output = await process.StandardOutput.ReadToEndAsync(Cancel);
        await process.WaitForExitAsync(Cancel);
        return output;
    }
}
