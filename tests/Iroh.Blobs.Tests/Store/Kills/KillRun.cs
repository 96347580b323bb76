using System.Diagnostics;
using System.Globalization;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Store;

namespace Iroh.Blobs.Tests.Store.Kills;

/// <summary>
/// Has a process import, download and collect garbage on one store, kills it at random moments of each, and looks at the store after each
/// kill. What is done, and when the kill is to come, follows from the seed.
/// </summary>
internal sealed class KillRun(string folder, int seed, string method, string variable) : IAsyncDisposable
{
    /// <summary>Works that may end before their kill comes, until one is killed all the same.</summary>
    private const int TriesMax = 12;

    /// <summary>So many kills go over one content of the store, then it begins anew.</summary>
    private const int KillsPerContent = 4;

    private static readonly int[] s_importLengths = [100, 16_384, 16_385, 60_000, 300_000, 1_200_000, 5_000_000, 9_000_000];
    private static readonly int[] s_downloadLengths = [6_000_001, 8_388_608, 12_000_000];

    private readonly Random _random = new(seed);
    private readonly KillLedger _ledger = new();
    private readonly MemoryBlobStore _theirs = new();
    private readonly TestBlob[] _imports = [.. s_importLengths.Select(static (length, i) => new TestBlob(100 + i, length))];
    private readonly TestBlob[] _downloads = [.. s_downloadLengths.Select(static (length, i) => new TestBlob(200 + i, length))];
    private readonly Dictionary<WorkKind, TimeSpan> _durations = Enum.GetValues<WorkKind>().ToDictionary(static kind => kind, static _ => TimeSpan.FromMilliseconds(50));
    private readonly Dictionary<WorkKind, int> _hits = Enum.GetValues<WorkKind>().ToDictionary(static kind => kind, static _ => 0);
    private readonly List<Ordered> _running = [];
    private BlobProvider? _provider;
    private SocketProvider? _server;
    private KilledChild? _child;
    private int _names;
    private int _kills;

    /// <summary>What a kill is meant for.</summary>
    private enum WorkKind
    {
        Import,
        Download,
        Collect,
    }

