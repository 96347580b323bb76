using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Blixard.Cli.Demo;

/// <summary>
/// A small internet on this machine: this machine behind a firewall, a home behind a NAT, and between them a relay with a certificate of
/// its own. Made of network namespaces, which go when it is disposed.
/// <code>
///   this machine ──(firewall) relay (firewall)── gateway with NAT ── home
///   198.18.213.1              198.18.213.2       198.18.214.2        192.168.213.2
/// </code>
/// The public addresses are of the network for benchmarks (RFC 2544), which nobody routes.
/// </summary>
internal sealed class DemoInternet : IAsyncDisposable
{
    /// <summary>This machine's address in it.</summary>
    public const string HereAddress = "198.18.213.1";

    /// <summary>The address of the machine at home, which only the gateway knows.</summary>
    public const string HomeAddress = "192.168.213.2";

    private const string RelayAddress = "198.18.213.2";

    // Tools for network settings answer at once; one that does not is not waited for.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan s_stopLimit = TimeSpan.FromSeconds(5);

    private readonly string _name = DemoLeftovers.OwnName();
    private readonly string _certificate;
    private readonly string _key;
    private Process? _relay;
    private Task _draining = Task.CompletedTask;

    private DemoInternet(string folder) =>
        (_certificate, _key) = (Path.Combine(folder, "relay.crt"), Path.Combine(folder, "relay.key"));

    /// <summary>The namespace of the machine at home.</summary>
    public string Home => $"{_name}-home";

    /// <summary>What a node needs to be found at the relay.</summary>
    public string[] NodeOptions { get; } = ["--relay", $"https://{RelayAddress}", "--no-port-mapping"];

    /// <summary>Variables by which a node trusts the relay's certificate.</summary>
    public IReadOnlyDictionary<string, string> NodeVariables => new Dictionary<string, string> { ["SSL_CERT_FILE"] = _certificate };

