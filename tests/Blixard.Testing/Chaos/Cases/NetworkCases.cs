using System.Globalization;
using Blixard.Testing.Namespaces;
using Blixard.V1;

namespace Blixard.Testing.Chaos.Cases;

/// <summary>Networks that carry one thing and not the other, or nothing.</summary>
internal static class NetworkCases
{
    // The issue's limit is 3 s; a machine with two busy cores gets several times that before it is called broken.
    private static readonly TimeSpan s_leaderLimit = TimeSpan.FromSeconds(15);

    /// <summary>UDP between two servers: their Raft traffic goes over gRPC, all other stays.</summary>
    public static async Task UdpBetweenOnePairAsync(ChaosRun run, ChaosLength length)
    {
        LabNode a = run.Cluster.Servers[0], b = run.Cluster.Servers[1], c = run.Cluster.Servers[2];
        Dictionary<string, ulong> before = await SwitchesAsync(run).ConfigureAwait(false);
        await run.FaultAsync($"UDP between {a.Name} and {b.Name} blocked", async () =>
        {
            TimeSpan start = run.Workload.Now;
            await run.Cluster.Lab.BlockAsync(LabTraffic.Udp, a.Name, b.Name).ConfigureAwait(false);
            await UntilWayAsync(a, RaftWay.Grpc, b).ConfigureAwait(false);
            await UntilWayAsync(b, RaftWay.Grpc, a).ConfigureAwait(false);
            TimeSpan switched = run.Workload.Now - start;
            await Task.Delay(length.Hold).ConfigureAwait(false);
            foreach (LabNode server in new[] { a, b })
                await UntilWayAsync(server, RaftWay.P2P, c).ConfigureAwait(false);
            await UntilWayAsync(c, RaftWay.P2P, a, b).ConfigureAwait(false);
            Dictionary<string, ulong> after = await SwitchesAsync(run).ConfigureAwait(false);
            foreach (string way in before.Keys.Where(way => way != Way(a, b) && way != Way(b, a)))
                run.Demand(before[way] == after[way], $"the Raft traffic {way} changed its way {after[way] - before[way]} times although only {Way(a, b)} was blocked");
            return string.Create(CultureInfo.InvariantCulture, $"this pair takes gRPC after {switched.TotalMilliseconds:0} ms, the others stay on P2P");
        }).ConfigureAwait(false);
        await HealAsync(run).ConfigureAwait(false);
    }

    /// <summary>UDP everywhere: all Raft traffic over gRPC.</summary>
    public static async Task UdpEverywhereAsync(ChaosRun run, ChaosLength length)
    {
        await run.FaultAsync("UDP blocked everywhere", async () =>
        {
            string before = (await run.Cluster.FindLeaderAsync().ConfigureAwait(false)).Name;
            TimeSpan start = run.Workload.Now;
            await run.Cluster.Lab.BlockEverywhereAsync(LabTraffic.Udp).ConfigureAwait(false);
            foreach (LabNode server in run.Cluster.Servers)
                await UntilWayAsync(server, RaftWay.Grpc, Others(run, server)).ConfigureAwait(false);
            TimeSpan switched = run.Workload.Now - start;
            await Task.Delay(length.Hold).ConfigureAwait(false);
            TimeSpan gap = run.Workload.Acknowledged.LongestGap(start, run.Workload.Now);
            string after = (await run.Cluster.FindLeaderAsync().ConfigureAwait(false)).Name;
            run.Demand(gap < s_leaderLimit, $"no leader served for {gap.TotalSeconds:0.0} s");
            return string.Create(
                CultureInfo.InvariantCulture,
                $"all Raft traffic takes gRPC after {switched.TotalMilliseconds:0} ms; {(before == after ? $"{before} kept its office" : $"{after} leads instead of {before}")}");
        }).ConfigureAwait(false);
        await HealAsync(run).ConfigureAwait(false);
    }

