using System.Text.Json.Nodes;
using Blixard.Cli.Tests.Cluster;

namespace Blixard.Cli.Tests.Images;

[Collection(nameof(CliCluster))]
public sealed class ImageShareTests
{
    [Fact]
    public async Task Two_clusters_share_a_catalogue_by_a_ticket_on_the_command_line()
    {
        await using CliCluster ours = new(), theirs = new();
        await ours.StartAsync("a", "up");
        await theirs.StartAsync("b", "up");
        string kernel = Path.Combine(ours.Folder, "kernel");
        await File.WriteAllBytesAsync(kernel, new byte[1_000_000], TestContext.Current.CancellationToken);
        string hash = Text((await ours.JsonAsync("a", "image", "add", "web", "--kernel", kernel))["hash"]);

        JsonNode shared = await ours.JsonAsync("a", "image", "share", "--ttl", "1h");
        Assert.StartsWith("doc", Text(shared["ticket"]));
        Assert.EndsWith("Z", Text(shared["until"]));
        Assert.Equal("open", Text((await ours.JsonAsync("a", "status"))["catalogue"]));
        Assert.Equal("west", Text((await theirs.JsonAsync("b", "image", "catalogue", "add", "west", Text(shared["ticket"])))["added"]));

        JsonNode images = await theirs.UntilAsync(
            "b", ["image", "ls"], list => list.AsArray().Any(image => Text(image!["state"]) == "available"), "the image of the other cluster");
        JsonNode seen = Assert.Single(images.AsArray())!;
        Assert.Equal(("web", "latest", hash, "west"), (Text(seen["name"]), Text(seen["tag"]), Text(seen["hash"]), Text(seen["catalogue"])));
        CliResult table = await theirs.RunAsync("b", "image", "ls");
        Assert.Contains("west//web:latest", table.Output);
        JsonNode listed = Assert.Single((await theirs.JsonAsync("b", "image", "catalogue", "ls")).AsArray())!;
        Assert.Equal(("west", 1, ""), (Text(listed["name"]), listed["images"]!.GetValue<int>(), Text(listed["reason"])));

        Assert.Equal(hash, Text((await theirs.JsonAsync("b", "image", "pull", "west//web"))["hash"]));
        Assert.Empty((await theirs.JsonAsync("b", "image", "verify", "web"))["damaged"]!.AsArray());

        Assert.True((await ours.JsonAsync("a", "image", "share", "--revoke"))["revoked"]!.GetValue<bool>());
        await theirs.UntilAsync("b", ["image", "catalogue", "ls"], list => Text(list[0]!["reason"]).Length > 0, "why the catalogue is followed no more");
        Assert.Equal("west", Text((await theirs.JsonAsync("b", "image", "catalogue", "rm", "west"))["removed"]));
        Assert.Equal(2, (await ours.RunAsync("a", "image", "share", "--revoke", "--ttl", "1h")).ExitCode);
    }

    private static string Text(JsonNode? node) => node!.GetValue<string>();
}
