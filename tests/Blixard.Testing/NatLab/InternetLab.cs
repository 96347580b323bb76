using System.Diagnostics;
using System.Globalization;
using System.Net;
using Blixard.Testing.Namespaces;

namespace Blixard.Testing.NatLab;

/// <summary>
/// A small internet of network namespaces: a public segment with a server, sites behind gateways of every <see cref="NatKind"/>, and hosts
/// that can move between them. Each site's way to the public segment can have delay, jitter, losses and a limited rate, made in user
/// space as not every kernel can. Nothing of it reaches beyond the machine. Everything is gone after <see cref="DisposeAsync"/>; what a
/// killed run left is removed by the next one. Needs Linux, root, <c>ip</c>, <c>nft</c> and <c>/dev/net/tun</c>. One owner.
/// </summary>
public sealed class InternetLab : IAsyncDisposable
{
    /// <summary>The most members, that is sites and hosts: each may get a public address of one network of 254.</summary>
    public const int MembersMax = 200;

    /// <summary>The server's name: hosts find it by this whatever addresses they have.</summary>
    public const string ServerName = "server.lab";

    /// <summary>The name of the server's second addresses.</summary>
    public const string SecondServerName = "second.lab";

    private const string UplinkDevice = "eth0";

    private readonly string _name;
    private readonly string _segment;
    private readonly LabCables _cables = new();
    private readonly HashSet<string> _namespaces = [];
    private readonly Dictionary<LabHost, LabSite> _sites = [];
    private int _members = 10;
    private int _ports;

    private InternetLab(string name)
    {
        _name = name;
        _segment = $"{name}-segment";
        Folder = Path.Combine(Path.GetTempPath(), name);
        Server = new LabHost("server", $"{name}-server", PublicV4(1)) { AddressV6 = PublicV6(1) };
    }

    /// <summary>
    /// A machine on the public segment, for a relay or any other server. It has a second address of each family:
    /// <see cref="SecondServerAddress"/>.
    /// </summary>
    public LabHost Server { get; }

    /// <summary>The server's second IPv4 address, to see whether a mapping depends on the destination.</summary>
    public static IPAddress SecondServerAddress { get; } = PublicV4(2);

    /// <summary>The server's second IPv6 address.</summary>
    public static IPAddress SecondServerAddressV6 { get; } = PublicV6(2);

    /// <summary>A folder for what hosts write; it goes with the lab.</summary>
    public string Folder { get; }

    /// <summary>Why no lab can be made on this machine, for people; null if one can.</summary>
    public static string? WhyNot() => NetworkLab.WhyNot() ?? (File.Exists("/dev/net/tun") ? null : "/dev/net/tun is not there (modprobe tun)");

