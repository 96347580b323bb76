using System.Diagnostics;
using System.Globalization;

namespace BlobsBench.Transfers;

/// <summary>One node has the file, 1 to 8 want it, all in one box: ours beside aria2 with BitTorrent.</summary>
internal static class Swarm
{
    private static readonly int[] Counts = [1, 2, 4, 8];

    public static async Task<int> RunAsync(int mebibytes)
    {
        using var scene = new Scene(mebibytes);
        Console.WriteLine($"| {mebibytes} MiB to nodes in one box | ours, MiB/s in all | copies that the first sent | aria2, MiB/s in all | copies that the first sent |\n|---|---|---|---|---|");
        foreach (int count in Counts)
        {
            (double ours, double ourCopies) = await OursAsync(scene, count);
            (double theirs, double theirCopies) = await Aria2Async(scene, count);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"| {count} | {scene.Rate(ours, count)} | {ourCopies:0.00} | {scene.Rate(theirs, count)} | {theirCopies:0.00} |"));
        }

        return 0;
    }

    private static async Task<(double Seconds, double Copies)> OursAsync(Scene scene, int count)
    {
        await using Child first = await Child.NodeAsync(scene.NewFolder());
        string hash = (await first.AskAsync($"add {scene.File}")).Split(' ')[1];
        Child[] nodes = await Task.WhenAll(Enumerable.Range(0, count).Select(_ => Child.NodeAsync(scene.NewFolder())));
        long start = Stopwatch.GetTimestamp();
        string[] done = await Task.WhenAll(nodes.Select((node, i) => node.AskAsync(
            $"get {hash} {Path.Combine(scene.Folder, $"copy{i}")} {first.Ready} {string.Join(' ', nodes.Where(other => other != node).Select(static other => other.Ready))}".TrimEnd())));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        for (int i = 0; i < count; i++)
            OneToOne.Rate(scene, done[i], Path.Combine(scene.Folder, $"copy{i}"));
        foreach (Child node in nodes)
            await node.DisposeAsync();
        long sent = long.Parse((await first.AskAsync("sent")).Split(' ')[1], CultureInfo.InvariantCulture);
        return (seconds, (double)sent / scene.Length);
    }

    private static async Task<(double Seconds, double Copies)> Aria2Async(Scene scene, int count)
    {
        using var tracker = new Tracker();
        string torrent = Path.Combine(scene.NewFolder(), "file.torrent");
        Torrent.Write(torrent, scene.File, tracker.AnnounceUrl);
        var processes = new List<Process> { StartAria2(torrent, scene.Folder, seeds: true) };
        await tracker.WaitForPeersAsync(1);
        long start = Stopwatch.GetTimestamp();
        string[] folders = [.. Enumerable.Range(0, count).Select(_ => scene.NewFolder())];
        processes.AddRange(folders.Select(folder => StartAria2(torrent, folder, seeds: false)));
        await tracker.WaitForCompletedAsync(count);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        for (int i = processes.Count - 1; i >= 0; i--)
            await StopAsync(processes[i]);
        foreach (string folder in folders)
            scene.Check(Path.Combine(folder, "file"));
        return (seconds, (double)tracker.UploadedByFirst / scene.Length);
    }

    private static Process StartAria2(string torrent, string folder, bool seeds) => Process.Start(new ProcessStartInfo("aria2c",
    [
        "--quiet", "--no-conf", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false", "--enable-peer-exchange=true",
        "--seed-ratio=0", "--seed-time=100000", "--bt-max-peers=0", "--file-allocation=none", "--allow-overwrite=true",
        $"--bt-seed-unverified={(seeds ? "true" : "false")}", "--check-integrity=false", "--interface=127.0.0.1", "--bt-tracker-interval=1",
        $"--listen-port={Nginx.FreePort()}", $"--dir={folder}", torrent,
    ]) { RedirectStandardInput = true })!;

    /// <summary>Lets it tell the tracker what it sent.</summary>
    private static async Task StopAsync(Process process)
    {
        using (Process end = Process.Start("kill", ["-INT", $"{process.Id}"]))
            await end.WaitForExitAsync();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(15));
        try
        {
            await process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
        }

        process.Dispose();
    }
}
