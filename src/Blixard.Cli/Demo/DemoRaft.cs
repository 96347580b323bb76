using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Blixard.Cli.Output;
using Blixard.V1;

namespace Blixard.Cli.Demo;

/// <summary>The steps of the demo about the replicated store: that three servers agree, that a way may die, that a leader may.</summary>
internal sealed class DemoRaft(DemoCluster cluster)
{
    /// <summary>Three servers vote, and all their Raft traffic takes P2P.</summary>
    public async Task<(string Seen, JsonObject Facts)> AgreeAsync(CancellationToken cancellationToken)
    {
        var seen = new StringBuilder();
        var facts = new JsonObject();
        foreach (DemoNode node in cluster.Nodes)
        {
            StatusResponse status = await DemoScript.UntilAsync(
                node, status => status.Nodes.All(IsVoting) && Tunnels(status).All(tunnel => tunnel.Way == RaftWay.P2P), cancellationToken).ConfigureAwait(false);
            if (seen.Length == 0)
                seen.AppendLine(CultureInfo.InvariantCulture, $"{status.Leader} leads in term {status.RaftTerm}");
            seen.AppendLine(CultureInfo.InvariantCulture, $"{node.Name}: {Bytes(status)}");
            facts[node.Name] = BytesJson(status);
        }

        return (seen.ToString(), facts);
    }

    /// <summary>UDP to a follower is cut: its Raft traffic takes gRPC; then UDP is healed, and it takes P2P again.</summary>
    public async Task<(string Seen, JsonObject Facts)> CutAsync(CancellationToken cancellationToken)
    {
        if (await UdpCut.WhyNotAsync(cancellationToken).ConfigureAwait(false) is { Length: > 0 } problem)
            return ($"not shown on this machine: {problem}", new JsonObject { ["skipped"] = problem });
        StatusResponse before = await cluster.Nodes[0].StatusAsync(cancellationToken).ConfigureAwait(false);
        DemoNode leader = cluster[before.Leader];
        DemoNode follower = cluster.Nodes.First(node => node != leader);
        string address = before.Nodes.First(node => node.Member.Node.Name == follower.Name).Member.P2PNodeAddr.DirectAddresses[0];
        await using var writer = new DemoWriter(leader);

        StatusResponse during;
        DateTimeOffset start;
        await using (await UdpCut.BeginAsync(IPEndPoint.Parse(address).Port, cancellationToken).ConfigureAwait(false))
        {
            start = DateTimeOffset.UtcNow;
            during = await DemoScript.UntilAsync(
                leader, status => status.Nodes.All(IsVoting) && Way(status, follower) == RaftWay.Grpc, cancellationToken).ConfigureAwait(false);
        }

        TimeSpan switched = Since(during, follower) - start;
        start = DateTimeOffset.UtcNow;
        StatusResponse after = await DemoScript.UntilAsync(leader, status => Way(status, follower) == RaftWay.P2P, cancellationToken).ConfigureAwait(false);
        TimeSpan back = Since(after, follower) - start;
        return (
            $"{follower.Name} lost UDP: Raft took gRPC after {Seconds(switched)}, and P2P again {Seconds(back)} after UDP was back\n" +
            $"the others stayed with P2P; {writer.Writes} writes went on, the longest pause was {Seconds(writer.LongestGap)}\n" +
            $"{leader.Name}: {Bytes(after)}",
            new JsonObject
            {
                ["follower"] = follower.Name,
                ["switchSeconds"] = Math.Round(switched.TotalSeconds, 3),
                ["backSeconds"] = Math.Round(back.TotalSeconds, 3),
                ["writes"] = writer.Writes,
                ["longestPauseSeconds"] = Math.Round(writer.LongestGap.TotalSeconds, 3),
                ["leader"] = after.Leader,
                ["leaderAtTheCut"] = before.Leader,
                ["termDuring"] = during.RaftTerm,
                ["bytes"] = BytesJson(after),
            });
    }

