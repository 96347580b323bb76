using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Blixard.Testing.Namespaces;
using Blixard.Testing.NatLab;

namespace Blixard.NatLab.Tests.Lab;

/// <summary>Each kind of site does what it is named after.</summary>
public sealed class NatKindTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    // What does not come is waited for so long.
    private static readonly TimeSpan s_silence = TimeSpan.FromMilliseconds(500);

    [LabTheory]
    [InlineData(NatKind.Open, false, true, false, NatFiltering.EndpointIndependent)]
    [InlineData(NatKind.AddressIndependent, true, true, false, NatFiltering.EndpointIndependent)]
    [InlineData(NatKind.PortRestricted, true, true, false, NatFiltering.AddressAndPortDependent)]
    [InlineData(NatKind.RandomPort, true, false, true, NatFiltering.AddressAndPortDependent)]
    [InlineData(NatKind.DoubleNat, true, true, false, NatFiltering.AddressAndPortDependent)]
    [InlineData(NatKind.Hairpin, true, true, false, NatFiltering.EndpointIndependent)]
    public async Task A_site_maps_and_filters_as_its_kind_says(NatKind kind, bool isTranslated, bool keepsPort, bool varies, NatFiltering filtering)
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabSite site = await lab.AddSiteAsync("site", kind);
        LabHost host = await lab.AddHostAsync("host", site);

        NatBehaviour seen = await NatProbe.RunAsync(lab, host);

        Assert.Equal(new NatBehaviour(true, isTranslated, keepsPort, varies, filtering), seen);
    }

    [LabFact]
    public async Task Where_udp_is_blocked_tcp_passes()
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabSite site = await lab.AddSiteAsync("site", NatKind.UdpBlocked);
        LabHost host = await lab.AddHostAsync("host", site);

        NatBehaviour seen = await NatProbe.RunAsync(lab, host);
        IPEndPoint? from = await ConnectAsync(lab, host, AddressFamily.InterNetwork, lab.Server.Address);

        Assert.False(seen.UdpPasses);
        Assert.Equal(site.PublicAddress, from!.Address);
        Assert.InRange(await lab.CountServerBytesAsync(), 40, 4000);
    }

    [LabFact]
    public async Task A_host_with_IPv6_alone_is_reached_by_those_it_has_sent_to()
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabHost host = await lab.AddHostAsync("host", await lab.AddSiteAsync("site", NatKind.IPv6Only));
        using Socket near = await LabSocket.BindUdpAsync(host, new IPEndPoint(IPAddress.IPv6Any, 0));
        using Socket server = await LabSocket.BindUdpAsync(lab.Server, new IPEndPoint(lab.Server.AddressV6!, 0));
        using Socket stranger = await LabSocket.BindUdpAsync(lab.Server, new IPEndPoint(lab.Server.AddressV6!, 0));

        IPEndPoint? seen = await NatProbe.SeenByAsync(near, server);
        bool byPeer = await PassesAsync(server, near, seen!);
        bool byStranger = await PassesAsync(stranger, near, seen!);
        SocketException noV4 = await Assert.ThrowsAsync<SocketException>(() => ConnectAsync(lab, host, AddressFamily.InterNetwork, lab.Server.Address));

        Assert.Equal(host.AddressV6, seen!.Address);
        Assert.True(byPeer);
        Assert.False(byStranger);
        Assert.Equal(SocketError.NetworkUnreachable, noV4.SocketErrorCode);
    }

    [LabTheory]
    [InlineData(NatKind.Hairpin, true)]
    [InlineData(NatKind.PortRestricted, false)]
    public async Task Hosts_of_one_site_reach_each_other_by_its_public_address_only_if_the_gateway_turns_them_round(NatKind kind, bool turns)
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabSite site = await lab.AddSiteAsync("site", kind);
        LabHost one = await lab.AddHostAsync("one", site), other = await lab.AddHostAsync("other", site);
        using Socket a = await LabSocket.BindUdpAsync(one, new IPEndPoint(IPAddress.Any, 0));
        using Socket b = await LabSocket.BindUdpAsync(other, new IPEndPoint(IPAddress.Any, 0));
        using Socket server = await LabSocket.BindUdpAsync(lab.Server, new IPEndPoint(lab.Server.Address, 0));

        IPEndPoint? seenA = await NatProbe.SeenByAsync(a, server), seenB = await NatProbe.SeenByAsync(b, server);
        bool byPublic = await PassesAsync(a, b, seenB!);
        bool back = await PassesAsync(b, a, seenA!);
        bool inside = await PassesAsync(a, b, new IPEndPoint(other.Address, ((IPEndPoint)b.LocalEndPoint!).Port));

        Assert.Equal(turns, byPublic);
        Assert.Equal(turns, back);
        Assert.Equal(!turns, inside);
    }

    [LabFact]
    public async Task Two_port_restricted_sites_can_be_punched_and_whoever_knocks_first_does_no_harm()
    {
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabHost one = await lab.AddHostAsync("one", await lab.AddSiteAsync("here", NatKind.PortRestricted));
        LabHost other = await lab.AddHostAsync("other", await lab.AddSiteAsync("there", NatKind.PortRestricted));
        using Socket a = await LabSocket.BindUdpAsync(one, new IPEndPoint(IPAddress.Any, 0));
        using Socket b = await LabSocket.BindUdpAsync(other, new IPEndPoint(IPAddress.Any, 0));
        using Socket server = await LabSocket.BindUdpAsync(lab.Server, new IPEndPoint(lab.Server.Address, 0));
        IPEndPoint? seenA = await NatProbe.SeenByAsync(a, server), seenB = await NatProbe.SeenByAsync(b, server);

        bool unasked = await PassesAsync(a, b, seenB!);
        bool answered = await PassesAsync(b, a, seenA!);
        bool andBack = await PassesAsync(a, b, seenB!);

        Assert.Equal([false, true, true], [unasked, answered, andBack]);
    }

    private static async Task<bool> PassesAsync(Socket from, Socket to, IPEndPoint address)
    {
        byte[] datagram = RandomNumberGenerator.GetBytes(16);
        await from.SendToAsync(datagram, address);
        return await LabSocket.WaitForAsync(to, datagram, s_silence) is not null;
    }

    private static async Task<IPEndPoint?> ConnectAsync(InternetLab lab, LabHost host, AddressFamily family, IPAddress address)
    {
        using var limit = new CancellationTokenSource(s_patience);
        using Socket listener = await LabSocket.ListenAsync(lab.Server, address);
        using Socket client = await LabSocket.CreateTcpAsync(host, family);
        await client.ConnectAsync(listener.LocalEndPoint!, limit.Token);
        using Socket accepted = await listener.AcceptAsync(limit.Token);
        return (IPEndPoint?)accepted.RemoteEndPoint;
    }
}
