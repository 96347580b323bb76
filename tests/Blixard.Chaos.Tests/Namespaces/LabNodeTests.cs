using System.Text.Json.Nodes;
using Blixard.Rpc.Calls;
using Blixard.Testing.Namespaces;
using Blixard.V1;

namespace Blixard.Chaos.Tests.Namespaces;

public sealed class LabNodeTests
{
    // A process that stands still answers nothing, however long one waits.
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(1);

    [LabFact]
    public async Task A_node_serves_stands_still_goes_on_stops_in_order_and_starts_again()
    {
        await using NetworkLab lab = await NetworkLab.CreateAsync("a");
        await using var node = new LabNode(lab["a"], Path.Combine(lab.Folder, "a"), Path.Combine(AppContext.BaseDirectory, "blixard.dll"));

        JsonNode first = await node.StartAsync("up");
        node.Pause();
        RpcException silent = await Assert.ThrowsAsync<RpcException>(
            () => node.Api.CallAsync(ClusterMethods.Status, new StatusRequest(), RpcCallOptions.Within(s_silence)));
        node.Resume();
        StatusResponse status = await node.UntilStatusAsync(seen => seen.Self == "a", "itself");
        int code = await node.StopAsync();
        JsonNode second = await node.RestartAsync();

        Assert.Equal(RpcStatusCode.DeadlineExceeded, silent.StatusCode);
        Assert.StartsWith(lab["a"].Address.ToString(), Assert.Single(status.Nodes).Member.Node.GrpcAddress, StringComparison.Ordinal);
        Assert.Equal(0, code);
        Assert.Equal(first["endpointId"]!.GetValue<string>(), second["endpointId"]!.GetValue<string>());
    }

    [LabFact]
    public async Task A_node_that_cannot_start_is_explained_by_what_it_printed()
    {
        await using NetworkLab lab = await NetworkLab.CreateAsync("a");
        await using var node = new LabNode(lab["a"], Path.Combine(lab.Folder, "a"), Path.Combine(AppContext.BaseDirectory, "blixard.dll"));

        LabException failed = await Assert.ThrowsAsync<LabException>(() => node.StartAsync("join", "no-ticket"));

        await node.WaitForEndAsync();
        Assert.Contains("error:", failed.Message);
        Assert.False(node.IsRunning);
    }
}
