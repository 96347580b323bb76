using System.Globalization;
using Blixard.Testing.Namespaces;

namespace Blixard.Testing.Chaos.Cases;

/// <summary>Processes that die without a word.</summary>
internal static class KillCases
{
    /// <summary>Each server's node in turn. Its etcd is left behind, as kill -9 leaves it.</summary>
    public static async Task EachServerAsync(ChaosRun run, ChaosLength length)
    {
        foreach (LabNode server in run.Cluster.Servers)
        {
            await run.FaultAsync($"kill -9 of node {server.Name}", async () =>
            {
                await server.KillAsync().ConfigureAwait(false);
                await run.Workload.UntilAcknowledgedAsync(ChaosRun.AcknowledgedAfter, LabNode.Patience).ConfigureAwait(false);
                await server.RestartAsync().ConfigureAwait(false);
                await run.Cluster.UntilWholeAsync().ConfigureAwait(false);
                return "";
            }).ConfigureAwait(false);
        }
    }

    /// <summary>The leader, again and again: its node alone, and then everything on its machine, by turns.</summary>
    public static async Task LeaderAsync(ChaosRun run, ChaosLength length)
    {
        for (int i = 0; i < length.LeaderKills; i++)
        {
            LabNode leader = await run.Cluster.FindLeaderAsync().ConfigureAwait(false);
            bool whole = i % 2 == 1;
            await run.FaultAsync($"kill -9 of the leader {leader.Name}{(whole ? " with its etcd" : "")}", async () =>
            {
                TimeSpan start = run.Workload.Now;
                await (whole ? leader.CrashAsync() : leader.KillAsync()).ConfigureAwait(false);
                string next = await run.Cluster.UntilOtherLeaderAsync(leader).ConfigureAwait(false);
                TimeSpan elected = run.Workload.Now - start;
                await leader.RestartAsync().ConfigureAwait(false);
                await run.Cluster.UntilWholeAsync().ConfigureAwait(false);
                return string.Create(CultureInfo.InvariantCulture, $"{next} is known as leader after {elected.TotalMilliseconds:0} ms");
            }).ConfigureAwait(false);
        }
    }

    /// <summary>The etcd of the leader and of a follower, whose nodes live on and start it again.</summary>
    public static async Task EtcdAloneAsync(ChaosRun run, ChaosLength length)
    {
        LabNode leader = await run.Cluster.FindLeaderAsync().ConfigureAwait(false);
        LabNode follower = run.Cluster.Servers.First(server => server != leader);
        foreach ((LabNode server, string part) in new[] { (follower, "a follower"), (leader, "the leader") })
        {
            await run.FaultAsync($"kill -9 of the etcd of {part}, {server.Name}", async () =>
            {
                int? former = server.FindEtcd();
                server.KillEtcd();
                await run.Cluster.UntilAsync(() => server.FindEtcd() is { } now && now != former, $"{server.Name} starts its etcd again").ConfigureAwait(false);
                await run.Cluster.UntilWholeAsync().ConfigureAwait(false);
                return "";
            }).ConfigureAwait(false);
        }
    }
}
