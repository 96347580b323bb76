using System.Diagnostics;
using System.Text;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Gossip.Network;
using Iroh.Lookup;

namespace Iroh.Docs.Live;

/// <summary>
/// Replicas of one document over real endpoints that write, come and go as a seed says. Every second one keeps what it has on disk and can be
/// restarted; every third one fetches only contents whose keys begin with <see cref="WantedPrefix"/>.
/// </summary>
internal sealed class LiveSwarm : IAsyncDisposable
{
    public const string WantedPrefix = "wanted/";

    // Few, so that authors meet at the same keys and deletions hit something.
    private const int KeyCount = 40;

    private readonly ulong _seed;
    private readonly TimeSpan _patience;
    private readonly LiveNodeOptions _options;
    private readonly SeededRandomSource _random;
    private readonly string _directory = Directory.CreateTempSubdirectory("live-").FullName;
    private readonly LoopbackCuts _cuts = new();
    private readonly List<LiveNode> _live = [];
    private readonly List<Task> _stopping = [];
    private readonly Dictionary<EndpointId, List<SignedEntry>> _written = [];
    private int _started;
    private int _writes;

    /// <param name="seed">Of all choices.</param>
    /// <param name="patience">How long replicas may take to become equal.</param>
    /// <param name="options">Of all nodes, where this does not set them.</param>
    public LiveSwarm(ulong seed, TimeSpan patience, LiveNodeOptions options)
    {
        (_seed, _patience, _random) = (seed, patience, new SeededRandomSource(seed));
        _options = options with { Cuts = _cuts, Lookup = new MemoryLookup() };
    }

    public IReadOnlyList<LiveNode> Live => _live;

    public int Pick(int exclusiveMax) => (int)_random.NextBelow((ulong)exclusiveMax);

    public LiveNode PickLive() => _live[Pick(_live.Count)];

    /// <summary>The first makes the document; each other joins it by the ticket of one that is there.</summary>
    public Task JoinAsync() => JoinAsync(_live.Count == 0 ? null : PickLive());

    /// <summary>A new replica joins by somebody's ticket, and has so many neighbors, or all, when this returns: the one that it joins by may be gone soon.</summary>
    public async Task JoinAsync(LiveNode? by, int neighbors = 2)
    {
        int number = _started++;
        LiveNode node = await LiveNode.StartAsync(
            _options with { Key = SecretKey.Generate(), Directory = number % 2 == 0 ? null : Path.Combine(_directory, number.ToString()) }, by?.Share());
        if (number % 3 == 2)
            node.Document.DownloadPolicy = DownloadPolicy.NothingExcept(KeyFilter.Prefix(Encoding.UTF8.GetBytes(WantedPrefix)));
        _live.Add(node);
        _written.Add(node.Id, []);
        if (by is not null)
            await UntilAsync(() => node.Neighbors.Count >= Math.Min(neighbors, _live.Count - 1), () => $"{Name(node)} did not join by way of {Name(by)}");
    }

    public async Task GrowAsync(int count)
    {
        while (_live.Count < count)
            await JoinAsync();
    }

    /// <summary>Some replicas write at once: a text to a key that others may write, too, or, now and then, a deletion.</summary>
    public Task WriteAsync(int writers) => Task.WhenAll(Enumerable.Range(0, writers).Select(_ => WriteAsync(PickLive())));

    public async Task WriteAsync(LiveNode node)
    {
        List<SignedEntry> written = _written[node.Id];
        string key = $"{(Pick(2) == 0 ? WantedPrefix : "")}{Pick(KeyCount)}";
        string text = $"{_writes++} of {node.Id}";
        if (Pick(10) == 0)
            node.Document.Delete(node.Docs.DefaultAuthor, Encoding.UTF8.GetBytes(key));
        SignedEntry entry = await node.WriteAsync(key, text);
        lock (written)
            written.Add(entry);
    }

    /// <summary>A replica goes silently, as by a power failure, and stays away, with what it alone has.</summary>
    public void Kill(LiveNode node) => Kill(node, node.VanishAsync());

    /// <summary>A replica goes without a farewell, but the others' connections end, and stays away, with what it alone has.</summary>
    public void Crash(LiveNode node) => Kill(node, node.CrashAsync());

    /// <summary>
    /// A replica with a disk goes, with or without a word, and comes back as the one that it was, with the ticket of one that is there: those that it
    /// knew may all be gone.
    /// </summary>
    public async Task RestartAsync(LiveNode node, bool silently)
    {
        _live.Remove(node);
        await (silently ? node.VanishAsync() : node.DisposeAsync().AsTask());
        _live.Add(await LiveNode.StartAsync(node.Options, PickLive().Share()));
    }

