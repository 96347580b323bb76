namespace RelayBench;

/// <summary>What clients cost that do nothing.</summary>
internal static class Idle
{
    // Clients that connect at the same time.
    private const int Concurrency = 16;

    public static async Task RunAsync(int[] counts)
    {
        Console.WriteLine("| idle clients | connected in | resident memory of the relay | each | processor while idle |\n|---|---|---|---|---|");
        foreach (int count in counts)
        {
            await using RelayProcess relay = await RelayProcess.StartAsync();
            // What comes with the first clients is not theirs.
            List<FrameSocket> clients = [.. await ConnectAsync(relay, 50)];
            await Task.Delay(TimeSpan.FromSeconds(2));
            long before = relay.ResidentKib;
            var watch = System.Diagnostics.Stopwatch.StartNew();
            clients.AddRange(await ConnectAsync(relay, count));
            watch.Stop();
            await Task.Delay(TimeSpan.FromSeconds(5));
            long after = relay.ResidentKib;
            TimeSpan used = relay.ProcessorTime;
            await Task.Delay(TimeSpan.FromSeconds(10));
            double share = (relay.ProcessorTime - used).TotalSeconds / 10;
            Console.WriteLine(
                $"| {count} | {watch.Elapsed.TotalSeconds:0.0} s | {after / 1024.0:0} MiB (before: {before / 1024.0:0}) | {(after - before) / (double)count:0.0} KiB | {share:0.0 %} |");
            foreach (FrameSocket client in clients)
                client.Dispose();
        }

        Console.WriteLine();
    }

    private static async Task<FrameSocket[]> ConnectAsync(RelayProcess relay, int count)
    {
        var clients = new FrameSocket[count];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, count),
            new ParallelOptions { MaxDegreeOfParallelism = Concurrency },
            async (i, _) => clients[i] = await FrameSocket.ConnectAsync(relay.Address));
        return clients;
    }
}
