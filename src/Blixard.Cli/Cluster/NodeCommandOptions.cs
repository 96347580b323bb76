using System.CommandLine;
using System.Net;
using Blixard.Cli.Local;
using Blixard.Cli.Net;
using Blixard.Node;
using Blixard.Node.Configuration;

namespace Blixard.Cli.Cluster;

/// <summary>The options that <c>up</c> and <c>join</c> share.</summary>
internal sealed class NodeCommandOptions
{
    private readonly Option<string?> _name = new("--name") { Description = "The node's name in the cluster. Default: this machine's.", HelpName = "NAME" };

    private readonly Option<string[]> _bind = new("--bind")
    {
        Description = "UDP address of P2P, one for each family; port 0 is any free one. Default: all addresses.",
        HelpName = "IP:PORT",
    };

    private readonly RelayOptions _relays = new();
    private readonly LookupOptions _lookups = new();
    private readonly Option<string?> _grpc = new("--grpc") { Description = "Where gRPC is served to other nodes. Default: 0.0.0.0:0.", HelpName = "IP:PORT" };
    private readonly Option<string?> _http = new("--http")
    {
        Description = "Where /metrics and /healthz are shown over plain HTTP; port 0 is any free one. Default: nowhere.",
        HelpName = "IP:PORT",
    };

    private readonly Option<string?> _otlp = new("--otlp") { Description = "The OpenTelemetry collector that gets the metrics, such as http://127.0.0.1:4317.", HelpName = "URL" };
    private readonly Option<bool> _noP2p = new("--no-p2p") { Description = "Call other nodes over gRPC only." };
    private readonly Option<int?> _cpus = new("--cpus") { Description = "Virtual CPUs to offer. Default: the machine's.", HelpName = "N" };
    private readonly Option<long?> _memory = new("--memory") { Description = "Memory for VMs in MiB. Default: three quarters of the machine's.", HelpName = "MIB" };
    private readonly Option<int?> _nodeTtl = new("--node-ttl")
    {
        Description = "How long this node's lease lives without a renewal, 2 to 300 seconds: then it is lost, and VMs that may run elsewhere move. Default: 6.",
        HelpName = "SECONDS",
    };

    private readonly Option<string?> _imageQuota = new("--image-quota")
    {
        Description = "What images may take on this node's disk, such as 10G or 500M. Default: what the disk has.", HelpName = "BYTES",
    };

    private readonly Option<string[]> _labels = new("--label") { Description = "A label for placement.", HelpName = "KEY=VALUE" };

    private readonly Option<string?> _etcd = new("--etcd")
    {
        Description = "The etcd program of a server whose cluster has that engine. Default: etcd in PATH.", HelpName = "PROGRAM",
    };

    private readonly Option<bool> _verbose = new("--verbose") { Description = "Log on stderr what happens inside, not only what goes wrong." };

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(LocalNode.DataDirectoryOption);
        foreach (Option option in new Option[] { _name, _bind, _grpc, _http, _otlp, _noP2p, _cpus, _memory, _labels, _nodeTtl, _imageQuota, _etcd, _verbose })
            command.Options.Add(option);
        _relays.AddTo(command);
        _lookups.AddTo(command);
    }

    /// <summary>Whether the log is wanted in full.</summary>
    public bool IsVerbose(ParseResult result) => result.GetValue(_verbose);

    /// <summary>The node's options: what the command line says, else what <c>BLIXARD_*</c> variables say, else the defaults.</summary>
    public NodeOptions Read(ParseResult result)
    {
        NodeOptions options = NodeEnvironment.Apply(new NodeOptions(), Environment.GetEnvironmentVariable);
        options = options with { DataDirectory = Path.GetFullPath(result.GetRequiredValue(LocalNode.DataDirectoryOption)) };
        if (result.GetValue(_name) is { } name)
            options = options with { Name = name };
        if (result.GetValue(_bind) is { Length: > 0 } bind)
            options = options with { Bind = [.. bind.Select(text => ParseAddress("--bind", text))] };
        if (_relays.Relays(result) is { Count: > 0 } relays)
            options = options with { Relays = relays };
        if (!_relays.UseRelays(result))
            options = options with { UseRelays = false, Relays = [] };
        if (_relays.StunServers(result) is { Count: > 0 } stunServers)
            options = options with { StunServers = stunServers };
        if (!_relays.MapPorts(result))
            options = options with { MapPorts = false };
        options = options with { Lookups = _lookups.Read(result, options.Lookups) };
        if (result.GetValue(_grpc) is { } grpc)
            options = options with { Grpc = ParseAddress("--grpc", grpc) };
        if (result.GetValue(_http) is { } http)
            options = options with { Http = ParseAddress("--http", http) };
        if (result.GetValue(_otlp) is { } otlp)
            options = options with { Otlp = Uri.TryCreate(otlp, UriKind.Absolute, out Uri? collector) ? collector : throw new CommandException(ExitCode.Usage, $"--otlp takes a URL, such as http://127.0.0.1:4317; '{otlp}' is not one.") };
        if (result.GetValue(_noP2p))
            options = options with { P2p = false };
        if (result.GetValue(_cpus) is { } cpus)
            options = options with { Vcpus = cpus };
        if (result.GetValue(_memory) is { } memory)
            options = options with { MemoryMib = memory };
        if (result.GetValue(_nodeTtl) is { } timeToLive)
            options = options with { NodeTtl = TimeSpan.FromSeconds(timeToLive) };
        if (result.GetValue(_imageQuota) is { } quota)
            options = options with { ImageQuotaBytes = ParseBytes("--image-quota", quota) };
        if (result.GetValue(_labels) is { Length: > 0 } labels)
            options = options with { Labels = LabelText.Parse(labels) };
        if (result.GetValue(_etcd) is { } etcd)
            options = options with { EtcdProgram = etcd };
        return options;
    }

    private static IPEndPoint ParseAddress(string option, string text) => IPEndPoint.TryParse(text, out IPEndPoint? address)
        ? address
        : throw new CommandException(ExitCode.Usage, $"{option} takes IP:PORT, such as 0.0.0.0:7000; '{text}' is not one.");

    private static long ParseBytes(string option, string text)
    {
        try
        {
            return ByteCount.Parse(text);
        }
        catch (FormatException e)
        {
            throw new CommandException(ExitCode.Usage, $"{option}: {e.Message}");
        }
    }
}
