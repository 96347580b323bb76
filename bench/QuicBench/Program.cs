using System.Globalization;

namespace QuicBench;

/// <summary>
/// Measures Iroh.Quic over loopback, both ends on this machine:
/// <code>
/// QuicBench throughput [SECONDS] [STREAMS]   goodput in one process, beside TLS 1.3 over TCP (not with --quic at the end)
/// QuicBench handshake [COUNT]                handshakes with a server in another process
/// QuicBench latency [COUNT]                  one-byte round trips on a stream
/// QuicBench idle [SECONDS]                   CPU time of a pair of endpoints with nothing to do
/// </code>
/// </summary>
internal static class Program
{
    private static async Task<int> Main(string[] arguments)
    {
        switch (arguments.FirstOrDefault())
        {
            case "throughput":
                await Throughput.RunAsync(TimeSpan.FromSeconds(Number(arguments, 1, 5)), Number(arguments, 2, 1), arguments.Contains("--quic"));
                return 0;
            case "handshake":
                await Handshakes.RunAsync(Number(arguments, 1, 200));
                return 0;
            case "latency":
                await Latency.RunAsync(Number(arguments, 1, 5000));
                return 0;
            case "idle":
                await Idle.RunAsync(TimeSpan.FromSeconds(Number(arguments, 1, 10)));
                return 0;
            case "serve":
                await Handshakes.ServeAsync();
                return 0;
            default:
                await Console.Error.WriteLineAsync("usage: QuicBench throughput|handshake|latency|idle [NUMBER...]");
                return 2;
        }
    }

    private static int Number(string[] arguments, int place, int otherwise) =>
        arguments.Length > place ? int.Parse(arguments[place], CultureInfo.InvariantCulture) : otherwise;
}
