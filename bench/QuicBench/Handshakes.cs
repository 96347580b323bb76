using System.Diagnostics;
using System.Net;
using Iroh.Quic;

namespace QuicBench;

/// <summary>The time from the dial to an authenticated connection, against a server in another process.</summary>
internal static class Handshakes
{
    public static async Task RunAsync(int count)
    {
        using Process server = StartServer();
        IPEndPoint address = IPEndPoint.Parse((await server.StandardOutput.ReadLineAsync())!);
        await using (QuicEndpoint client = Endpoints.Create(2))
        {
            var times = new List<double>(count);
            for (int i = 0; i < count + 50; i++)
            {
                var watch = Stopwatch.StartNew();
                QuicConnection connection = await client.ConnectAsync(Endpoints.Dial(address));
                if (i >= 50)
                    times.Add(watch.Elapsed.TotalMilliseconds);
                await connection.CloseAsync();
            }

            times.Sort();
            Console.WriteLine(
                $"handshake: median {times[count / 2]:f3} ms, 90% {times[count * 9 / 10]:f3} ms, "
                + $"99% {times[count * 99 / 100]:f3} ms, worst {times[^1]:f3} ms of {count}");
        }

        server.StandardInput.Close();
        await server.WaitForExitAsync();
    }

    public static async Task ServeAsync()
    {
        await using QuicEndpoint server = Endpoints.Create(1);
        Console.WriteLine(server.LocalEndPoints[0]);
        using var end = new CancellationTokenSource();
        Task accepting = AcceptAsync(server, end.Token);
        await Console.In.ReadToEndAsync();
        await end.CancelAsync();
        await accepting;
    }

    private static Process StartServer()
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(Program).Assembly.Location);
        start.ArgumentList.Add("serve");
        return Process.Start(start)!;
    }

    private static async Task AcceptAsync(QuicEndpoint server, CancellationToken end)
    {
        try
        {
            while (await server.AcceptAsync(end) is not null)
            {
                // The client closes.
            }
        }
        catch (OperationCanceledException)
        {
            // The parent is done.
        }
    }
}
