using System.Diagnostics;
using Iroh.Quic;

namespace QuicBench;

/// <summary>Round trips of one byte on one stream.</summary>
internal static class Latency
{
    public static async Task RunAsync(int count)
    {
        await using QuicEndpoint server = Endpoints.Create(1);
        await using QuicEndpoint client = Endpoints.Create(2);
        (QuicConnection dialled, QuicConnection accepted) = await Endpoints.ConnectAsync(client, server);
        Task echoing = Task.Run(async () =>
        {
            await using QuicStream stream = await accepted.AcceptBidirectionalStreamAsync();
            byte[] buffer = new byte[1];
            while (await stream.ReadAsync(buffer) > 0)
                await stream.WriteAsync(buffer);
        });

        var times = new List<double>(count);
        await using (QuicStream stream = await dialled.OpenBidirectionalStreamAsync())
        {
            byte[] buffer = new byte[1];
            for (int i = 0; i < count + 500; i++)
            {
                var watch = Stopwatch.StartNew();
                await stream.WriteAsync(buffer);
                await stream.ReadExactlyAsync(buffer);
                if (i >= 500)
                    times.Add(watch.Elapsed.TotalMicroseconds);
            }
        }

        await echoing;
        times.Sort();
        Console.WriteLine($"round trip: median {times[count / 2]:f0} µs, 90% {times[count * 9 / 10]:f0} µs, 99% {times[count * 99 / 100]:f0} µs");
    }
}
