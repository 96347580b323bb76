using System.Text.Json.Nodes;

namespace Blixard.Cli.Tests.Cluster;

[Collection(nameof(CliCluster))]
public sealed class ClusterCommandTests
{
    [Fact]
    public async Task Two_nodes_join_link_share_images_and_part()
    {
        await using var cluster = new CliCluster();
        JsonNode one = await cluster.StartAsync("one", "up");
        Assert.Equal(64, Text(one["endpointId"]).Length);
        Assert.Equal(("one", "server"), (Text(one["name"]), Text(one["role"])));
        Assert.True(File.Exists(Path.Combine(cluster.DirectoryOf("one"), "api.sock")));

        JsonNode token = await cluster.JsonAsync("one", "token", "create", "--ttl", "10m");
        Assert.StartsWith("blixard", Text(token["ticket"]));
        Assert.InRange(DateTimeOffset.Parse(Text(token["expires"])), DateTimeOffset.UtcNow.AddMinutes(5), DateTimeOffset.UtcNow.AddMinutes(11));
        JsonNode two = await cluster.StartAsync("two", "join", Text(token["ticket"]));
        Assert.Equal((Text(one["clusterId"]), "worker"), (Text(two["clusterId"]), Text(two["role"])));

        foreach ((string self, JsonNode other) in new[] { ("one", two), ("two", one) })
        {
            JsonNode status = await cluster.UntilStatusAsync(
                self, status => Node(status, Text(other["name"])) is { } node && Text(node["p2p"]!["state"]) == "ready" && node["p2p"]!["rttMs"]!.GetValue<double>() > 0
                    && Text(node["grpc"]!["state"]) == "reachable",
                "a link to the other");
            Assert.Equal((Text(one["clusterId"]), "sqlite", "one"), (Text(status["cluster"]!["id"]), Text(status["cluster"]!["engine"]), Text(status["cluster"]!["leader"])));
            Assert.Equal(self, Text(status["self"]));
            Assert.Equal(["one", "two"], status["nodes"]!.AsArray().Select(node => Text(node!["name"])));
            JsonNode node = Node(status, Text(other["name"]))!;
            Assert.Equal(Text(other["endpointId"]), Text(node["endpointId"]));
            Assert.Equal(Text(other["grpc"]), Text(node["grpc"]!["address"]));
            Assert.Equal((Text(other["role"]), "ready", "direct"), (Text(node["role"]), Text(node["state"]), Text(node["p2p"]!["path"])));
            Assert.Empty(status["vms"]!.AsArray());
            Assert.Empty(status["images"]!.AsArray());
        }

        await ImagesAsync(cluster);

        CliResult table = await cluster.RunAsync("one", "status");
        Assert.Equal(0, table.ExitCode);
        Assert.DoesNotContain('\u001b', table.Output);
        Assert.All(table.Output.Split('\n').Skip(1), line => Assert.InRange(line.Length, 0, 120));

        JsonNode left = await cluster.JsonAsync("two", "leave");
        Assert.Equal(("two", Text(one["clusterId"])), (Text(left["name"]), Text(left["left"])));
        Assert.False(left["catalogueShared"]!.GetValue<bool>());
        CliResult end = await cluster.Process("two").WaitAsync();
        Assert.Equal(0, end.ExitCode);
        Assert.Equal("stopped", Text(end.Lines[^1]["event"]));
        Assert.Equal(["one"], (await cluster.JsonAsync("one", "status"))["nodes"]!.AsArray().Select(node => Text(node!["name"])));

        CliResult stopped = await cluster.Process("one").EndAsync("INT");
        Assert.Equal((0, "stopped"), (stopped.ExitCode, Text(stopped.Lines[^1]["event"])));
        Assert.False(File.Exists(Path.Combine(cluster.DirectoryOf("one"), "api.sock")));
    }

