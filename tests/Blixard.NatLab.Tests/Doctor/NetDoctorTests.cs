using System.Diagnostics;
using System.Text.Json.Nodes;
using Blixard.NatLab.Tests.Lab;
using Blixard.Testing.NatLab;
using Blixard.Testing.Namespaces;

namespace Blixard.NatLab.Tests.Doctor;

/// <summary>What <c>net doctor</c> says behind gateways of every kind, with a real STUN server (Debian: coturn) and our relay outside.</summary>
public sealed class NetDoctorTests
{
    private const string StunProgram = "/usr/bin/turnserver";
    private const int StunPort = 3478, RelayPort = 3340;

    private static readonly string s_program = Path.Combine(AppContext.BaseDirectory, "blixard.dll");

    [LabTheory]
    [InlineData(NatKind.Open, "open", false, "expected")]
    [InlineData(NatKind.AddressIndependent, "easy-nat", false, "expected")]
    [InlineData(NatKind.PortRestricted, "easy-nat", false, "expected")]
    [InlineData(NatKind.DoubleNat, "easy-nat", false, "expected")]
    [InlineData(NatKind.RandomPort, "hard-nat", true, "likely")]
    [InlineData(NatKind.UdpBlocked, "udp-blocked", null, "local-only")]
    [InlineData(NatKind.IPv6Only, "open", null, "expected")]
    public async Task It_names_the_kind_of_network_and_what_to_expect(NatKind kind, string expectedKind, bool? varies, string direct)
    {
        Assert.SkipUnless(File.Exists(StunProgram), "coturn is not installed (Debian: apt-get install coturn)");
        await using InternetLab lab = await InternetLab.CreateAsync();
        LabSite site = await lab.AddSiteAsync("site", kind);
        LabHost host = await lab.AddHostAsync("host", site);
        using Process stun = StartStun(lab);
        await using LabProgram relay = LabProgram.Start(lab, lab.Server, s_program, "relay", "serve", "--http", $"[::]:{RelayPort}");
        await relay.UntilEventAsync("listening");
        await WaitForStunAsync(lab);

        await using LabProgram doctor = LabProgram.Start(
            lab, host, s_program, "net", "doctor", "--relay", $"http://{InternetLab.ServerName}:{RelayPort}",
            "--stun", $"{InternetLab.ServerName}:{StunPort}", "--stun", $"{InternetLab.SecondServerAddress}:{StunPort}");
        JsonObject seen = (await doctor.UntilAsync(_ => true, "a diagnosis")).Item;

        Assert.True(seen["nat"]!["kind"]!.GetValue<string>() == expectedKind, seen.ToJsonString());
        Assert.Equal(varies, seen["nat"]!["mappingVariesByDestination"]?.GetValue<bool>());
        Assert.Equal(direct, seen["direct"]!.GetValue<string>());
        Assert.Equal([host.Address.ToString()], seen["localAddresses"]!.AsArray().Select(address => address!.GetValue<string>()).Take(1));
        Assert.Equal($"http://{InternetLab.ServerName}:{RelayPort}/", seen["homeRelay"]!.GetValue<string>());
        if (site.PublicAddress is { } publicAddress && kind != NatKind.UdpBlocked)
            Assert.StartsWith($"{publicAddress}:", seen["publicAddresses"]![0]!.GetValue<string>());
        Assert.Equal(0, await doctor.WaitForEndAsync());
    }

    private static Process StartStun(InternetLab lab)
    {
        ProcessStartInfo start = lab.Command(
            lab.Server, StunProgram, "-n", "--stun-only", "--no-tls", "--no-dtls", "--no-cli", "--no-stdout-log", "-p", $"{StunPort}",
            "-L", $"{lab.Server.Address}", "-L", $"{InternetLab.SecondServerAddress}", "-L", $"{lab.Server.AddressV6}",
            "--log-file", Path.Combine(lab.Folder, "stun.log"), "--pidfile", Path.Combine(lab.Folder, "stun.pid"), "--userdb", Path.Combine(lab.Folder, "stun.db"));
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        Process process = Process.Start(start)!;
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    // Asked from beside it, where nothing is in between.
    private static async Task WaitForStunAsync(InternetLab lab)
    {
        for (var waited = Stopwatch.StartNew(); waited.Elapsed < TimeSpan.FromSeconds(60);)
        {
            await using LabProgram doctor = LabProgram.Start(
                lab, lab.Server, s_program, "net", "doctor", "--no-port-mapping",
                "--stun", $"{lab.Server.Address}:{StunPort}", "--stun", $"{InternetLab.SecondServerAddress}:{StunPort}", "--stun", $"[{lab.Server.AddressV6}]:{StunPort}");
            JsonObject seen = (await doctor.UntilAsync(_ => true, "a diagnosis")).Item;
            if (seen["problems"]!.AsArray().Count == 0)
                return;
        }

        Assert.Fail("coturn does not answer");
    }
}