    /// <summary>Makes a lab with a server and nothing else, after it has removed what dead runs left.</summary>
    /// <exception cref="LabException">A tool failed.</exception>
    public static async Task<InternetLab> CreateAsync()
    {
        await LabLeftovers.RemoveAsync().ConfigureAwait(false);
        var lab = new InternetLab(LabLeftovers.NewName());
        try
        {
            await lab.BuildAsync().ConfigureAwait(false);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Adds a site.</summary>
    /// <param name="name">Its name: small letters and digits, not that of a host or another site.</param>
    /// <param name="kind">What its hosts are behind.</param>
    /// <param name="uplink">What its way to the public segment does; null: nothing. Without a gateway each host has such a way.</param>
    /// <exception cref="LabException">A tool failed.</exception>
    public async Task<LabSite> AddSiteAsync(string name, NatKind kind, LinkConditions? uplink = null)
    {
        var site = new LabSite(name, kind, NewMember(), uplink);
        if (kind is NatKind.Open or NatKind.IPv6Only)
            return site;
        site.PublicAddress = PublicV4(site.Number);
        site.Gateway = await AddNamespaceAsync(name).ConfigureAwait(false);
        var outer = new LabEnd(site.Gateway, NatRules.OuterInterface);
        if (kind == NatKind.DoubleNat)
        {
            // The carrier's gateway has the public address; the home's has one that is for this (RFC 6598).
            string carrier = await AddNamespaceAsync($"{name}carrier").ConfigureAwait(false);
            var carrierOuter = new LabEnd(carrier, NatRules.OuterInterface);
            await PlugIntoSegmentAsync(carrierOuter, site.PublicAddress, null, uplink).ConfigureAwait(false);
            await TranslateAsync(carrier, kind, site.PublicAddress).ConfigureAwait(false);
            IPAddress inner = await PlugBehindAsync(outer, carrier, [100, 64, (byte)site.Number]).ConfigureAwait(false);
            await TranslateAsync(site.Gateway, kind, inner).ConfigureAwait(false);
            return site;
        }

        await PlugIntoSegmentAsync(outer, site.PublicAddress, null, uplink).ConfigureAwait(false);
        await TranslateAsync(site.Gateway, kind, site.PublicAddress).ConfigureAwait(false);
        return site;
    }

    /// <summary>Adds a host at a site.</summary>
    /// <param name="name">Its name: small letters and digits, not that of a site or another host.</param>
    /// <param name="site">Where it is.</param>
    /// <exception cref="LabException">A tool failed.</exception>
    public async Task<LabHost> AddHostAsync(string name, LabSite site)
    {
        var host = new LabHost(name, await AddNamespaceAsync(name).ConfigureAwait(false), IPAddress.None);
        await PlugAsync(host, site).ConfigureAwait(false);
        return host;
    }

    /// <summary>
    /// Moves a host to another site: its interface goes with its addresses, and a new one comes with those of the other site. Processes on
    /// it go on.
    /// </summary>
    public async Task MoveAsync(LabHost host, LabSite site)
    {
        await _cables.DisconnectAsync(UplinkOf(host)).ConfigureAwait(false);
        if (_sites[host].Kind == NatKind.IPv6Only)
            await SetRulesAsync(host.Namespace, NatRules.OfPlainHost).ConfigureAwait(false);
        await PlugAsync(host, site).ConfigureAwait(false);
    }

    /// <summary>Lets everything between a host and its site vanish, or pass again. The host is not told.</summary>
    public async Task CutAsync(LabHost host, bool isCut)
    {
        LabEnd near = UplinkOf(host);
        foreach (LabEnd end in new[] { near, _cables.OtherEndOf(near) })
            await SetRulesAsync(end.Namespace, NatRules.OfCable(end.Device, isCut)).ConfigureAwait(false);
    }

    /// <summary>Takes the signal off a host's cable, or gives it back: the host's interface loses its carrier and keeps its addresses.</summary>
    public async Task SetCarrierAsync(LabHost host, bool hasCarrier)
    {
        LabEnd far = _cables.OtherEndOf(UplinkOf(host));
        await LabCommand.RunAsync("ip", ["-n", far.Namespace, "link", "set", far.Device, hasCarrier ? "up" : "down"]).ConfigureAwait(false);
    }

    /// <summary>Changes what a way with conditions does: that of a site's gateway.</summary>
    /// <exception cref="LabException">The site has no gateway, or its way is a plain cable.</exception>
    public void ChangeUplink(LabSite site, LinkConditions conditions)
    {
        string gateway = site.Kind == NatKind.DoubleNat ? $"{_name}-{site.Name}carrier" : site.Gateway ?? throw new LabException($"{site.Name} has no gateway");
        LabLink link = _cables.LinkAt(new LabEnd(gateway, NatRules.OuterInterface)) ?? throw new LabException($"the uplink of {site.Name} was made without conditions");
        link.Conditions = conditions;
    }

    /// <summary>
    /// A program that will run on a host of this lab and finds the server by its name. Its process id is that of the process that is started.
    /// </summary>
    public ProcessStartInfo Command(LabHost host, string program, params IEnumerable<string> arguments) =>
        // ip-netns has made a mount namespace for the program alone.
        host.Command("sh", ["-c", "mount --bind \"$0\" /etc/hosts && exec \"$@\"", Path.Combine(Folder, "hosts"), program, .. arguments]);

    /// <summary>How many bytes the server has received by TCP since the lab was made, with the headers of IP and TCP.</summary>
    public async Task<long> CountServerBytesAsync()
    {
        string counter = await LabCommand.RunAsync("ip", ["netns", "exec", Server.Namespace, "nft", "list", "counter", "inet", "count", "arrived"]).ConfigureAwait(false);
        string[] words = counter.Split((char[])[' ', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries);
        return long.Parse(words[Array.IndexOf(words, "bytes") + 1], CultureInfo.InvariantCulture);
    }

    /// <summary>Ends every process of the lab and removes the lab.</summary>
    public async ValueTask DisposeAsync()
    {
        await _cables.DisposeAsync().ConfigureAwait(false);
        foreach (string name in await LabLeftovers.ListNamespacesAsync().ConfigureAwait(false))
        {
            if (_namespaces.Contains(name))
                await LabLeftovers.RemoveNamespaceAsync(name).ConfigureAwait(false);
        }

        if (Directory.Exists(Folder))
            await LabLeftovers.RemoveFolderAsync(Folder).ConfigureAwait(false);
    }

    private static LabEnd UplinkOf(LabHost host) => new(host.Namespace, UplinkDevice);

    private static IPAddress PublicV4(int number) => new([203, 0, 113, (byte)number]);

    private static IPAddress PublicV6(int number) => IPAddress.Parse(string.Create(CultureInfo.InvariantCulture, $"2001:db8::{number:x}"));

    private static Task SetRulesAsync(string networkNamespace, string rules) =>
        LabCommand.RunAsync("ip", ["netns", "exec", networkNamespace, "nft", "-f", "-"], rules);

    private static Task ConfigureAsync(string networkNamespace, string commands) =>
        LabCommand.RunAsync("ip", ["-n", networkNamespace, "-batch", "-"], commands);

    private static async Task TranslateAsync(string gateway, NatKind kind, IPAddress outer)
    {
        await SetRulesAsync(gateway, NatRules.OfGateway(kind, outer)).ConfigureAwait(false);
        await LabCommand.RunAsync("ip", ["netns", "exec", gateway, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]).ConfigureAwait(false);
    }

    private async Task BuildAsync()
    {
        Directory.CreateDirectory(Folder);
        await File.WriteAllTextAsync(
            Path.Combine(Folder, "hosts"), $"127.0.0.1 localhost\n::1 localhost\n{Server.Address} {ServerName}\n{Server.AddressV6} {ServerName}\n{SecondServerAddress} {SecondServerName}\n{SecondServerAddressV6} {SecondServerName}\n").ConfigureAwait(false);
        await AddNamespaceAsync("segment").ConfigureAwait(false);
        // Its address is everybody's gateway, and it forwards nothing: what is not on the segment is sent to nowhere, without a word.
        await ConfigureAsync(
            _segment, $"link add segment type bridge forward_delay 0\naddress add {PublicV4(254)}/24 dev segment\naddress add {PublicV6(254)}/64 dev segment nodad\nlink set segment up\n").ConfigureAwait(false);
        await AddNamespaceAsync("server").ConfigureAwait(false);
        var near = new LabEnd(Server.Namespace, UplinkDevice);
        await PlugIntoSegmentAsync(near, Server.Address, Server.AddressV6, null).ConfigureAwait(false);
        await ConfigureAsync(Server.Namespace, $"address add {SecondServerAddress}/24 dev {UplinkDevice}\naddress add {SecondServerAddressV6}/64 dev {UplinkDevice} nodad\n").ConfigureAwait(false);
        await SetRulesAsync(
            Server.Namespace, "table inet count {\ncounter arrived { }\nchain in {\ntype filter hook input priority 0\niifname \"eth0\" meta l4proto tcp counter name arrived\n}\n}\n").ConfigureAwait(false);
    }

    private int NewMember() => _members < MembersMax ? ++_members : throw new LabException($"the lab holds {MembersMax} sites and hosts");

    private async Task<string> AddNamespaceAsync(string name)
    {
        string full = $"{_name}-{name}";
        await LabCommand.RunAsync("ip", ["netns", "add", full]).ConfigureAwait(false);
        _namespaces.Add(full);
        await ConfigureAsync(full, "link set lo up\n").ConfigureAwait(false);
        return full;
    }

    private async Task PlugAsync(LabHost host, LabSite site)
    {
        _sites[host] = site;
        LabEnd near = UplinkOf(host);
        if (site.Gateway is not null)
        {
            host.Address = await PlugBehindAsync(near, site.Gateway, [10, (byte)site.Number, (byte)NewMember()]).ConfigureAwait(false);
            host.AddressV6 = null;
            return;
        }

        int number = NewMember();
        host.AddressV6 = PublicV6(number);
        host.Address = site.Kind == NatKind.Open ? PublicV4(number) : host.AddressV6;
        if (site.Kind == NatKind.IPv6Only)
            await SetRulesAsync(host.Namespace, NatRules.OfFirewalledHost).ConfigureAwait(false);
        await PlugIntoSegmentAsync(near, site.Kind == NatKind.Open ? host.Address : null, host.AddressV6, site.Uplink).ConfigureAwait(false);
    }

    private async Task PlugIntoSegmentAsync(LabEnd near, IPAddress? v4, IPAddress? v6, LinkConditions? conditions)
    {
        var far = new LabEnd(_segment, string.Create(CultureInfo.InvariantCulture, $"port{++_ports}"));
        await _cables.ConnectAsync(near, far, conditions).ConfigureAwait(false);
        await ConfigureAsync(_segment, $"link set {far.Device} master segment\n").ConfigureAwait(false);
        string commands = "";
        if (v4 is not null)
            commands += $"address add {v4}/24 dev {near.Device}\nroute add default via {PublicV4(254)}\n";
        if (v6 is not null)
            commands += $"address add {v6}/64 dev {near.Device} nodad\nroute add default via {PublicV6(254)}\n";
        await ConfigureAsync(near.Namespace, commands).ConfigureAwait(false);
    }

    // Each host has a cable and a network of its own at the gateway, which forwards between them.
    private async Task<IPAddress> PlugBehindAsync(LabEnd near, string gateway, byte[] network)
    {
        var far = new LabEnd(gateway, string.Create(CultureInfo.InvariantCulture, $"lan{++_ports}"));
        await _cables.ConnectAsync(near, far, null).ConfigureAwait(false);
        var router = new IPAddress([.. network, 1]);
        var address = new IPAddress([.. network, 2]);
        await ConfigureAsync(gateway, $"address add {router}/24 dev {far.Device}\n").ConfigureAwait(false);
        await ConfigureAsync(near.Namespace, $"address add {address}/24 dev {near.Device}\nroute add default via {router}\n").ConfigureAwait(false);
        return address;
    }
}
