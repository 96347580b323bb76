using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Demo;

/// <summary>The step of the demo about a machine behind a NAT.</summary>
internal sealed class DemoNat(DemoCluster cluster)
{
    private string _problem = "";

    /// <summary>Builds what the step needs, before the first node starts.</summary>
    public async Task PrepareAsync(CancellationToken cancellationToken) =>
        _problem = await cluster.BuildInternetAsync(cancellationToken).ConfigureAwait(false);

    /// <summary>A machine behind a NAT joins with a ticket, over a relay, and the link to it becomes direct.</summary>
    public async Task<(string Seen, JsonObject Facts)> MeetAsync(CancellationToken cancellationToken)
    {
        if (cluster.Internet is null)
            return ($"not shown on this machine: {_problem}", new JsonObject { ["skipped"] = _problem });
        DemoNode one = cluster["one"];
        await DemoScript.UntilAsync(
            one, status => status.Nodes.Any(node => node.Member.Node.Name == "one" && node.Member.P2PNodeAddr is { RelayUrl.Length: > 0 }), cancellationToken)
            .ConfigureAwait(false);
        CreateTokenResponse token = await one.Api.CallAsync(
            ClusterMethods.CreateToken, new CreateTokenRequest { Role = NodeRole.Worker }, null, cancellationToken).ConfigureAwait(false);
        long start = Stopwatch.GetTimestamp();
        DemoNode four = await cluster.StartAsync("four", ["join", token.Ticket], cancellationToken).ConfigureAwait(false);
        TimeSpan joined = Stopwatch.GetElapsedTime(start);
        await DemoScript.UntilAsync(
            one, status => status.Nodes.Any(node => node.Member.Node.Name == "four" && node.P2P is { State: P2pState.Ready, Path: P2pPathKind.Direct }), cancellationToken)
            .ConfigureAwait(false);
        JsonNode[] ways = [.. one.Events.Where(item => Text(item, "event") == "peer-path" && Text(item, "name") == "four")];
        string told = string.Join(", ", ways.Select((way, i) => string.Create(
            CultureInfo.InvariantCulture, $"{(i == 0 ? "first" : $"after {way["afterMs"]!.GetValue<double>():0} ms")} {Text(way, "path")} ({Text(way, "remote")})")));
        return (
            string.Create(CultureInfo.InvariantCulture, $"four (process {four.ProcessId}) is at {DemoInternet.HomeAddress} behind a NAT, one behind a firewall; it had joined after {joined.TotalSeconds:0.0} s\n")
                + $"one reached four: {told}",
            new JsonObject
            {
                ["joinSeconds"] = Math.Round(joined.TotalSeconds, 3),
                ["ways"] = new JsonArray([.. ways.Select(way => new JsonObject
                {
                    ["path"] = Text(way, "path"), ["remote"] = Text(way, "remote"), ["afterMs"] = way["afterMs"]!.DeepClone(),
                })]),
            });
    }

    private static string Text(JsonNode item, string property) => item[property]?.GetValue<string>() ?? "";
}
