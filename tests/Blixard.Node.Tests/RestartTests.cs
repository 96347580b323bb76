using Blixard.Cluster.Tokens;
using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Node.Tests;

public sealed class RestartTests
{
    [Fact]
    public async Task Each_of_three_nodes_is_killed_and_finds_its_state()
    {
        await using var cluster = new TestCluster();
        await using NodeProcess one = await NodeProcess.StartReadyAsync(cluster, "one");
        await using NodeProcess two = await NodeProcess.StartReadyAsync(cluster, "two", await one.CreateTicketAsync());
        await using NodeProcess three = await NodeProcess.StartReadyAsync(cluster, "three", await one.CreateTicketAsync());
        StatusResponse before = await three.UntilLinkedAsync("one", "two");

        await one.KillAsync();
        await using NodeProcess oneAgain = await NodeProcess.StartReadyAsync(cluster, "one");
        await oneAgain.UntilLinkedAsync("two", "three");
        await two.KillAsync();
        await using NodeProcess twoAgain = await NodeProcess.StartReadyAsync(cluster, "two");
        await twoAgain.UntilLinkedAsync("one", "three");
        await three.KillAsync();
        await using NodeProcess threeAgain = await NodeProcess.StartReadyAsync(cluster, "three");
        StatusResponse after = await threeAgain.UntilLinkedAsync("one", "two");

        Assert.Equal(before.ClusterId, after.ClusterId);
        Assert.Equal(before.Nodes.Select(IdOf), after.Nodes.Select(IdOf));
        await oneAgain.UntilLinkedAsync("two", "three");
    }

    [Fact]
    public async Task All_nodes_are_killed_at_once_and_come_back_workers_first()
    {
        await using var cluster = new TestCluster();
        await using NodeProcess one = await NodeProcess.StartReadyAsync(cluster, "one");
        await using NodeProcess two = await NodeProcess.StartReadyAsync(cluster, "two", await one.CreateTicketAsync());
        await two.UntilLinkedAsync("one");
        await Task.WhenAll(one.KillAsync(), two.KillAsync());

        await using NodeProcess twoAgain = await NodeProcess.StartReadyAsync(cluster, "two");
        StatusResponse alone = await twoAgain.CallAsync(ClusterMethods.Status, new StatusRequest());
        await using NodeProcess oneAgain = await NodeProcess.StartReadyAsync(cluster, "one");

        Assert.NotEqual("", alone.StoreReason);
        Assert.Contains(alone.Nodes, node => node.Member.Node.Name == "two");
        await twoAgain.UntilLinkedAsync("one");
        StatusResponse together = await twoAgain.UntilAsync(status => status.StoreReason.Length == 0, "the store again");
        Assert.Equal(2, together.Nodes.Count);
    }

    [Fact]
    public async Task A_node_killed_while_it_joins_joins_with_the_same_ticket()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        JoinTicket ticket = await one.CreateTicketAsync();
        await using NodeProcess two = NodeProcess.Start(cluster, "two", ticket);
        // The record is there as soon as the token is used, and the node may not have noted yet that it is in.
        await one.UntilAsync(status => status.Nodes.Count == 2, "two's record");
        await two.KillAsync();
        File.Delete(Path.Combine(cluster.DirectoryOf("two"), "node.json"));

        await using NodeProcess again = await NodeProcess.StartReadyAsync(cluster, "two", ticket);

        await again.UntilLinkedAsync("one");
        Assert.Equal(2, (await one.StatusAsync()).Nodes.Count);
    }

    [Fact]
    public async Task A_second_process_on_a_data_directory_is_told_who_has_it()
    {
        await using var cluster = new TestCluster();
        await using NodeProcess one = await NodeProcess.StartReadyAsync(cluster, "one");

        await using NodeProcess second = NodeProcess.Start(cluster, "one");
        string message = (await second.NextAsync()).GetProperty("message").GetString()!;

        Assert.Contains($"Another blixard node (pid {one.Pid}) already uses", message);
    }

    [Fact]
    public async Task A_worker_finds_a_server_that_moved_while_it_was_down()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        TestNode two = await cluster.JoinAsync("two", one);
        await two.UntilLinkedAsync("one");
        await two.DisposeAsync();
        await one.DisposeAsync();
        // New ports for the server, which its former addresses do not lead to.
        string file = Path.Combine(cluster.DirectoryOf("one"), "node.json");
        string text = await File.ReadAllTextAsync(file);
        await File.WriteAllTextAsync(file, System.Text.RegularExpressions.Regex.Replace(text, "Port\": \\d+", "Port\": 0"));

        TestNode twoAgain = await cluster.UpAsync("two");
        TestNode oneAgain = await cluster.UpAsync("one");

        await twoAgain.UntilLinkedAsync("one");
        await oneAgain.UntilLinkedAsync("two");
    }

    private static (string Name, string Id) IdOf(NodeStatus node) => (node.Member.Node.Name, node.Member.Node.EndpointId.ToBase64());
}
