using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;

namespace RelayBench;

/// <summary><c>blixard relay serve</c> in a process of its own, on loopback.</summary>
internal sealed class RelayProcess : IAsyncDisposable
{
    private readonly Process _process;

    private RelayProcess(Process process, IPEndPoint address) => (_process, Address) = (process, address);

    public IPEndPoint Address { get; }

    /// <summary>How much processor time it has used.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>Its resident memory in KiB.</summary>
    public long ResidentKib => long.Parse(
        File.ReadLines($"/proc/{_process.Id}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture);

    public static async Task<RelayProcess> StartAsync()
    {
        string program = Path.Combine(AppContext.BaseDirectory, "blixard.dll");
        var process = Process.Start(new ProcessStartInfo("dotnet", [program, "relay", "serve", "--http", "127.0.0.1:0", "--json"]) { RedirectStandardOutput = true })!;
        string line = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("the relay did not start");
        return new RelayProcess(process, IPEndPoint.Parse(JsonNode.Parse(line)!["http"]!.GetValue<string>()));
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