    /// <summary>Kills that came in the middle of an import, of a download, of a collection.</summary>
    public (int Import, int Download, int Collect) Hits => (_hits[WorkKind.Import], _hits[WorkKind.Download], _hits[WorkKind.Collect]);

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"seed {seed}: {_kills} kills, in the middle of {Hits.Import} imports, {Hits.Download} downloads and {Hits.Collect} collections; "
        + $"{_ledger.Downloads.Lost} of {_ledger.Downloads.Acknowledged} acknowledged bytes of downloads lost; {_ledger.Resumed} downloads "
        + $"resumed, of one at most {_ledger.WorstAgainThousandths:0.00} thousandths fetched again; {_ledger.Orphans} files without a blob removed");

    /// <summary>Kills so many times.</summary>
    public async Task RunAsync(int kills)
    {
        Directory.CreateDirectory(Path.Combine(folder, "files"));
        foreach (TestBlob blob in _imports)
            await File.WriteAllBytesAsync(FileOf(blob), blob.Content);
        foreach (TestBlob blob in _downloads)
            (await _theirs.AddBytesAsync(blob.Content)).Dispose();
        foreach (TestBlob blob in (TestBlob[])[.. _imports, .. _downloads])
            _ledger.Expect(blob.Hash, blob.Content);
        _provider = new BlobProvider(_theirs);
        _server = new SocketProvider(_provider);
        for (; _kills < kills; _kills++)
        {
            string what = $"seed {seed}, kill {_kills}";
            await WorkUntilKilledAsync((WorkKind)(_kills % 3));
            await LookAsync(what);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_child is not null)
            await _child.DisposeAsync();
        if (_server is not null)
            await _server.DisposeAsync();
        _provider?.Dispose();
        await _theirs.DisposeAsync();
    }

    private async Task WorkUntilKilledAsync(WorkKind aim)
    {
        bool flushes = _random.Next(2) == 0;
        long checkpoint = _random.Next(2) == 0 ? 1 << 20 : 64 << 20;
        string settings = string.Create(CultureInfo.InvariantCulture, $"{Path.Combine(folder, "store")}|{flushes}|{checkpoint}|{_server!.Port}");
        _child = await KilledChild.StartAsync(method, variable, settings);
        Assert.Equal(_child.Id, Assert.Throws<BlobStoreInUseException>(() => DiskBlobStore.Open(Path.Combine(folder, "store"))).ProcessId);
        await StockAsync();
        for (int tries = 1; ; tries++)
        {
            // Half of the kills come while something else goes on, too.
            if (_running.Count == 0 && _random.Next(2) == 0)
                await BeginAsync((WorkKind)(((int)aim + 1 + _random.Next(2)) % 3));
            if (aim == WorkKind.Collect)
                await LitterAsync();
            TimeSpan moment = _durations[aim] * _random.NextDouble();
            Ordered target = await BeginAsync(aim);
            await WaitAsync(target.Work, moment);
            bool hits = !target.Work.Done.IsCompleted;
            if (!hits && tries < TriesMax)
            {
                await EndAsync(target);
                continue;
            }

            await _child.KillAsync();
            _hits[aim] += target.Work.Done.IsCompletedSuccessfully ? 0 : 1;
            break;
        }

        foreach (Ordered order in _running)
            Settle(order);
        _running.Clear();
        await _child.DisposeAsync();
        _child = null;
    }

    // What there is to keep and to collect; the process has done each kind of work once when the kill comes near.
    private async Task StockAsync()
    {
        var stock = new List<Ordered>();
        for (int i = _random.Next(3, 7); i > 0; i--)
            stock.Add(await BeginAsync(WorkKind.Import));
        stock.Add(await BeginSequenceAsync());
        foreach (Ordered order in stock)
            await EndAsync(order);
        if (_random.Next(3) == 0)
            await EndAsync(await BeginAsync(WorkKind.Download));
        await EndAsync(await BeginAsync(WorkKind.Collect));
    }

    // Blobs of each kind that nothing keeps, so that there is something to collect.
    private async Task LitterAsync()
    {
        var litter = new List<Ordered>();
        foreach (TestBlob blob in _imports)
            litter.Add(await BeginImportAsync(blob, tagged: false));
        foreach (Ordered order in litter)
            await EndAsync(order);
    }

    private Task<Ordered> BeginAsync(WorkKind kind) => kind switch
    {
        WorkKind.Import => BeginImportAsync(_imports[_random.Next(_imports.Length)], tagged: _random.Next(2) == 0),
        WorkKind.Download => BeginDownloadAsync(),
        _ => BeginCollectAsync([.. _ledger.Names.Order(StringComparer.Ordinal).Where(_ => _random.Next(3) == 0)]),
    };

    private Task<Ordered> BeginImportAsync(TestBlob blob, bool tagged)
    {
        string mode = new[] { "bytes", "stream", "copy", "reference" }[_random.Next(4)];
        string name = tagged ? NewName("import") : "-";
        int number = Array.IndexOf(_imports, blob) + 100;
        return OrderAsync(
            WorkKind.Import, $"import {number} {blob.Content.Length} {mode} {FileOf(blob)} {name}", null,
            () => _ledger.Tagged(name, HashAndFormat.Raw(blob.Hash), isWhole: true), hasTag: tagged);
    }

    private Task<Ordered> BeginSequenceAsync()
    {
        int[] children = [.. Enumerable.Range(0, _imports.Length).Where(_ => _random.Next(2) == 0)];
        byte[] sequence = KillLedger.SequenceOf(children.Select(child => _imports[child].Hash));
        if (sequence.Length == 0)
            return BeginSequenceAsync();
        var root = new HashAndFormat(BlobHash.Of(sequence), BlobFormat.HashSequence);
        _ledger.Expect(root.Hash, sequence);
        string name = NewName("sequence");
        string list = string.Join(',', children.Select(child => $"{100 + child}:{_imports[child].Content.Length}"));
        return OrderAsync(WorkKind.Import, $"sequence {name} {list}", null, () => _ledger.Tagged(name, root, isWhole: true), hasTag: true);
    }

    private async Task<Ordered> BeginDownloadAsync()
    {
        // One that is here as a whole is taken away first, so that there is something to download.
        TestBlob[] missing = [.. _downloads.Where(blob => !_ledger.IsWhole(blob.Hash) && _running.All(order => order.Blob != blob.Hash))];
        if (missing.Length == 0)
        {
            await EndAsync(await BeginCollectAsync([.. _ledger.Names.Where(static name => name.StartsWith("download", StringComparison.Ordinal))]));
            missing = [.. _downloads.Where(blob => _running.All(order => order.Blob != blob.Hash))];
        }

        TestBlob chosen = missing.FirstOrDefault(blob => _ledger.IsUnderWay(blob.Hash) && _random.Next(2) == 0) ?? missing[_random.Next(missing.Length)];
        string name = NewName("download");
        Ordered order = await OrderAsync(
            WorkKind.Download, $"download {chosen.Hash} {name}", chosen.Hash,
            () => _ledger.Tagged(name, HashAndFormat.Raw(chosen.Hash), isWhole: true), hasTag: true);

        // It was tagged before it was said to begin.
        _ledger.Tagged(name, HashAndFormat.Raw(chosen.Hash), isWhole: false);
        _ledger.Stored(chosen.Hash, 0);
        return order;
    }

    private Task<Ordered> BeginCollectAsync(string[] names)
    {
        // What is doomed may be gone whenever the kill comes. What is being downloaded or added keeps its name.
        names = [.. names.Where(name => _running.All(order => !order.Work.Order.Contains(name, StringComparison.Ordinal)))];
        foreach (string name in names)
            _ledger.Doom(name);
        return OrderAsync(WorkKind.Collect, $"collect {string.Join(',', names)}", null, static () => { }, hasTag: false);
    }

    private async Task<Ordered> OrderAsync(WorkKind kind, string order, BlobHash? blob, Action onDone, bool hasTag)
    {
        var ordered = new Ordered(kind, await _child!.BeginAsync(order), blob, hasTag ? onDone : static () => { });
        _running.Add(ordered);
        return ordered;
    }

    private async Task EndAsync(Ordered order)
    {
        await _child!.EndAsync(order.Work);
        _running.Remove(order);
        Settle(order);
        _durations[order.Kind] = (_durations[order.Kind] * 0.7) + (order.Work.Duration * 0.3);
    }

    private void Settle(Ordered order)
    {
        if (order.Blob is { } hash)
            _ledger.Stored(hash, order.Work.Stored);
        if (order.Work.Done.IsFaulted)
            order.Work.Done.GetAwaiter().GetResult();
        if (order.Work.Done.IsCompletedSuccessfully)
            order.OnDone();
    }

    private async Task LookAsync(string what)
    {
        var clock = Stopwatch.StartNew();
        await using DiskBlobStore store = DiskBlobStore.Open(Path.Combine(folder, "store"), new BlobStoreOptions { FlushesToDisk = false });
        TestContext.Current.SendDiagnosticMessage($"{what}: opened in {clock.ElapsedMilliseconds} ms, {store.List().Count} blobs");
        _ledger.CountLosses(store, what);
        await _ledger.VerifyAsync(store, what);
        bool begins = _kills % KillsPerContent == KillsPerContent - 1;
        foreach (TestBlob blob in _downloads.Where(blob => _ledger.IsUnderWay(blob.Hash)))
        {
            // Else the next process goes on with it, and may be killed again.
            if (begins || _random.Next(2) == 0)
                await _ledger.ResumeAsync(store, blob.Hash, _provider!, what);
        }

        if (begins)
            await ClearAsync(store, what);
    }

    private async Task ClearAsync(DiskBlobStore store, string what)
    {
        foreach (BlobTag tag in store.ListTags())
        {
            store.DeleteTag(tag.Name);
            _ledger.Doom(tag.Name);
        }

        await store.CollectGarbageAsync();
        Assert.Empty(store.List());
        Assert.Equal(0, store.UsedBytes);
        string[] left = [.. new[] { "data", "partial", "temp" }.SelectMany(
            name => Directory.EnumerateFiles(Path.Combine(store.Root, name), "*", SearchOption.AllDirectories))];
        Assert.True(left.Length == 0, $"{what}: {string.Join(", ", left)} are left");
    }

    // A timer is late by a millisecond, in which much happens here.
    private static async Task WaitAsync(KilledWork work, TimeSpan moment)
    {
        TimeSpan rest = moment - Stopwatch.GetElapsedTime(work.BegunAt) - TimeSpan.FromMilliseconds(1.5);
        if (rest > TimeSpan.Zero)
            await Task.WhenAny(work.Done, Task.Delay(rest));
        while (Stopwatch.GetElapsedTime(work.BegunAt) < moment && !work.Done.IsCompleted)
            Thread.SpinWait(50);
    }

    private string NewName(string kind) => string.Create(CultureInfo.InvariantCulture, $"{kind}-{++_names:00000}");

    private string FileOf(TestBlob blob) => Path.Combine(folder, "files", $"{blob.Content.Length}");

    private sealed record Ordered(WorkKind Kind, KilledWork Work, BlobHash? Blob, Action OnDone);
}