    // No VM is run: any bytes make an image.
    private static async Task ImagesAsync(CliCluster cluster)
    {
        string kernel = Path.Combine(cluster.Folder, "kernel");
        await File.WriteAllBytesAsync(kernel, new byte[3_000_000], TestContext.Current.CancellationToken);
        JsonNode added = await cluster.JsonAsync("one", "image", "add", "plain:1", "--kernel", kernel);
        Assert.Equal(("plain", "1", "available", "one"), (Text(added["name"]), Text(added["tag"]), Text(added["state"]), Text(added["node"])));
        Assert.Equal(64, Text(added["hash"]).Length);

        JsonNode listed = Assert.Single((await cluster.JsonAsync("two", "image", "ls")).AsArray())!;
        Assert.Equal((Text(added["hash"]), "available", "one"), (Text(listed["hash"]), Text(listed["state"]), Text(listed["node"])));
        JsonNode inspected = await cluster.JsonAsync("two", "image", "inspect", Text(added["hash"]));
        JsonNode part = Assert.Single(inspected["parts"]!.AsArray())!;
        Assert.Equal(("kernel", 3_000_000), (Text(part["kind"]), part["sizeBytes"]!.GetValue<long>()));

        Assert.Equal(Text(added["hash"]), Text((await cluster.JsonAsync("two", "image", "pull", "plain:1"))["hash"]));
        listed = Assert.Single((await cluster.JsonAsync("one", "image", "ls")).AsArray())!;
        Assert.Equal(["one", "two"], listed["nodes"]!.AsArray().Select(Text));
        Assert.True(listed["here"]!.GetValue<bool>());
        Assert.Empty((await cluster.JsonAsync("two", "image", "verify", "plain:1"))["damaged"]!.AsArray());
        Assert.Equal("plain:1", Text((await cluster.JsonAsync("one", "image", "rm", "plain:1"))["removed"]));
        Assert.Empty((await cluster.JsonAsync("two", "image", "ls")).AsArray());
        Assert.Empty((await cluster.JsonAsync("two", "vm", "ls")).AsArray());
    }

