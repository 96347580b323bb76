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
internal sealed class BenchNode : IBlobProviderEvents
{
    private long _sent;

    /// <summary>What a node sends to itself in a round before it is ready.</summary>
    private const int WarmLength = 48 << 20;

    /// <summary>The most rounds, if the compiler does not come to rest before.</summary>
    private const int WarmRoundsMax = 12;

    /// <summary>Fewer methods compiled in a round mean that it has.</summary>
    private const int WarmMethodsMax = 20;

    public static async Task<int> RunAsync(string directory, long? bytesPerSecond)
    {
        await WarmAsync(directory);
        await using IrohEndpoint endpoint = await BindAsync();
        await using DiskBlobStore store = Open(directory);
        var node = new BenchNode();
        using var provider = new BlobProvider(store, new BlobProviderOptions { BytesPerSecond = bytesPerSecond, Events = node });
        await using var router = new ProtocolRouter(
            endpoint, new Dictionary<string, IProtocolHandler> { [BlobProvider.ApplicationProtocol] = provider });
        await using var sources = new IrohBlobSources(endpoint);
        using var downloader = new BlobDownloader(store);
        Console.WriteLine($"ready {new EndpointTicket(new EndpointAddress(endpoint.Id, endpoint.BoundSockets.Select(TransportAddress.Ip)))}");
        while (await Console.In.ReadLineAsync() is { } line)
        {
            string[] words = line.Split(' ');
            string reply = words[0] switch
            {
                "add" => await AddAsync(store, words[1]),
                "get" => await GetAsync(store, downloader, words, sources),
                _ => $"sent {Volatile.Read(ref node._sent)}",
            };
            Console.WriteLine(reply);
        }

        return 0;
    }

    private static Task<IrohEndpoint> BindAsync() => IrohEndpoint.BindAsync(new IrohEndpointOptions
    {
        BindAddresses = [new IPEndPoint(IPAddress.Loopback, 0)],
        UseRelays = false,
        MapPorts = false,
    });

    /// <summary>Until the code of a transfer is compiled as that of a node that runs for a while.</summary>
    private static async Task WarmAsync(string directory)
    {
        string warm = Directory.CreateDirectory(directory + ".warm").FullName;
        string file = Path.Combine(warm, "file");
        await File.WriteAllBytesAsync(file, new byte[WarmLength]);
        for (int round = 0; round < WarmRoundsMax; round++)
        {
            long before = JitInfo.GetCompiledMethodCount();
            await WarmOnceAsync(warm, file);
            if (JitInfo.GetCompiledMethodCount() - before < WarmMethodsMax)
                break;
        }

        Directory.Delete(warm, recursive: true);
    }

    private static async Task WarmOnceAsync(string warm, string file)
    {
        string[] folders = [Path.Combine(warm, "from"), Path.Combine(warm, "to"), Path.Combine(warm, "also")];
        await using (WarmNode from = await WarmNode.StartAsync(folders[0]), to = await WarmNode.StartAsync(folders[1]), also = await WarmNode.StartAsync(folders[2]))
        {
            using TempTag tag = await from.Store.AddFileAsync(file, ImportMode.Reference);
            await Task.WhenAll(to.GetAsync(tag.Content, from, also), also.GetAsync(tag.Content, from, to));
        }

        foreach (string folder in folders)
            Directory.Delete(folder, recursive: true);
    }

    // The programs beside it do not wait for the disk either.
    private static DiskBlobStore Open(string directory) => DiskBlobStore.Open(directory, new BlobStoreOptions { FlushesToDisk = false });

    public void OnStarted(BlobRequestInfo request)
    {
    }

    public void OnProgress(BlobRequestInfo request, long bytes)
    {
    }

    public void OnEnded(BlobRequestInfo request, BlobRequestOutcome outcome, long bytes, TimeSpan duration) =>
        Interlocked.Add(ref _sent, bytes);

    private static async Task<string> AddAsync(DiskBlobStore store, string path)
    {
        using TempTag tag = await store.AddFileAsync(path, ImportMode.Reference);
        store.SetTag("bench", tag.Content);
        return $"added {tag.Hash}";
    }

    private static async Task<string> GetAsync(DiskBlobStore store, BlobDownloader downloader, string[] words, IrohBlobSources sources)
    {
        if (!BlobHash.TryParse(words[1], out BlobHash hash))
            return "failed: no hash";
        TimeSpan processorBefore = Environment.CpuUsage.TotalTime;
        long start = TimeProvider.System.GetTimestamp();
        DownloadProgress? last = null;
        var content = new HashAndFormat(hash, BlobFormat.Raw);
        using TempTag hold = store.Hold(content);
        try
        {
            await downloader.DownloadAsync(
                content, words[3..].Select(ticket => sources.Create(EndpointTicket.Parse(ticket).Address)), new Last(report => last = report));
            await store.ExportAsync(hash, words[2], ExportMode.Reference);
        }
        catch (IOException exception)
        {
            return $"failed: {exception.Message}";
        }

        store.SetTag("bench", content);
        string processor = (Environment.CpuUsage.TotalTime - processorBefore).TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        string seconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds.ToString("0.000", CultureInfo.InvariantCulture);
        return $"done {seconds} processor={processor}s {string.Join(' ', last!.Sources.Select(static source => $"{source.Name}={source.Bytes >> 20}MiB/{source.State}"))}";
    }

    private sealed class Last(Action<DownloadProgress> tell) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value) => tell(value);
    }

    /// <summary>One end of a transfer in which the process warms up.</summary>
    private sealed class WarmNode : IAsyncDisposable
    {
        private readonly IrohEndpoint _endpoint;
        private readonly BlobProvider _provider;
        private readonly ProtocolRouter _router;
        private readonly IrohBlobSources _sources;
        private readonly BlobDownloader _downloader;

        private WarmNode(DiskBlobStore store, IrohEndpoint endpoint)
        {
            (Store, _endpoint) = (store, endpoint);
            _provider = new BlobProvider(store);
            _router = new ProtocolRouter(
                endpoint, new Dictionary<string, IProtocolHandler> { [BlobProvider.ApplicationProtocol] = _provider });
            _sources = new IrohBlobSources(endpoint);
            _downloader = new BlobDownloader(store);
        }

        public DiskBlobStore Store { get; }

        public static async Task<WarmNode> StartAsync(string folder) => new(Open(folder), await BindAsync());

        public Task GetAsync(HashAndFormat content, params WarmNode[] sources) => _downloader.DownloadAsync(
            content,
            sources.Select(source => _sources.Create(
                new EndpointAddress(source._endpoint.Id, source._endpoint.BoundSockets.Select(TransportAddress.Ip)))));

        public async ValueTask DisposeAsync()
        {
            _downloader.Dispose();
            await _sources.DisposeAsync();
            await _router.DisposeAsync();
            _provider.Dispose();
            await _endpoint.DisposeAsync();
            await Store.DisposeAsync();
        }
    }
}
