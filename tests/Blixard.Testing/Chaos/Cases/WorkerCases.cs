using System.Globalization;
using Blixard.Rpc.Calls;
using Blixard.Testing.Namespaces;
using Blixard.V1;

namespace Blixard.Testing.Chaos.Cases;

/// <summary>Workers that nobody reaches, and their VMs.</summary>
internal static class WorkerCases
{
    private const string Moves = "moves";
    private const string Waits = "waits";
    private const string Image = "tiny";

    /// <summary>A worker cut off: the VM that may move is started elsewhere after it has ended there, the other waits.</summary>
    public static async Task CutOffAsync(ChaosRun run, ChaosLength length)
    {
        LabNode worker = run.Cluster[ChaosCases.Worker], server = run.Cluster.Servers[0];
        await run.Cluster.AddImageAsync(server.Name, Image).ConfigureAwait(false);
        await RunVmAsync(server, Moves, NodeLossPolicy.Elsewhere).ConfigureAwait(false);
        await RunVmAsync(server, Waits, NodeLossPolicy.Here).ConfigureAwait(false);
        await server.UntilStatusAsync(
            status => RunsOn(status, Moves) == worker.Name && RunsOn(status, Waits) == worker.Name, "both VMs run on the worker").ConfigureAwait(false);

        await run.FaultAsync(string.Create(CultureInfo.InvariantCulture, $"worker {worker.Name} cut off for {length.CutOff.TotalSeconds:0} s"), async () =>
        {
            TimeSpan start = run.Workload.Now;
            await run.Cluster.Lab.IsolateAsync(LabTraffic.All, worker.Name).ConfigureAwait(false);
            await server.UntilStatusAsync(
                status => ClusterView.Find(status, worker.Name) is { State: NodeState.Lost }, $"{worker.Name} is lost").ConfigureAwait(false);
            TimeSpan lost = run.Workload.Now - start;
            StatusResponse moved = await server.UntilStatusAsync(
                status => RunsOn(status, Moves) is { Length: > 0 } on && on != worker.Name, "the VM runs elsewhere").ConfigureAwait(false);
            TimeSpan runs = run.Workload.Now - start;
            if (length.CutOff - runs is { Ticks: > 0 } left)
                await Task.Delay(left).ConfigureAwait(false);
            await server.UntilStatusAsync(
                status => ClusterView.FindVm(status, Waits)?.Status is { State: VmState.Unknown, Reason.Length: > 0 } vm && vm.Node == worker.Name,
                "the other VM waits for its node, with the reason").ConfigureAwait(false);
            return string.Create(
                CultureInfo.InvariantCulture,
                $"lost after {lost.TotalSeconds:0.0} s, the VM runs on {RunsOn(moved, Moves)} after {runs.TotalSeconds:0.0} s");
        }).ConfigureAwait(false);

        await run.FaultAsync("healed", async () =>
        {
            await run.Cluster.Lab.HealAsync().ConfigureAwait(false);
            await run.Cluster.UntilWholeAsync().ConfigureAwait(false);
            await server.UntilStatusAsync(
                status => RunsOn(status, Waits) == worker.Name && RunsOn(status, Moves) is { Length: > 0 } on && on != worker.Name,
                "each VM runs once: one where it was, one elsewhere").ConfigureAwait(false);
            return "";
        }).ConfigureAwait(false);
        CheckLives(run, worker.Name);
        foreach (string vm in new[] { Moves, Waits })
            await server.CallAsync(VmMethods.Remove, new RemoveVmRequest { Name = vm, Force = true }).ConfigureAwait(false);
        await server.UntilStatusAsync(status => status.Vms.Count == 0, "no VM is left").ConfigureAwait(false);
    }

    private static void CheckLives(ChaosRun run, string worker)
    {
        IReadOnlyList<VmLife> lives = VmLives.Read(run.Cluster.LivesFolder);
        IReadOnlyList<(VmLife First, VmLife Second)> twice = VmLives.Overlaps(lives);
        run.Demand(twice.Count == 0, $"VMs ran twice: {string.Join("; ", twice)}");
        // That there was something to overlap: a life here, and one elsewhere.
        run.Demand(lives.Any(life => life.Vm == Moves && life.Host == worker), $"{Moves} never ran on {worker}");
        run.Demand(lives.Any(life => life.Vm == Moves && life.Host != worker), $"{Moves} never ran elsewhere");
        run.Demand(lives.Where(life => life.Vm == Waits).All(life => life.Host == worker), $"{Waits} ran elsewhere");
    }

    private static Task RunVmAsync(LabNode server, string name, NodeLossPolicy policy) => server.CallAsync(
        VmMethods.Run, new RunRequest { Spec = new VmSpec { Name = name, Image = Image, MemoryMib = 64, OnNodeLoss = policy, Restart = RestartPolicy.Always } });

    private static string RunsOn(StatusResponse status, string vm) =>
        ClusterView.FindVm(status, vm)?.Status is { State: VmState.Running } running ? running.Node : "";
}
