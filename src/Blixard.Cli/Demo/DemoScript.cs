using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Blixard.Cli.Images;
using Blixard.Cli.Output;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Demo;

/// <summary>The steps of the demo. Each asks the nodes themselves what is the case, and waits for it within a limit.</summary>
internal sealed class DemoScript(DemoCluster cluster, DemoReport report, string kernelPath, string initramfsPath)
{
    private const string ImageName = "demo";
    private const string VmName = "demo-vm";
    private const string GuestLine = "blixard-guest: up";

    private static readonly TimeSpan s_stepLimit = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan s_endLimit = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_pingTime = TimeSpan.FromSeconds(3);

    /// <summary>How often a node is asked whether what a step waits for is the case.</summary>
    public static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);

    private readonly DemoRaft _raft = new(cluster);
    private readonly DemoContainer _container = new(cluster);
    private readonly DemoNat _nat = new(cluster);

    private delegate Task<(string Seen, JsonObject Facts)> Body(CancellationToken cancellationToken);

    private DemoNode One => cluster["one"];

    private DemoNode Two => cluster["two"];

    private DemoNode Three => cluster["three"];

    /// <summary>Runs the steps in order; false if one failed, after which no more are run.</summary>
    public async Task<bool> RunAsync(CancellationToken cancellationToken) =>
        await StepAsync("Start the first server", StartFirstAsync, cancellationToken).ConfigureAwait(false)
        && await StepAsync("Two machines join with tickets, as servers", JoinAsync, cancellationToken).ConfigureAwait(false)
        && await StepAsync("Each learns the others' P2P addresses and links to them", LinkAsync, cancellationToken).ConfigureAwait(false)
        && await StepAsync("Pings travel over iroh", PingAsync, cancellationToken).ConfigureAwait(false)
        && await StepAsync("Three servers vote; their Raft travels over iroh", _raft.AgreeAsync, cancellationToken).ConfigureAwait(false)
        && await StepAsync("Pack and add an image on node one", AddImageAsync, cancellationToken).ConfigureAwait(false)
        && await StepAsync("Ask node two for a microVM on node three", RunVmAsync, cancellationToken).ConfigureAwait(false)
        && await StepAsync("Node three fetches the image over iroh, verified", FetchAsync, cancellationToken).ConfigureAwait(false)
        && await StepAsync("The microVM boots; its console appears", BootAsync, cancellationToken).ConfigureAwait(false)
        && await StepAsync("A container image becomes a microVM on another node", _container.RunAsync, cancellationToken).ConfigureAwait(false)
        && await StepAsync("UDP is cut: Raft takes gRPC, then iroh again", _raft.CutAsync, cancellationToken).ConfigureAwait(false)
        && await StepAsync("The leader is killed; the others go on", _raft.KillLeaderAsync, cancellationToken).ConfigureAwait(false)
        && await StepAsync("The microVM stops cleanly", StopAsync, cancellationToken).ConfigureAwait(false)
        && await StepAsync("Node two leaves and is gone from everybody's list", LeaveAsync, cancellationToken).ConfigureAwait(false)
        && await StepAsync("A machine behind a NAT joins over a relay; the link becomes direct", _nat.MeetAsync, cancellationToken).ConfigureAwait(false);

    private async Task<bool> StepAsync(string title, Body body, CancellationToken cancellationToken)
    {
        report.Begin(title);
        long start = Stopwatch.GetTimestamp();
        string problem;
        try
        {
            (string seen, JsonObject facts) = await RunWithinAsync(body, cancellationToken).ConfigureAwait(false);
            report.End(title, ok: true, Stopwatch.GetElapsedTime(start), seen, facts);
            return true;
        }
        catch (OperationCanceledException)
        {
            problem = cancellationToken.IsCancellationRequested ? "stopped before it was done"
                : cluster.Failed.IsCompletedSuccessfully ? ""
                : $"did not happen within {s_stepLimit.TotalSeconds} s{await LastStatusAsync().ConfigureAwait(false)}";
        }
        catch (Exception exception) when (exception is RpcException or CommandException or IOException)
        {
            problem = exception.Message;
        }

        // A node that ended explains all else, such as calls that got no answer; the call may fail a moment before the end is seen.
        await Task.WhenAny(cluster.Failed, Task.Delay(s_endLimit, CancellationToken.None)).ConfigureAwait(false);
        if (!cancellationToken.IsCancellationRequested && cluster.Failed.IsCompletedSuccessfully)
        {
            DemoNode ended = await cluster.Failed.ConfigureAwait(false);
            problem = $"node {ended.Name} is gone ({ended.End})";
        }

        report.End(title, ok: false, Stopwatch.GetElapsedTime(start), problem, null);
        return false;
    }

    /// <summary>Runs a step until it is done, its limit is over, or a node is gone that should be there.</summary>
    private async Task<(string Seen, JsonObject Facts)> RunWithinAsync(Body body, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(s_stepLimit);
        Task<(string Seen, JsonObject Facts)> step = body(limit.Token);
        if (await Task.WhenAny(step, cluster.Failed).ConfigureAwait(false) != step)
            await limit.CancelAsync().ConfigureAwait(false);
        return await step.ConfigureAwait(false);
    }

    private async Task<(string Seen, JsonObject Facts)> StartFirstAsync(CancellationToken cancellationToken)
    {
        await _nat.PrepareAsync(cancellationToken).ConfigureAwait(false);
        DemoNode node = await cluster.StartAsync("one", ["up", "--engine", "etcd"], cancellationToken).ConfigureAwait(false);
        return ($"one is {Text(node.Ready, "endpointId")[..10]}, process {node.ProcessId}, data in {node.Directory}", Facts(node));
    }

    private async Task<(string Seen, JsonObject Facts)> JoinAsync(CancellationToken cancellationToken)
    {
        var seen = new StringBuilder();
        var facts = new JsonObject();
        foreach (string name in new[] { "two", "three" })
        {
            CreateTokenResponse token =
                await One.Api.CallAsync(ClusterMethods.CreateToken, new CreateTokenRequest { Role = NodeRole.Server }, null, cancellationToken).ConfigureAwait(false);
            DemoNode node = await cluster.StartAsync(name, ["join", token.Ticket, "--role", "server"], cancellationToken).ConfigureAwait(false);
            seen.AppendLine(CultureInfo.InvariantCulture, $"{name} is {Text(node.Ready, "endpointId")[..10]}, process {node.ProcessId}; its ticket began {token.Ticket[..24]}…");
            facts[name] = Facts(node);
        }

        return (seen.ToString(), facts);
    }

    private async Task<(string Seen, JsonObject Facts)> LinkAsync(CancellationToken cancellationToken)
    {
        var seen = new StringBuilder();
        var facts = new JsonObject();
        foreach (DemoNode node in cluster.Nodes)
        {
            StatusResponse status = await UntilAsync(
                node, status => Others(status).Count() == cluster.Nodes.Count - 1 && Others(status).All(IsLinked), cancellationToken).ConfigureAwait(false);
            IEnumerable<string> links = Others(status).Select(other => $"{other.Member.Node.Name} at {other.P2P.Remote} ({other.P2P.Path.ToString().ToLowerInvariant()})");
            seen.AppendLine(CultureInfo.InvariantCulture, $"{node.Name} is linked to {string.Join(" and ", links)}");
            facts[node.Name] = new JsonArray([.. Others(status).Select(other => new JsonObject
            {
                ["name"] = other.Member.Node.Name,
                ["p2pAddresses"] = new JsonArray([.. other.Member.P2PNodeAddr.DirectAddresses.Select(address => JsonValue.Create(address))]),
                ["remote"] = other.P2P.Remote,
            })]);
        }

        return (seen.ToString(), facts);
    }

    private async Task<(string Seen, JsonObject Facts)> PingAsync(CancellationToken cancellationToken)
    {
        // Links ping every second; the first ones meet code that has not run before, so the best of a few counts.
        var best = new SortedDictionary<string, double>(StringComparer.Ordinal);
        long start = Stopwatch.GetTimestamp();
        do
        {
            foreach (DemoNode node in cluster.Nodes)
            {
                StatusResponse status = await UntilAsync(node, status => Others(status).All(other => other.P2P.RttMs > 0), cancellationToken).ConfigureAwait(false);
                foreach (NodeStatus other in Others(status))
                {
                    string pair = $"{node.Name} → {other.Member.Node.Name}";
                    best[pair] = Math.Min(other.P2P.RttMs, best.GetValueOrDefault(pair, double.MaxValue));
                }
            }

            await Task.Delay(PollInterval, cancellationToken).ConfigureAwait(false);
        }
        while (Stopwatch.GetElapsedTime(start) < s_pingTime);

        return (
            string.Join(", ", best.Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} {pair.Value:0.00} ms"))),
            new JsonObject(best.Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)JsonValue.Create(Math.Round(pair.Value, 3))))));
    }

    private async Task<(string Seen, JsonObject Facts)> AddImageAsync(CancellationToken cancellationToken)
    {
        var request = new AddImageRequest { Name = ImageName, KernelPath = Path.GetFullPath(kernelPath), InitramfsPath = Path.GetFullPath(initramfsPath) };
        ImageRecord? image = null;
        await foreach (ImageProgress progress in One.Api.StreamAsync(ImageMethods.Add, request, null, cancellationToken).ConfigureAwait(false))
            image = progress.Image ?? image;
        return ($"{image!.Name}:{image.Tag}, {HumanText.Bytes(image.SizeBytes)}, BLAKE3 {Convert.ToHexStringLower(image.Hash.Span)[..16]}…", ImageJson.Create(image));
    }

    private async Task<(string Seen, JsonObject Facts)> RunVmAsync(CancellationToken cancellationToken)
    {
        // A moment may pass until node two has heard of the image.
        await UntilAsync(Two, status => status.Images.Any(image => image.Name == ImageName), cancellationToken).ConfigureAwait(false);
        var spec = new VmSpec
        {
            Name = VmName, Image = ImageName, Node = "three", Vcpus = 1, MemoryMib = 256, Desired = DesiredState.Running, Restart = RestartPolicy.Never,
        };
        RunResponse response = await Two.Api.CallAsync(VmMethods.Run, new RunRequest { Spec = spec }, null, cancellationToken).ConfigureAwait(false);
        return ($"{VmName} goes to {response.Vm.Status.Node}: {response.Vm.Status.Reason}", Vms.VmJson.Create(response.Vm));
    }

    private async Task<(string Seen, JsonObject Facts)> FetchAsync(CancellationToken cancellationToken)
    {
        StatusResponse status = await UntilAsync(
            Three, status => status.Images.Any(image => image.Name == ImageName && image.Nodes.Contains("three")), cancellationToken).ConfigureAwait(false);
        ImageRecord image = status.Images.First(image => image.Name == ImageName);
        NodeStatus source = status.Nodes.First(node => node.Member.Node.Name == "one");
        return (
            $"{HumanText.Bytes(image.SizeBytes)} from one; it is now on {string.Join(" and ", image.Nodes)}",
            new JsonObject { ["sizeBytes"] = image.SizeBytes, ["path"] = source.P2P.Path.ToString().ToLowerInvariant(), ["remote"] = source.P2P.Remote });
    }

    private async Task<(string Seen, JsonObject Facts)> BootAsync(CancellationToken cancellationToken)
    {
        StatusResponse status = await UntilVmAsync(Two, VmState.Running, cancellationToken).ConfigureAwait(false);
        var console = new StringBuilder();
        int end = -1;
        await foreach (LogsResponse piece in Two.Api.StreamAsync(
            VmMethods.Logs, new LogsRequest { Name = VmName, Follow = true }, null, cancellationToken).ConfigureAwait(false))
        {
            console.Append(Encoding.UTF8.GetString(piece.Data.Span));
            int line = console.ToString().IndexOf(GuestLine, StringComparison.Ordinal);
            end = line < 0 ? -1 : console.ToString().IndexOf('\n', line);
            if (end >= 0)
                break;
        }

        if (end < 0)
            throw new CommandException(ExitCode.Failed, $"the console ended before the guest said that it is up: {console}");
        // What came after that line is a shell that asks the terminal for its size: nothing to print.
        string[] lines = [.. console.ToString()[..end].Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0).TakeLast(3)];
        string acceleration = status.Vms.First(vm => vm.Spec.Name == VmName).Status.Acceleration;
        return (
            $"runs on {acceleration}\n{string.Join('\n', lines.Select(line => $"| {line}"))}",
            new JsonObject { ["acceleration"] = acceleration, ["console"] = new JsonArray([.. lines.Select(line => JsonValue.Create(line))]) });
    }

    private async Task<(string Seen, JsonObject Facts)> StopAsync(CancellationToken cancellationToken)
    {
        await Two.Api.CallAsync(VmMethods.Stop, new StopRequest { Name = VmName }, null, cancellationToken).ConfigureAwait(false);
        StatusResponse status = await UntilVmAsync(Two, VmState.Stopped, cancellationToken).ConfigureAwait(false);
        VmRecord vm = status.Vms.First(vm => vm.Spec.Name == VmName);
        return ($"{VmName} {vm.Status.Reason}", Vms.VmJson.Create(vm));
    }

    private async Task<(string Seen, JsonObject Facts)> LeaveAsync(CancellationToken cancellationToken)
    {
        DemoNode two = Two;
        two.MayEnd = true;
        try
        {
            await two.Api.CallAsync(ClusterMethods.Leave, new LeaveRequest(), null, cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException exception) when (exception.IsTransportFailure)
        {
            await two.WaitAsync(cancellationToken).ConfigureAwait(false);
            throw new CommandException(ExitCode.Failed, $"node two is gone ({two.End}) before it had left", exception);
        }

        await two.WaitAsync(cancellationToken).ConfigureAwait(false);
        await cluster.RemoveAsync(two).ConfigureAwait(false);
        var lists = new List<string>();
        foreach (DemoNode node in cluster.Nodes)
        {
            StatusResponse status = await UntilAsync(
                node, status => status.Nodes.All(other => other.Member.Node.Name != two.Name), cancellationToken).ConfigureAwait(false);
            lists.Add($"{node.Name} sees {string.Join(" and ", status.Nodes.Select(other => other.Member.Node.Name))}");
        }

        return (string.Join("; ", lists), new JsonObject { ["lists"] = new JsonArray([.. lists.Select(list => JsonValue.Create(list))]) });
    }

    private static Task<StatusResponse> UntilVmAsync(DemoNode node, VmState wanted, CancellationToken cancellationToken) => UntilAsync(
        node,
        status => status.Vms.FirstOrDefault(vm => vm.Spec.Name == VmName)?.Status switch
        {
            { State: VmState.Failed } failed => throw new CommandException(ExitCode.Failed, $"{VmName} failed: {failed.Reason}"),
            { } vm => vm.State == wanted,
            null => false,
        },
        cancellationToken);

    /// <summary>Asks a node for its status until it is as wanted.</summary>
    public static async Task<StatusResponse> UntilAsync(DemoNode node, Func<StatusResponse, bool> condition, CancellationToken cancellationToken)
    {
        while (true)
        {
            StatusResponse status = await node.StatusAsync(cancellationToken).ConfigureAwait(false);
            if (condition(status))
                return status;
            await Task.Delay(PollInterval, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<string> LastStatusAsync()
    {
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            return cluster.Nodes.Count == 0 ? "" : "\n" + Cluster.StatusText.Render(await One.StatusAsync(limit.Token).ConfigureAwait(false));
        }
        catch (Exception exception) when (exception is RpcException or OperationCanceledException)
        {
            return $" (node one does not answer: {exception.Message})";
        }
    }

    private static IEnumerable<NodeStatus> Others(StatusResponse status) => status.Nodes.Where(node => node.Member.Node.Name != status.Self);

    private static bool IsLinked(NodeStatus node) =>
        node.P2P.State == P2pState.Ready && node.Member.P2PNodeAddr is { DirectAddresses.Count: > 0 };

    private static JsonObject Facts(DemoNode node) => new()
    {
        ["endpointId"] = Text(node.Ready, "endpointId"),
        ["grpc"] = Text(node.Ready, "grpc"),
        ["processId"] = node.ProcessId,
    };

    private static string Text(JsonNode node, string property) => node[property]?.GetValue<string>() ?? "";
}
