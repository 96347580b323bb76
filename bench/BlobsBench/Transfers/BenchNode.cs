using System.Globalization;
using System.Net;
using System.Runtime;
using Iroh;
using Iroh.Base;
using Iroh.Blobs;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;
using Iroh.Protocols;

namespace BlobsBench.Transfers;

/// <summary>
/// A process with an endpoint, a store on disk, a provider and a downloader: <c>BlobsBench node DIRECTORY [BYTES_PER_SECOND]</c>. Prints
/// <c>ready TICKET</c>, then obeys a line at a time: <c>add FILE</c>, <c>get HASH FILE TICKET…</c>, <c>sent</c>; ends with its input.
/// </summary>
internal sealed class BenchNode : IBlobProviderEvents, IAsyncDisposable
{
    /// <summary>What a node sends to others in its process in a round before it is ready: enough for a record of a partial blob, too.</summary>
    private const int WarmLength = 72 << 20;

    /// <summary>The most rounds, if the compiler does not come to rest before.</summary>
    private const int WarmRoundsMax = 12;

    /// <summary>Fewer methods compiled in a round mean that it has.</summary>
    private const int WarmMethodsMax = 20;

    private readonly IrohEndpoint _endpoint;
    private readonly DiskBlobStore _store;
    private readonly BlobProvider _provider;
    private readonly ProtocolRouter _router;
    private readonly IrohBlobSources _sources;
    private readonly BlobDownloader _downloader;
    private long _sent;

    private BenchNode(IrohEndpoint endpoint, string directory, long? bytesPerSecond)
    {
        _endpoint = endpoint;

        // The programs beside it do not wait for the disk either.
        _store = DiskBlobStore.Open(directory, new BlobStoreOptions { FlushesToDisk = false });
        _provider = new BlobProvider(_store, new BlobProviderOptions { BytesPerSecond = bytesPerSecond, Events = this });
        _router = new ProtocolRouter(
            endpoint, new Dictionary<string, IProtocolHandler> { [BlobProvider.ApplicationProtocol] = _provider });
        _sources = new IrohBlobSources(endpoint);
        _downloader = new BlobDownloader(_store);
    }

    private EndpointTicket Ticket => new(new EndpointAddress(_endpoint.Id, _endpoint.BoundSockets.Select(TransportAddress.Ip)));

    public static async Task<int> RunAsync(string directory, long? bytesPerSecond)
    {
        await WarmAsync(directory + ".warm");
        await using BenchNode node = await StartAsync(directory, bytesPerSecond);
        Console.WriteLine($"ready {node.Ticket}");
        while (await Console.In.ReadLineAsync() is { } line)
            Console.WriteLine(await node.ObeyAsync(line.Split(' ')));
        return 0;
    }

    public void OnStarted(BlobRequestInfo request)
    {
    }

    public void OnProgress(BlobRequestInfo request, long bytes)
    {
    }

    public void OnEnded(BlobRequestInfo request, BlobRequestOutcome outcome, long bytes, TimeSpan duration) =>
        Interlocked.Add(ref _sent, bytes);

    public async ValueTask DisposeAsync()
    {
        _downloader.Dispose();
        await _sources.DisposeAsync();
        await _router.DisposeAsync();
        _provider.Dispose();
        await _store.DisposeAsync();
        await _endpoint.DisposeAsync();
    }

    private static async Task<BenchNode> StartAsync(string directory, long? bytesPerSecond)
    {
        IrohEndpoint endpoint = await IrohEndpoint.BindAsync(new IrohEndpointOptions
        {
            BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)],
            UseRelays = false,
            MapPorts = false,
        });
        return new BenchNode(endpoint, directory, bytesPerSecond);
    }

    /// <summary>Until the code is compiled as that of a node that runs for a while: one node gives to two that trade, again and again.</summary>
    private static async Task WarmAsync(string folder)
    {
        for (int round = 0; round < WarmRoundsMax; round++)
        {
            long before = JitInfo.GetCompiledMethodCount();
            Directory.CreateDirectory(folder);
            string file = Path.Combine(folder, "file");
            await File.WriteAllBytesAsync(file, new byte[WarmLength]);
            await using (BenchNode from = await StartAsync(Path.Combine(folder, "from"), null),
                to = await StartAsync(Path.Combine(folder, "to"), null),
                also = await StartAsync(Path.Combine(folder, "also"), null))
            {
                string hash = (await from.ObeyAsync(["add", file])).Split(' ')[1];
                await Task.WhenAll(
                    to.ObeyAsync(["get", hash, file + "1", $"{from.Ticket}", $"{also.Ticket}"]),
                    also.ObeyAsync(["get", hash, file + "2", $"{from.Ticket}", $"{to.Ticket}"]));
            }

            Directory.Delete(folder, recursive: true);
            if (JitInfo.GetCompiledMethodCount() - before < WarmMethodsMax)
                break;
        }
    }

    private async Task<string> ObeyAsync(string[] words) => words[0] switch
    {
        "add" => await AddAsync(words[1]),
        "get" => await GetAsync(words),
        _ => $"sent {Volatile.Read(ref _sent)}",
    };

    private async Task<string> AddAsync(string path)
    {
        using TempTag tag = await _store.AddFileAsync(path, ImportMode.Reference);
        _store.SetTag("bench", tag.Content);
        return $"added {tag.Hash}";
    }

    private async Task<string> GetAsync(string[] words)
    {
        if (!BlobHash.TryParse(words[1], out BlobHash hash))
            return "failed: no hash";
        TimeSpan processorBefore = Environment.CpuUsage.TotalTime;
        long start = TimeProvider.System.GetTimestamp();
        DownloadProgress? last = null;
        var content = new HashAndFormat(hash, BlobFormat.Raw);
        using TempTag hold = _store.Hold(content);
        try
        {
            await _downloader.DownloadAsync(
                content, words[3..].Select(ticket => _sources.Create(EndpointTicket.Parse(ticket).Address)), new Last(report => last = report));
            await _store.ExportAsync(hash, words[2], ExportMode.Reference);
        }
        catch (IOException exception)
        {
            return $"failed: {exception.Message}";
        }

        _store.SetTag("bench", content);
        string processor = (Environment.CpuUsage.TotalTime - processorBefore).TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        string seconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds.ToString("0.000", CultureInfo.InvariantCulture);
        return $"done {seconds} processor={processor}s {string.Join(' ', last!.Sources.Select(static source => $"{source.Name}={source.Bytes >> 20}MiB/{source.State}"))}";
    }

    private sealed class Last(Action<DownloadProgress> tell) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => tell(value);
    }
}
