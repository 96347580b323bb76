using System.Globalization;
using Blixard.Testing.Namespaces;

namespace Blixard.Testing.Chaos.Cases;

/// <summary>Machines that come back as others.</summary>
internal static class MembershipCases
{
    /// <summary>A server loses its disk, key and all, and takes its own place again.</summary>
    public static async Task WipedAsync(ChaosRun run, ChaosLength length)
    {
        LabNode server = run.Cluster.Servers[1];
        await run.FaultAsync($"{server.Name} wiped and joined again", async () =>
        {
            await server.CrashAsync().ConfigureAwait(false);
            Directory.Delete(server.Directory, recursive: true);
            TimeSpan start = run.Workload.Now;
            await run.Cluster.JoinAsync(server.Name, "--replace", server.Name).ConfigureAwait(false);
            await run.Cluster.UntilWholeAsync().ConfigureAwait(false);
            return string.Create(CultureInfo.InvariantCulture, $"it votes again {(run.Workload.Now - start).TotalSeconds:0.0} s after its new start");
        }).ConfigureAwait(false);
    }
}
