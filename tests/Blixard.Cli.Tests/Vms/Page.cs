using System.Diagnostics;

namespace Blixard.Cli.Tests.Vms;

/// <summary>A page that a guest serves on a published port.</summary>
internal static class Page
{
    // A boot takes 2 s alone on a core, and there may be far less than a core.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    // A connection that comes before the guest has its address waits until QEMU tries it again, 6 s and more later: a new one is sooner. After so
    // many the guest is rather slow than still booting, and gets more time for each.
    private const int ShortTries = 20;
    private static readonly TimeSpan s_shortTry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_longTry = TimeSpan.FromSeconds(10);

    /// <summary>Asks for the page until the guest answers.</summary>
    public static async Task<string> FetchAsync(int port)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        long start = Stopwatch.GetTimestamp();
        for (int attempt = 1; ; attempt++)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            limit.CancelAfter(attempt <= ShortTries ? s_shortTry : s_longTry);
            try
            {
                return await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/"), limit.Token);
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !TestContext.Current.CancellationToken.IsCancellationRequested)
            {
                Assert.True(Stopwatch.GetElapsedTime(start) < s_limit, $"no page on port {port} within {s_limit.TotalSeconds} s: {e.Message}");
                await Task.Delay(100, TestContext.Current.CancellationToken);
            }
        }
    }
}
