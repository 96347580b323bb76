using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace BlobsBench.Transfers;

/// <summary>A file to a file over loopback: ours in two processes, the real iroh-blobs 0.35 in two processes, and curl from nginx.</summary>
internal static class OneToOne
{
    public static async Task<int> RunAsync(int mebibytes, int rounds)
    {
        using var scene = new Scene(mebibytes);
        Console.WriteLine($"| {mebibytes} MiB, file to file over loopback, MiB/s | runs |\n|---|---|");
        await PrintAsync("ours, two processes", rounds, () => OursAsync(scene));
        string? peer = FindPeer();
        if (peer is not null)
            await PrintAsync("iroh-blobs 0.35, two processes", rounds, () => TheirsAsync(scene, peer));
        await PrintAsync("curl from nginx, neither encrypted nor verified", rounds, () => CurlAsync(scene));
        return 0;
    }

    private static async Task PrintAsync(string name, int rounds, Func<Task<string>> measure)
    {
        var runs = new List<string>();
        for (int i = 0; i < rounds; i++)
            runs.Add(await measure());
        Console.WriteLine($"| {name} | {string.Join(", ", runs)} |");
    }

    private static async Task<string> OursAsync(Scene scene)
    {
        await using Child provider = await Child.NodeAsync(scene.NewFolder());
        await using Child getter = await Child.NodeAsync(scene.NewFolder());
        string hash = (await provider.AskAsync($"add {scene.File}")).Split(' ')[1];
        string copy = Path.Combine(scene.Folder, "copy");
        string done = await getter.AskAsync($"get {hash} {copy} {provider.Ready}");
        return Rate(scene, done, copy);
    }

    internal static string Rate(Scene scene, string done, string copy)
    {
        if (!done.StartsWith("done ", StringComparison.Ordinal))
            throw new InvalidOperationException(done);
        scene.Check(copy);
        return scene.Rate(double.Parse(done.Split(' ')[1], CultureInfo.InvariantCulture));
    }

    private static async Task<string> TheirsAsync(Scene scene, string peer)
    {
        await using Child provider = Child.Start(["node", "peer.mjs"], peer);
        await using Child getter = Child.Start(["node", "peer.mjs"], peer);
        JsonNode providing = await CallAsync(provider, new { op = "start", path = scene.NewFolder() });
        JsonNode getting = await CallAsync(getter, new { op = "start", path = scene.NewFolder() });
        string hash = (await CallAsync(provider, new { op = "addFile", node = 1, path = scene.File, inPlace = true }))["hash"]!.GetValue<string>();

        // 0.35 drops packets from addresses that it has not learned.
        await CallAsync(provider, new { op = "know", node = 1, nodeId = getting["nodeId"]!.GetValue<string>(), addresses = getting["addresses"] });
        string copy = Path.Combine(scene.Folder, "copy");
        long start = Stopwatch.GetTimestamp();
        await CallAsync(getter, new { op = "download", node = 1, hash, format = "raw", nodeId = providing["nodeId"]!.GetValue<string>(), addresses = providing["addresses"] });
        await CallAsync(getter, new { op = "moveOut", node = 1, hash, path = copy });
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        scene.Check(copy);
        return scene.Rate(seconds);
    }

    private static async Task<JsonNode> CallAsync(Child child, object request)
    {
        JsonNode reply = JsonNode.Parse(await child.AskAsync(JsonSerializer.Serialize(request)))!;
        return reply["result"] ?? throw new InvalidOperationException(reply["error"]?.GetValue<string>() ?? "no reply");
    }

    private static string? FindPeer()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string peer = Path.Combine(folder.FullName, "tests", "Iroh.Blobs.Tests", "iroh-peer");
            if (Directory.Exists(Path.Combine(peer, "node_modules")))
                return peer;
        }

        return null;
    }

    private static async Task<string> CurlAsync(Scene scene)
    {
        string copy = Path.Combine(scene.Folder, "copy");
        using Nginx nginx = await Nginx.StartAsync(scene);
        long start = Stopwatch.GetTimestamp();
        using Process curl = Process.Start("curl", ["--silent", "--fail", "--output", copy, $"http://127.0.0.1:{nginx.Port}/file"]);
        await curl.WaitForExitAsync();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        scene.Check(copy);
        return scene.Rate(seconds);
    }
}