    /// <summary>One that can be restarted.</summary>
    public LiveNode PickRestartable()
    {
        LiveNode[] onDisk = [.. _live.Where(node => node.Options.Directory is not null)];
        return onDisk[Pick(onDisk.Length)];
    }

    /// <summary>Nothing gets from these to the others, nor back.</summary>
    public void Cut(IEnumerable<LiveNode> nodes) => _cuts.Cut(nodes.Select(node => node.Id.ToString()));

    public void Heal() => _cuts.Heal();

    /// <summary>Waits until all have the same entries, and every content that their policies want and anybody has.</summary>
    public Task UntilEqualAsync() => UntilEqualAsync(_live);

    /// <summary>Waits for some replicas.</summary>
    public async Task UntilEqualAsync(IReadOnlyList<LiveNode> nodes)
    {
        await UntilAsync(() => nodes.Select(node => node.Summary).Distinct().Count() == 1, () => DescribeEntries(nodes));
        await UntilAsync(() => nodes.All(node => Missing(node, nodes).Count == 0), () => DescribeContents(nodes));
        foreach (LiveNode node in nodes)
        {
            SignedEntry[] lost = [.. _written[node.Id].Where(entry => !nodes[0].IsCovered(entry))];
            Assert.True(lost.Length == 0, $"seed {_seed}: {Name(node)} wrote {Describe(lost)}, and nobody has it");
        }
    }

    public async ValueTask DisposeAsync()
    {
        _stopping.AddRange(_live.Select(node => node.DisposeAsync().AsTask()));
        await Task.WhenAll(_stopping).WaitAsync(_patience);
        Directory.Delete(_directory, recursive: true);
    }

    private void Kill(LiveNode node, Task stopped)
    {
        _live.Remove(node);
        _written.Remove(node.Id);
        _stopping.Add(stopped);
    }

    private static List<SignedEntry> Missing(LiveNode node, IReadOnlyList<LiveNode> nodes)
    {
        DownloadPolicy policy = node.Document.DownloadPolicy;
        return [.. node.Entries().Where(entry => !entry.IsEmpty && policy.Wants(entry.Key.Key.Span) && !node.Has(entry.ContentHash) && nodes.Any(other => other.Has(entry.ContentHash)))];
    }

    private async Task UntilAsync(Func<bool> condition, Func<string> problem)
    {
        var waited = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(waited.Elapsed < _patience, $"seed {_seed}, after {_patience}: {problem()}");
            await Task.Delay(50);
        }
    }

    private string DescribeEntries(IReadOnlyList<LiveNode> nodes)
    {
        Dictionary<(RecordKey, EntryTimestamp), SignedEntry> all = [];
        foreach (SignedEntry entry in nodes.SelectMany(node => node.Entries()))
            all[(entry.Key, entry.Record.Timestamp)] = entry;
        SignedEntry[] newest = [.. all.Values.Where(entry => nodes.Any(node => node.IsCovered(entry)))];
        return string.Join("; ", nodes.Select(node => (Node: node, Lacks: newest.Where(entry => !node.IsCovered(entry)).ToArray())).Where(found => found.Lacks.Length > 0)
            .Select(found => $"{Name(found.Node)} with {found.Node.Summary.Count} entries lacks {Describe(found.Lacks)}"));
    }

    private string DescribeContents(IReadOnlyList<LiveNode> nodes) => string.Join("; ", nodes.Select(node => (Node: node, Lacks: Missing(node, nodes))).Where(found => found.Lacks.Count > 0)
        .Select(found => $"{Name(found.Node)} lacks the contents of {Describe(found.Lacks)}, which has, among others, {Name(nodes.First(other => other.Has(found.Lacks[0].ContentHash)))}"));

    private string Name(LiveNode node) =>
        $"{node.Id.ToShortString()} ({(node.Options.Directory is null ? "memory" : "disk")}, neighbors {string.Join(' ', node.Neighbors.Select(neighbor => neighbor.ToShortString() + (_live.Exists(other => other.Id == neighbor) ? "" : " that is gone")))})";

    private static string Describe(IEnumerable<SignedEntry> entries) =>
        string.Join(' ', entries.Take(5).Select(entry => $"'{Encoding.UTF8.GetString(entry.Key.Key.Span)}' by {entry.Key.Author.ToShortString()}")) + (entries.Count() > 5 ? $" and {entries.Count() - 5} more" : "");
}