    /// <summary>Makes it and starts the relay.</summary>
    /// <param name="folder">Where the relay's certificate and log go.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <returns>It, or why it cannot be had on this machine.</returns>
    public static async Task<(DemoInternet? Internet, string Problem)> TryCreateAsync(string folder, CancellationToken cancellationToken)
    {
        if (!OperatingSystem.IsLinux())
            return (null, "network namespaces need Linux");
        if (!Environment.IsPrivilegedProcess)
            return (null, "only root may make network namespaces");
        var internet = new DemoInternet(folder);
        string problem;
        try
        {
            await DemoLeftovers.RemoveAsync(async (program, arguments) =>
                await RunToolAsync(program, arguments, "", cancellationToken).ConfigureAwait(false) is { Problem: "" } done ? done.Output : null).ConfigureAwait(false);
            problem = await internet.BuildAsync(cancellationToken).ConfigureAwait(false);
            if (problem.Length == 0)
                problem = await internet.StartRelayAsync(folder, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await internet.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        if (problem.Length == 0)
            return (internet, "");
        await internet.DisposeAsync().ConfigureAwait(false);
        return (null, problem);
    }

    /// <summary>Stops the relay and removes the namespaces; what still runs in them loses its network.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_relay is not null)
        {
            if (!_relay.HasExited)
                _relay.Kill();
            using var limit = new CancellationTokenSource(s_stopLimit);
            await _relay.WaitForExitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await _draining.ConfigureAwait(false);
            _relay.Dispose();
        }

        foreach (string part in new[] { "home", "gateway", "outside" })
            await RunAsync("ip", ["netns", "delete", $"{_name}-{part}"], "", CancellationToken.None).ConfigureAwait(false);
    }

    private async Task<string> BuildAsync(CancellationToken cancellationToken)
    {
        (string outside, string gateway) = ($"{_name}-outside", $"{_name}-gateway");
        string device = $"blxdemo{Environment.ProcessId % 1_000_000}";
        (string Program, string[] Arguments, string Input)[] steps =
        [
            ("ip", ["-batch", "-"], $"""
                netns add {outside}
                netns add {gateway}
                netns add {Home}
                link add {device} type veth peer name here netns {outside}
                address add {HereAddress}/24 dev {device}
                link set {device} up
                route add 198.18.214.0/24 via {RelayAddress} src {HereAddress}

                """),
            ("ip", ["-n", outside, "-batch", "-"], $"""
                link set lo up
                address add {RelayAddress}/24 dev here
                link set here up
                link add there type veth peer name outer netns {gateway}
                address add 198.18.214.1/24 dev there
                link set there up

                """),
            ("ip", ["-n", gateway, "-batch", "-"], $"""
                link set lo up
                address add 198.18.214.2/24 dev outer
                link set outer up
                route add default via 198.18.214.1
                link add inner type veth peer name eth0 netns {Home}
                address add 192.168.213.1/24 dev inner
                link set inner up

                """),
            ("ip", ["-n", Home, "-batch", "-"], $"""
                link set lo up
                address add {HomeAddress}/24 dev eth0
                link set eth0 up
                route add default via 192.168.213.1

                """),
            // What comes unasked from one side to the other is dropped, as firewalls do.
            ("ip", ["netns", "exec", outside, "nft", "-f", "-"], """
                table inet demo {
                  chain forward {
                    type filter hook forward priority 0; policy drop;
                    ct state established,related accept
                    iifname "here" meta l4proto udp accept
                  }
                }

                """),
            ("ip", ["netns", "exec", gateway, "nft", "-f", "-"], """
                table inet demo {
                  chain leaving {
                    type nat hook postrouting priority 100;
                    oifname "outer" masquerade
                  }
                  chain forward {
                    type filter hook forward priority 0; policy drop;
                    ct state established,related accept
                    iifname "inner" accept
                  }
                }

                """),
            ("ip", ["netns", "exec", outside, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"], ""),
            ("ip", ["netns", "exec", gateway, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"], ""),
        ];
        foreach ((string program, string[] arguments, string input) in steps)
        {
            if (await RunAsync(program, arguments, input, cancellationToken).ConfigureAwait(false) is { Length: > 0 } problem)
                return problem;
        }

        return "";
    }

    private async Task<string> StartRelayAsync(string folder, CancellationToken cancellationToken)
    {
        WriteCertificate();
        ProcessStartInfo relay = SelfProcess.Create(
            ["relay", "serve", "--https", $"{RelayAddress}:443", "--cert", _certificate, "--key", _key, "--qad", $"{RelayAddress}:7842", "--json"]);
        ProcessStartInfo start = In($"{_name}-outside", relay);
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        _relay = Process.Start(start)!;
        Task<string> errors = _relay.StandardError.ReadToEndAsync(CancellationToken.None);
        string? line = await _relay.StandardOutput.ReadLineAsync(cancellationToken).ConfigureAwait(false);
        if (line is null)
            return $"the relay did not start: {(await errors.ConfigureAwait(false)).Trim()}";
        _draining = Task.WhenAll(errors, _relay.StandardOutput.ReadToEndAsync(CancellationToken.None));
        return "";
    }

    /// <summary>The same program in a namespace. Its process id stays that of the process that is started.</summary>
    public static ProcessStartInfo In(string networkNamespace, ProcessStartInfo program) =>
        new("ip", ["netns", "exec", networkNamespace, program.FileName, .. program.ArgumentList]);

    private void WriteCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=the relay of blixard demo", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Parse(RelayAddress));
        request.CertificateExtensions.Add(names.Build());
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using X509Certificate2 certificate = request.CreateSelfSigned(now.AddHours(-1), now.AddDays(30));
        File.WriteAllText(_certificate, certificate.ExportCertificatePem());
        File.WriteAllText(_key, key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>Runs a tool; what went wrong, or "".</summary>
    private static async Task<string> RunAsync(string program, string[] arguments, string input, CancellationToken cancellationToken) =>
        (await RunToolAsync(program, arguments, input, cancellationToken).ConfigureAwait(false)).Problem;

    /// <summary>Runs a tool; what it printed, and what went wrong or "".</summary>
    private static async Task<(string Output, string Problem)> RunToolAsync(string program, string[] arguments, string input, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        Process? process;
        try
        {
            process = Process.Start(start);
        }
        catch (Win32Exception exception)
        {
            return ("", $"{program} cannot be run: {exception.Message}");
        }

        using (process)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(s_limit);
            await process!.StandardInput.WriteAsync(input.AsMemory(), limit.Token).ConfigureAwait(false);
            process.StandardInput.Close();
            Task<string> output = process.StandardOutput.ReadToEndAsync(limit.Token);
            string errors = await process.StandardError.ReadToEndAsync(limit.Token).ConfigureAwait(false);
            await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            return (await output.ConfigureAwait(false), process.ExitCode == 0 ? "" : $"{program}: {errors.Split('\n')[0]}");
        }
    }
}