    [Fact]
    public async Task What_cannot_be_done_ends_with_its_exit_code_and_a_sentence_on_stderr()
    {
        await using var cluster = new CliCluster();
        JsonNode one = await cluster.StartAsync("one", "up");
        string used = await cluster.CreateTicketAsync("one");
        await cluster.StartAsync("two", "join", used);
        string fresh = await cluster.CreateTicketAsync("one");
        // The last one made, as making one clears away what has expired. Twenty commands run before it is tried.
        string expired = await cluster.CreateTicketAsync("one", "--ttl", "1s");
        string kernel = Path.Combine(cluster.Folder, "kernel");
        await File.WriteAllBytesAsync(kernel, new byte[1000], TestContext.Current.CancellationToken);
        await cluster.JsonAsync("one", "image", "add", "plain", "--kernel", kernel);

        (int Code, string Says, string Node, string[] Command)[] cases =
        [
            (3, "No node runs", "nowhere", ["status"]),
            (1, "no image nope:latest", "one", ["image", "inspect", "nope"]),
            (1, "no image plain:2", "one", ["image", "pull", "plain:2"]),
            (1, "does not exist", "one", ["image", "add", "new", "--kernel", Path.Combine(cluster.Folder, "missing")]),
            (1, "is not on two", "two", ["image", "verify", "plain"]),
            (2, "10G", "one", ["up", "--image-quota", "much"]),
            (1, "no VM called 'nope'", "one", ["vm", "inspect", "nope"]),
            (1, "no VM called 'nope'", "one", ["vm", "logs", "nope"]),
            (1, "no VM called 'nope'", "one", ["vm", "console", "nope"]),
            (1, "no VM called 'nope'", "two", ["vm", "stop", "nope"]),
            (1, "no image nope:latest", "one", ["vm", "run", "a", "--image", "nope"]),
            (1, "no member is named 'nowhere'", "one", ["vm", "run", "a", "--image", "plain", "--node", "nowhere"]),
            (1, "fits nowhere", "one", ["vm", "run", "a", "--image", "plain", "--memory", "1000000"]),
            (2, "name", "one", ["vm", "run", "Not_a_name", "--image", "plain"]),
            (2, "--image", "one", ["vm", "run", "a"]),
            (2, "'80' is not that", "one", ["vm", "run", "a", "--image", "plain", "-p", "8080:80", "-p", "80"]),
            (2, "that --no-network leaves out", "one", ["vm", "run", "a", "--image", "plain", "--publish", "8080:80", "--no-network"]),
            (2, "'banana' is not a duration", "one", ["token", "create", "--ttl", "banana"]),
            (2, "1 second to 30 days.", "one", ["token", "create", "--ttl", "31d"]),
            (2, "--frobnicate", "one", ["status", "--frobnicate"]),
            (4, "last server", "one", ["leave"]),
            (1, $"pid {cluster.Process("one").Id}", "one", ["up"]),
            (2, "not a join ticket", "three", ["join", "hello"]),
            (2, "damaged", "three", ["join", used[..^4]]),
            (4, "used up", "n5", ["join", used, "--bind", "127.0.0.1:0"]),
            (4, "expired", "n6", ["join", expired, "--bind", "127.0.0.1:0"]),
            (4, "is called two", "n7", ["join", fresh, "--bind", "127.0.0.1:0", "--name", "two"]),
            (2, "--bind takes IP:PORT", "three", ["up", "--bind", "here"]),
            (1, "--grpc", "n8", ["up", "--bind", "127.0.0.1:0", "--grpc", Text(one["grpc"])]),
        ];
        // None changes anything, and each that starts a node has a directory of its own: they may run side by side.
        await Parallel.ForEachAsync(
            cases,
            new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = TestContext.Current.CancellationToken },
            async (item, _) => AssertFails(await cluster.RunAsync(item.Node, [.. item.Command, "--json"]), item.Code, item.Says, string.Join(' ', item.Command)));
    }

    private static void AssertFails(CliResult result, int code, string says, string command)
    {
        string what = $"{command} ended with {result.ExitCode}: {result.Errors}";
        Assert.True(result.ExitCode == code, what);
        Assert.True(result.Output.Length == 0, $"{what}, and printed {result.Output}");
        Assert.True(result.Errors.StartsWith("error: ", StringComparison.Ordinal) && result.Errors.Contains(says, StringComparison.Ordinal), what);
        Assert.DoesNotContain("   at ", result.Errors);
    }

    [Fact]
    public async Task A_node_whose_key_others_can_read_starts_and_says_so()
    {
        await using var cluster = new CliCluster();
        string id = Text((await cluster.StartAsync("one", "up"))["endpointId"]);
        Assert.Equal(0, (await cluster.Process("one").EndAsync("TERM")).ExitCode);
        string key = Path.Combine(cluster.DirectoryOf("one"), "key");
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);

        Assert.Null((await cluster.StartAsync("one", "up"))["grpc"]);
        JsonNode self = Node(await cluster.JsonAsync("one", "status"), "one")!;
        Assert.Equal("degraded", Text(self["p2p"]!["state"]));
        Assert.Contains("chmod 600", Text(self["p2p"]!["reason"]));
        Assert.Contains("chmod 600", (await cluster.RunAsync("one", "status")).Output);

        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        JsonNode healed = await cluster.UntilStatusAsync("one", status => Text(Node(status, "one")!["p2p"]!["state"]) == "ready", "P2P with the key");
        Assert.Equal(id, Text(Node(healed, "one")!["endpointId"]));
    }

    private static JsonNode? Node(JsonNode status, string name) => status["nodes"]!.AsArray().FirstOrDefault(node => Text(node!["name"]) == name);

    private static string Text(JsonNode? value) => value!.GetValue<string>();
}

[CollectionDefinition(nameof(CliCluster))]
public sealed class CliClusterCollection;
