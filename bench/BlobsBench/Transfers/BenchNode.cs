using System.Globalization;
using System.Net;
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

    /// <summary>What a node sends to itself before it is ready, so that its code is compiled as that of a node that runs for a while.</summary>
    private const int WarmLength = 48 << 20;

    public static async Task<int> RunAsync(string directory, long? bytesPerSecond)
    {
        await WarmAsync(directory);
        await using IrohEndpoint endpoint = await BindAsync();
        // The programs beside it do not wait for the disk either.
        await using DiskBlobStore store = DiskBlobStore.Open(directory, new BlobStoreOptions { FlushesToDisk = false });
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

    private static async Task WarmAsync(string directory)
    {
        string warm = directory + ".warm";
        await using (var from = new MemoryBlobStore())
        await using (DiskBlobStore to = DiskBlobStore.Open(warm, new BlobStoreOptions { FlushesToDisk = false }))
        await using (IrohEndpoint provides = await BindAsync(), gets = await BindAsync())
        {
            using TempTag tag = await from.AddBytesAsync(new byte[WarmLength]);
            using var provider = new BlobProvider(from);
            await using var router = new ProtocolRouter(
                provides, new Dictionary<string, IProtocolHandler> { [BlobProvider.ApplicationProtocol] = provider });
            await using var sources = new IrohBlobSources(gets);
            using var downloader = new BlobDownloader(to);
            await downloader.DownloadAsync(
                tag.Content, [sources.Create(new EndpointAddress(provides.Id, provides.BoundSockets.Select(TransportAddress.Ip)))]);
        }

        Directory.Delete(warm, recursive: true);
    }

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
}
