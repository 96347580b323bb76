using System.Diagnostics;

namespace RelayBench;

/// <summary>How much a relay forwards. Senders keep a window full, as QUIC does, so that nothing is dropped for want of room.</summary>
internal static class Forwarding
{
    // What is under way between the two of a pair: below the relay's queue of 512 packets.
    private const int WindowBytes = 256 * 1024;

    public static async Task RunAsync(TimeSpan time)
    {
        Console.WriteLine("| pairs | frame's payload | MiB/s | frames/s | packets/s | processor of the relay |\n|---|---|---|---|---|---|");
        foreach ((int pairs, int length, ushort segment) in new[] { (1, 1200, (ushort)0), (1, 14_520, (ushort)1452), (8, 1200, (ushort)0), (8, 14_520, (ushort)1452) })
            await RunAsync(time, pairs, length, segment);
        Console.WriteLine();
    }

    private static async Task RunAsync(TimeSpan time, int pairs, int length, ushort segment)
    {
        await using RelayProcess relay = await RelayProcess.StartAsync();
        using var stop = new CancellationTokenSource();
        var all = new List<Pair>();
        for (int i = 0; i < pairs; i++)
            all.Add(new Pair(await FrameSocket.ConnectAsync(relay.Address), await FrameSocket.ConnectAsync(relay.Address), length, segment));
        Task[] running = [.. all.SelectMany(pair => new[] { pair.SendAsync(stop.Token), pair.ReceiveAsync(stop.Token) })];
        // The relay's hot code is compiled again meanwhile.
        await Task.Delay(TimeSpan.FromSeconds(2));
        long before = all.Sum(pair => pair.Received);
        TimeSpan used = relay.ProcessorTime;
        long start = Stopwatch.GetTimestamp();
        await Task.Delay(time);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        double frames = (all.Sum(pair => pair.Received) - before) / seconds;
        double share = (relay.ProcessorTime - used).TotalSeconds / seconds;
        await stop.CancelAsync();
        await Task.WhenAll(running);
        int packets = segment == 0 ? 1 : length / segment;
        Console.WriteLine(
            $"| {pairs} | {(segment == 0 ? $"{length}" : $"{packets} × {segment}")} | {frames * length / 1024 / 1024:0} | {frames:0} | {frames * packets:0} | {share:0 %} of a core |");
        foreach (Pair pair in all)
            pair.Dispose();
    }

    private sealed class Pair(FrameSocket from, FrameSocket to, int length, ushort segment) : IDisposable
    {
        private readonly SemaphoreSlim _room = new(0);
        private readonly int _chunkFrames = Math.Max(1, 32 * 1024 / length);
        private long _received;

        public long Received => Interlocked.Read(ref _received);

        public async Task SendAsync(CancellationToken cancellationToken)
        {
            byte[] message = FrameSocket.Datagram(to.Id, length, segment);
            byte[] chunk = new byte[message.Length * _chunkFrames];
            for (int i = 0; i < _chunkFrames; i++)
                message.CopyTo(chunk, i * message.Length);
            _room.Release(Math.Max(1, WindowBytes / chunk.Length));
            try
            {
                while (true)
                {
                    await _room.WaitAsync(cancellationToken);
                    for (int sent = 0; sent < chunk.Length;)
                        sent += await from.Socket.SendAsync(chunk.AsMemory(sent), cancellationToken);
                }
            }
            catch (OperationCanceledException)
            {
                // The time is over.
            }
        }

        public async Task ReceiveAsync(CancellationToken cancellationToken)
        {
            byte[] buffer = new byte[256 * 1024];
            int held = 0;
            long chunks = 0;
            try
            {
                while (true)
                {
                    int read = await to.Socket.ReceiveAsync(buffer.AsMemory(held), cancellationToken);
                    if (read == 0)
                        throw new InvalidOperationException("the relay has closed a connection");
                    held += read;
                    int at = 0;
                    while (FrameSocket.TryRead(buffer.AsSpan(at, held - at), out int header, out int payload) && at + header + payload <= held)
                    {
                        at += header + payload;
                        // Pings are short.
                        if (payload >= length)
                            Interlocked.Increment(ref _received);
                    }

                    buffer.AsSpan(at, held - at).CopyTo(buffer);
                    held -= at;
                    long now = Received / _chunkFrames;
                    if (now > chunks)
                        _room.Release((int)(now - chunks));
                    chunks = now;
                }
            }
            catch (OperationCanceledException)
            {
                // The time is over.
            }
        }

        public void Dispose()
        {
            from.Dispose();
            to.Dispose();
            _room.Dispose();
        }
    }
}