    /// <summary>The leader's process is killed: the others choose a new one and go on; the killed one comes back.</summary>
    public async Task<(string Seen, JsonObject Facts)> KillLeaderAsync(CancellationToken cancellationToken)
    {
        StatusResponse before = await cluster.Nodes[0].StatusAsync(cancellationToken).ConfigureAwait(false);
        DemoNode leader = cluster[before.Leader];
        DemoNode other = cluster.Nodes.First(node => node != leader);
        TimeSpan pause;
        StatusResponse after;
        await using (var writer = new DemoWriter(other))
        {
            await UntilWritesAsync(writer, 10, cancellationToken).ConfigureAwait(false);
            await cluster.KillAsync(leader).ConfigureAwait(false);
            after = await DemoScript.UntilAsync(
                other, status => status.Leader.Length > 0 && status.Leader != leader.Name, cancellationToken).ConfigureAwait(false);
            await UntilWritesAsync(writer, writer.Writes + 10, cancellationToken).ConfigureAwait(false);
            pause = writer.LongestGap;
        }

        long start = Stopwatch.GetTimestamp();
        await cluster.StartAsync(leader.Name, ["up"], cancellationToken).ConfigureAwait(false);
        await DemoScript.UntilAsync(other, status => status.Nodes.All(IsVoting), cancellationToken).ConfigureAwait(false);
        TimeSpan back = Stopwatch.GetElapsedTime(start);
        return (
            $"{leader.Name} (process {leader.ProcessId}) was killed; {after.Leader} leads now, in term {after.RaftTerm}; writes stood still for {Seconds(pause)}\n" +
            $"{leader.Name} was started again and had caught up after {Seconds(back)}",
            new JsonObject
            {
                ["killed"] = leader.Name,
                ["leader"] = after.Leader,
                ["term"] = after.RaftTerm,
                ["pauseSeconds"] = Math.Round(pause.TotalSeconds, 3),
                ["caughtUpSeconds"] = Math.Round(back.TotalSeconds, 3),
            });
    }

    private static async Task UntilWritesAsync(DemoWriter writer, int count, CancellationToken cancellationToken)
    {
        while (writer.Writes < count)
            await Task.Delay(DemoScript.PollInterval, cancellationToken).ConfigureAwait(false);
    }

    private static bool IsVoting(NodeStatus node) => node.Raft is { Healthy: true, Role: RaftRole.Leader or RaftRole.Follower };

    // When the way was taken, as the leader noted it: all clocks here are one.
    private static DateTimeOffset Since(StatusResponse status, DemoNode node) =>
        status.Nodes.First(other => other.Member.Node.Name == node.Name).Raft.Tunnel.Since.ToDateTimeOffset();

    private static RaftWay Way(StatusResponse status, DemoNode node) =>
        status.Nodes.FirstOrDefault(other => other.Member.Node.Name == node.Name)?.Raft?.Tunnel?.Way ?? RaftWay.Unspecified;

    private static IEnumerable<RaftTunnel> Tunnels(StatusResponse status) => status.Nodes.Select(node => node.Raft?.Tunnel).OfType<RaftTunnel>();

    private static string Bytes(StatusResponse status) =>
        $"{HumanText.Bytes((ulong)Tunnels(status).Sum(tunnel => (long)tunnel.BytesP2P))} of Raft over P2P, " +
        $"{HumanText.Bytes((ulong)Tunnels(status).Sum(tunnel => (long)tunnel.BytesGrpc))} over gRPC";

    private static JsonObject BytesJson(StatusResponse status) => new()
    {
        ["raftBytesP2p"] = Tunnels(status).Sum(tunnel => (long)tunnel.BytesP2P),
        ["raftBytesGrpc"] = Tunnels(status).Sum(tunnel => (long)tunnel.BytesGrpc),
    };

    private static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.00} s");
}