    /// <summary>TCP everywhere: all Raft traffic over P2P, where it was already.</summary>
    public static async Task TcpEverywhereAsync(ChaosRun run, ChaosLength length)
    {
        await run.FaultAsync("TCP blocked everywhere", async () =>
        {
            await run.Cluster.Lab.BlockEverywhereAsync(LabTraffic.Tcp).ConfigureAwait(false);
            await Task.Delay(length.Hold).ConfigureAwait(false);
            foreach (LabNode server in run.Cluster.Servers)
                await UntilWayAsync(server, RaftWay.P2P, Others(run, server)).ConfigureAwait(false);
            return "";
        }).ConfigureAwait(false);
        await HealAsync(run).ConfigureAwait(false);
    }

    /// <summary>Everything for one server, the leader: the two others go on.</summary>
    public static async Task OneServerCutOffAsync(ChaosRun run, ChaosLength length)
    {
        LabNode leader = await run.Cluster.FindLeaderAsync().ConfigureAwait(false);
        await run.FaultAsync($"the leader {leader.Name} cut off", async () =>
        {
            TimeSpan start = run.Workload.Now;
            await run.Cluster.Lab.IsolateAsync(LabTraffic.All, leader.Name).ConfigureAwait(false);
            string next = await run.Cluster.UntilOtherLeaderAsync(leader).ConfigureAwait(false);
            TimeSpan elected = run.Workload.Now - start;
            await Task.Delay(length.Hold).ConfigureAwait(false);
            return string.Create(CultureInfo.InvariantCulture, $"{next} is known as leader after {elected.TotalMilliseconds:0} ms");
        }).ConfigureAwait(false);
        await HealAsync(run).ConfigureAwait(false);
    }

    /// <summary>Everything everywhere: nothing is written until it heals.</summary>
    public static async Task AllCutOffAsync(ChaosRun run, ChaosLength length)
    {
        await run.FaultAsync($"everything blocked everywhere for {length.Hold.TotalSeconds:0} s, then healed", async () =>
        {
            await run.Cluster.Lab.BlockEverywhereAsync(LabTraffic.All).ConfigureAwait(false);
            await Task.Delay(length.Hold).ConfigureAwait(false);
            await run.Cluster.Lab.HealAsync().ConfigureAwait(false);
            TimeSpan healed = run.Workload.Now;
            await run.Workload.UntilAcknowledgedAsync(1, LabNode.Patience).ConfigureAwait(false);
            TimeSpan written = run.Workload.Now - healed;
            await run.Cluster.UntilWholeAsync().ConfigureAwait(false);
            return string.Create(CultureInfo.InvariantCulture, $"written again {written.TotalMilliseconds:0} ms after it healed");
        }).ConfigureAwait(false);
    }

    private static Task HealAsync(ChaosRun run) => run.FaultAsync("healed", async () =>
    {
        TimeSpan start = run.Workload.Now;
        await run.Cluster.Lab.HealAsync().ConfigureAwait(false);
        await run.Cluster.UntilWholeAsync().ConfigureAwait(false);
        return string.Create(CultureInfo.InvariantCulture, $"all on P2P again after {(run.Workload.Now - start).TotalSeconds:0.0} s");
    });

    private static Task UntilWayAsync(LabNode node, RaftWay way, params LabNode[] peers) => node.UntilStatusAsync(
        status => peers.All(peer => ClusterView.RaftWayTo(status, peer.Name) == way),
        $"Raft traffic to {string.Join(" and ", peers.Select(peer => peer.Name))} over {way}");

    private static LabNode[] Others(ChaosRun run, LabNode node) => [.. run.Cluster.Servers.Where(server => server != node)];

    private static string Way(LabNode from, LabNode to) => $"from {from.Name} to {to.Name}";

    private static async Task<Dictionary<string, ulong>> SwitchesAsync(ChaosRun run)
    {
        var switches = new Dictionary<string, ulong>(StringComparer.Ordinal);
        foreach (LabNode from in run.Cluster.Servers)
        {
            StatusResponse status = await from.UntilStatusAsync(_ => true, "any status").ConfigureAwait(false);
            foreach (LabNode to in Others(run, from))
                switches[Way(from, to)] = ClusterView.RaftSwitchesTo(status, to.Name);
        }

        return switches;
    }
}
