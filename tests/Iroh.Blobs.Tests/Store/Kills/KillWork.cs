using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Iroh.Blobs.Store;
using Iroh.Blobs.Transfer;

namespace Iroh.Blobs.Tests.Store.Kills;

/// <summary>
/// The process that is killed: does what it is told on a store, several things at once if it is told so. Orders are lines <c>ID KIND …</c>;
/// answers are <c>ID begun.</c>, <c>ID stored BYTES.</c>, <c>ID done.</c> and <c>ID failed WHY.</c>
/// </summary>
internal sealed class KillWork(DiskBlobStore store, int providerPort, Stream orders) : IDisposable
{
    private readonly SemaphoreSlim _answering = new(1, 1);
    private readonly BlobDownloader _downloader = new(store);

    /// <summary>Works until the orders end.</summary>
    /// <param name="settings">As the parent gave them: folder of the store, whether it flushes, checkpoint bytes, port of the provider, port for
    /// orders.</param>
    public static async Task RunAsync(string settings)
    {
        string[] parts = settings.Split('|');
        var options = new BlobStoreOptions
        {
            FlushesToDisk = bool.Parse(parts[1]),
            CheckpointBytes = long.Parse(parts[2], CultureInfo.InvariantCulture),
        };
        await using DiskBlobStore store = DiskBlobStore.Open(parts[0], options);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, int.Parse(parts[4], CultureInfo.InvariantCulture));
        await using var stream = new NetworkStream(socket);
        using var work = new KillWork(store, int.Parse(parts[3], CultureInfo.InvariantCulture), stream);
        await work.RunAsync();
    }

    public void Dispose()
    {
        _answering.Dispose();
        _downloader.Dispose();
    }

    private async Task RunAsync()
    {
        using var reader = new StreamReader(orders, leaveOpen: true);
        var running = new List<Task>();
        while (await reader.ReadLineAsync() is { } line)
            running.Add(Task.Run(() => ObeyAsync(line.Split(' '))));
        await Task.WhenAll(running);
    }

    private async Task ObeyAsync(string[] words)
    {
        string id = words[0];
        try
        {
            await (words[1] switch
            {
                "import" => ImportAsync(id, Number(words[2]), Number(words[3]), words[4], words[5], words[6]),
                "sequence" => AddSequenceAsync(id, words[2], [.. words[3].Split(',').Select(static blob => blob.Split(':'))]),
                "download" => DownloadAsync(id, BlobHash.TryParse(words[2], out BlobHash hash) ? hash : default, words[3]),
                "collect" => CollectAsync(id, words[2].Split(',', StringSplitOptions.RemoveEmptyEntries)),
                _ => throw new InvalidOperationException($"no such work: {words[1]}"),
            });
            await AnswerAsync(id, "done");
        }
        catch (Exception exception)
        {
            await AnswerAsync(id, $"failed {exception.ToString().ReplaceLineEndings(" | ")}");
        }
    }

    /// <summary>Content comes as the mode says; a file was put there by the parent. "-" for the tag leaves the blob to be collected.</summary>
    private async Task ImportAsync(string id, int seed, int length, string mode, string file, string name)
    {
        byte[] content = mode is "bytes" or "stream" ? TestBlob.Get(seed, length).Content : [];
        await AnswerAsync(id, "begun");
        using TempTag tag = await (mode switch
        {
            "bytes" => store.AddBytesAsync(content).AsTask(),
            "stream" => store.AddStreamAsync(new MemoryStream(content)),
            "copy" => store.AddFileAsync(file),
            _ => store.AddFileAsync(file, ImportMode.Reference),
        });
        if (name != "-")
            store.SetTag(name, tag.Content);
    }

    private async Task AddSequenceAsync(string id, string name, string[][] children)
    {
        TestBlob[] blobs = [.. children.Select(static child => TestBlob.Get(Number(child[0]), Number(child[1])))];
        await AnswerAsync(id, "begun");
        var tags = new List<TempTag>();
        foreach (TestBlob blob in blobs)
            tags.Add(await store.AddBytesAsync(blob.Content));
        tags.Add(await store.AddBytesAsync(KillLedger.SequenceOf(blobs.Select(static blob => blob.Hash)), BlobFormat.HashSequence));
        store.SetTag(name, tags[^1].Content);
        tags.ForEach(static tag => tag.Dispose());
    }

    private async Task DownloadAsync(string id, BlobHash hash, string name)
    {
        store.SetTag(name, HashAndFormat.Raw(hash));
        using var ended = new CancellationTokenSource();
        await AnswerAsync(id, "begun");
        Task telling = TellAsync(id, hash, ended.Token);
        await _downloader.DownloadAsync(HashAndFormat.Raw(hash), [new SocketSource("one", providerPort), new SocketSource("two", providerPort)]);
        await ended.CancelAsync();
        await telling;
    }

    // What is told is written: the store says so itself.
    private async Task TellAsync(string id, BlobHash hash, CancellationToken ended)
    {
        try
        {
            await foreach (BlobBitfield here in store.ObserveAsync(hash, ended))
            {
                ulong bytes = here.IsComplete ? here.Size : here.Present.CountBytes(here.Size);
                await AnswerAsync(id, string.Create(CultureInfo.InvariantCulture, $"stored {bytes}"));
            }
        }
        catch (OperationCanceledException)
        {
            // All is there.
        }
    }

    private async Task CollectAsync(string id, string[] names)
    {
        await AnswerAsync(id, "begun");
        foreach (string name in names)
            store.DeleteTag(name);
        await store.CollectGarbageAsync();
    }

    private async Task AnswerAsync(string id, string what)
    {
        await _answering.WaitAsync();
        try
        {
            await orders.WriteAsync(Encoding.UTF8.GetBytes($"{id} {what}.\n"));
        }
        catch (IOException)
        {
            // The parent is gone: so will this be.
        }
        finally
        {
            _answering.Release();
        }
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
