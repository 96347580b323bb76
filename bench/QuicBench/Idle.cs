using System.Diagnostics;
using Iroh.Quic;

namespace QuicBench;

/// <summary>CPU time of two endpoints and one silent connection.</summary>
internal static class Idle
{
    public static async Task RunAsync(TimeSpan time)
    {
        await using QuicEndpoint server = Endpoints.Create(1);
        await using QuicEndpoint client = Endpoints.Create(2);
        await Endpoints.ConnectAsync(client, server);
        await Task.Delay(TimeSpan.FromSeconds(2));
        TimeSpan before = Process.GetCurrentProcess().TotalProcessorTime;
        await Task.Delay(time);
        TimeSpan used = Process.GetCurrentProcess().TotalProcessorTime - before;
        Console.WriteLine($"idle: {used.TotalMilliseconds:f1} ms of CPU time in {time.TotalSeconds:f0} s");
    }
}
