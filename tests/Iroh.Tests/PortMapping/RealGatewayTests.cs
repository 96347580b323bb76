using System.Diagnostics;
using System.Net;
using Blixard.Testing.Basics;
using Iroh.LocalAddresses;
using Iroh.PortMapping;
using Iroh.Tests.LocalAddresses;

namespace Iroh.Tests.PortMapping;

/// <summary>Port mapping against a gateway daemon that others wrote (Debian: miniupnpd), behind a default route, on the well-known ports.</summary>
public class RealGatewayTests
{
    private const string Daemon = "/usr/sbin/miniupnpd";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    // A public address, as miniupnpd forwards nothing on a private one; the network is private all the same.
    private const string PublicAddress = "5.5.5.5";

    // On /run, which is a file system of the test's own.
    private const string Folder = "/run/gateway";

    private const string Configuration = """
        ext_ifname=wan0
        listening_ip=lan1
        enable_natpmp=yes
        enable_upnp=yes
        secure_mode=yes
        uuid=12345678-0000-0000-0000-000000000000
        upnp_table_name=filter
        upnp_nat_table_name=filter
        upnp_forward_chain=miniupnpd
        upnp_nat_chain=prerouting_miniupnpd
        upnp_nat_postrouting_chain=postrouting_miniupnpd
        allow 1024-65535 10.9.0.0/24 1024-65535
        deny 0-65535 0.0.0.0/0 0-65535

        """;

    private const string Rules = """
        table inet filter {
          chain miniupnpd { }
          chain prerouting_miniupnpd { }
          chain postrouting_miniupnpd { }
          chain forward { type filter hook forward priority 0; jump miniupnpd; }
          chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
          chain postrouting { type nat hook postrouting priority 100; jump postrouting_miniupnpd; }
        }
        """;

    [Fact(Timeout = Patience.Test)]
    public async Task A_real_gateway_forwards_a_port_by_each_protocol_and_gets_it_back()
    {
        Assert.SkipWhen(PrivateNetwork.WhyNot() is not null, PrivateNetwork.WhyNot() ?? "");
        Assert.SkipUnless(File.Exists(Daemon), "miniupnpd is not installed (Debian: apt-get install miniupnpd)");
        await PrivateNetwork.RunTestAsync(GetType(), nameof(Child_process_with_a_gateway_of_its_own));
    }

    /// <summary>Not a test of its own: what the test above runs in a network of its own.</summary>
    [Fact(Timeout = Patience.Test, Explicit = true)]
    public async Task Child_process_with_a_gateway_of_its_own()
    {
        await PlugAsync();
        Assert.Equal(IPAddress.Parse("10.9.0.1"), DefaultRoutes.Read().V4?.Gateway);
        using Process daemon = Process.Start(new ProcessStartInfo("ip", ["netns", "exec", "gw", Daemon, "-d", "-f", $"{Folder}/conf"])
        {
            RedirectStandardError = true, RedirectStandardOutput = true,
        })!;
        daemon.ErrorDataReceived += static (_, _) => { };
        daemon.BeginErrorReadLine();

        using var upnp = new UpnpProtocol(TimeProvider.System, Random.Shared.Next);
        await CheckAsync(new PcpProtocol(TimeProvider.System), 40001);
        await CheckAsync(new NatPmpProtocol(TimeProvider.System), 40002);
        await CheckAsync(upnp, 40003);
    }

    private static async Task CheckAsync(IPortMappingProtocol protocol, int port)
    {
        string forward = $@"dport {port}\b.* dnat .*10\.9\.0\.2:{port}\b";
        await using (PortMapper mapper = await MapAsync(protocol, port))
        {
            Assert.Equal(new MappedPort(IPEndPoint.Parse($"{PublicAddress}:{port}"), port, protocol.Protocol), mapper.Current);
            Assert.Matches(forward, await ListRulesAsync());
        }

        Assert.DoesNotMatch(forward, await ListRulesAsync());
    }

    private static async Task<PortMapper> MapAsync(IPortMappingProtocol protocol, int port)
    {
        var granted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var mapper = new PortMapper(new PortMapperOptions { InternalPort = port, Protocols = [protocol] }, _ => granted.TrySetResult());
        // It takes a moment until the daemon listens.
        var waited = Stopwatch.StartNew();
        while (await Task.WhenAny(granted.Task, Task.Delay(TimeSpan.FromSeconds(2))) != granted.Task && waited.Elapsed < s_patience)
            mapper.Restart();
        Assert.True(mapper.Current is not null, $"{protocol.Protocol}: {mapper.Problem}");
        return mapper;
    }

    private static Task<string> ListRulesAsync() => PrivateNetwork.RunToolAsync("ip", "netns exec gw nft list ruleset");

    private static async Task PlugAsync()
    {
        Directory.CreateDirectory(Folder);
        await File.WriteAllTextAsync($"{Folder}/conf", Configuration);
        await File.WriteAllTextAsync($"{Folder}/rules", Rules);
        string[] commands =
        [
            "netns add gw",
            "link add lan0 type veth peer name lan1 netns gw",
            "address add 10.9.0.2/24 dev lan0", "link set lan0 up", "route add default via 10.9.0.1",
            "-n gw link set lo up", "-n gw address add 10.9.0.1/24 dev lan1", "-n gw link set lan1 up",
            "-n gw link add wan0 type veth peer name wan1", $"-n gw address add {PublicAddress}/24 dev wan0",
            "-n gw link set wan0 up", "-n gw link set wan1 up", "-n gw route add default via 5.5.5.1",
            $"netns exec gw nft -f {Folder}/rules",
        ];
        foreach (string command in commands)
            await PrivateNetwork.RunToolAsync("ip", command);
    }
}
