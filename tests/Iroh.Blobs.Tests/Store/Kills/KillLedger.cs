using Blixard.Testing.Basics;
using Iroh.Blobs.Provider;
using Iroh.Blobs.Store;
using Iroh.Blobs.Tests.Transfer;
using Iroh.Blobs.Transfer;

namespace Iroh.Blobs.Tests.Store.Kills;

/// <summary>What a process that is killed again and again has acknowledged, and what must be true of its store afterwards.</summary>
internal sealed class KillLedger
{
    private readonly Dictionary<BlobHash, byte[]> _truth = [];
    private readonly Dictionary<string, HashAndFormat> _tags = [];
    private readonly HashSet<string> _whole = [];
    private readonly Dictionary<BlobHash, long> _stored = [];

    /// <summary>Bytes of downloads that were acknowledged when a kill came; of those, bytes that were not there afterwards.</summary>
    public (long Acknowledged, long Lost) Downloads { get; private set; }

    /// <summary>The largest part of a blob that was fetched again, in thousandths.</summary>
    public double WorstAgainThousandths { get; private set; }

    /// <summary>Downloads that were resumed and counted.</summary>
    public int Resumed { get; private set; }

    /// <summary>Files that belonged to nothing.</summary>
    public int Orphans { get; private set; }

    /// <summary>The names of tags that were acknowledged.</summary>
    public IReadOnlyCollection<string> Names => _tags.Keys;

    /// <summary>A hash sequence as it is stored.</summary>
    public static byte[] SequenceOf(IEnumerable<BlobHash> children) => [.. children.SelectMany(static child => child.ToArray())];

    /// <summary>The store may have this content from now on; whatever else it has is wrong.</summary>
    public void Expect(BlobHash hash, byte[] content) => _truth[hash] = content;

    /// <summary>A tag is there, and keeps all of its content if that is said to be whole.</summary>
    public void Tagged(string name, HashAndFormat content, bool isWhole)
    {
        _tags[name] = content;
        if (isWhole)
            _whole.Add(name);
    }

    /// <summary>The tag, and with it its content, may go from now on.</summary>
    public void Doom(string name)
    {
        _whole.Remove(name);
        if (_tags.Remove(name, out HashAndFormat content) && !_tags.Values.Any(other => other.Hash == content.Hash))
            _stored.Remove(content.Hash);
    }

    /// <summary>So much of a download was acknowledged.</summary>
    public void Stored(BlobHash hash, long bytes) => _stored[hash] = Math.Max(bytes, _stored.GetValueOrDefault(hash));

    /// <summary>Whether some of a blob was acknowledged, and all of it not.</summary>
    public bool IsUnderWay(BlobHash hash) => _stored.ContainsKey(hash) && !IsWhole(hash);

    /// <summary>Whether all of a blob was acknowledged.</summary>
    public bool IsWhole(BlobHash hash) => _whole.Any(name => _tags[name].Hash == hash);

    /// <summary>Nothing that is here is wrong, and nothing acknowledged is missing.</summary>
    public async Task VerifyAsync(DiskBlobStore store, string what)
    {
        CheckReport report = await store.CheckAsync(repair: false);
        CheckFinding[] damages = [.. report.Findings.Where(static finding => finding.Problem != StoreProblem.OrphanFile)];
        Assert.True(damages.Length == 0, $"{what}: {string.Join("; ", damages.AsEnumerable())}");
        Orphans += report.Findings.Count;
        if (report.Findings.Count > 0)
        {
            Assert.True((await store.CheckAsync(repair: true)).IsSound, what);
            Assert.Empty((await store.CheckAsync(repair: false)).Findings);
        }

        foreach (BlobEntry blob in store.List())
            await VerifyContentAsync(store, blob, what);
        foreach ((string name, HashAndFormat content) in _tags)
        {
            Assert.True(store.TryGetTag(name)?.Content == content, $"{what}: tag {name} is {store.TryGetTag(name)?.Content.ToString() ?? "gone"}");
            if (!_whole.Contains(name))
                continue;
            Assert.True(store.GetStatus(content.Hash).IsComplete, $"{what}: {name} is {store.GetStatus(content.Hash)}");
            if (content.Format == BlobFormat.HashSequence)
                Assert.All(_truth[content.Hash].Chunk(BlobHash.Length), child => Assert.True(store.GetStatus(new BlobHash(child)).IsComplete, $"{what}: a child of {name}"));
        }
    }

    /// <summary>What was acknowledged of a download is not fetched again, or one part in a hundred.</summary>
    /// <param name="store">Opened after the kill.</param>
    /// <param name="hash">A download that was under way.</param>
    /// <param name="provider">Has the blob.</param>
    /// <param name="what">For the message.</param>
    public async Task ResumeAsync(DiskBlobStore store, BlobHash hash, BlobProvider provider, string what)
    {
        byte[] truth = _truth[hash];
        long acknowledged = _stored[hash];
        using var source = new LocalSource("parent", provider);
        await new BlobGetter(store).GetAsync(source, HashAndFormat.Raw(hash), null, Patience.Token);
        long again = source.BytesSent - (truth.Length - acknowledged);
        WorstAgainThousandths = Math.Max(WorstAgainThousandths, again * 1000.0 / truth.Length);
        Resumed++;
        Assert.True(
            again <= truth.Length / 100,
            $"{what}: {acknowledged} of {truth.Length} bytes were acknowledged, and {source.BytesSent} were fetched to complete them");
        Assert.True(store.GetStatus(hash).IsComplete, what);
        await VerifyContentAsync(store, new BlobEntry(hash, store.GetStatus(hash)), what);
    }

    /// <summary>Counts how much of what was acknowledged is there after a kill.</summary>
    public void CountLosses(DiskBlobStore store, string what)
    {
        foreach ((BlobHash hash, long acknowledged) in _stored)
        {
            long lost = Math.Max(0, acknowledged - store.GetStatus(hash).PresentBytes);
            Downloads = (Downloads.Acknowledged + acknowledged, Downloads.Lost + lost);
            Assert.True(lost <= _truth[hash].Length / 100, $"{what}: {lost} of {acknowledged} acknowledged bytes of {hash} are gone");
        }
    }

    private async Task VerifyContentAsync(DiskBlobStore store, BlobEntry blob, string what)
    {
        Assert.True(_truth.TryGetValue(blob.Hash, out byte[]? truth), $"{what}: nobody stored {blob.Hash}");
        using IBlobContent content = store.TryOpen(blob.Hash) ?? throw new InvalidOperationException($"{what}: {blob.Hash} cannot be opened");
        byte[] buffer = new byte[256 * 1024];
        for (long offset = 0; offset < truth.Length;)
        {
            int read = await content.ReadGroupsAsync(offset, buffer);
            Assert.True(buffer.AsSpan(0, read).SequenceEqual(truth.AsSpan((int)offset, read)), $"{what}: {blob.Hash} is wrong at {offset}");
            Assert.True(read > 0 || !blob.Status.IsComplete, $"{what}: {blob.Hash} ends at {offset}");
            offset += read > 0 ? read : 16 * 1024;
        }

        // What virtual machines read by themselves.
        if (store.TryGetPath(blob.Hash) is { } path)
            Assert.True((await File.ReadAllBytesAsync(path)).AsSpan().SequenceEqual(truth), $"{what}: {path} is wrong");
        else
            Assert.False(blob.Status.IsComplete && truth.Length > BlobStoreOptions.InlineBytesMax, $"{what}: {blob.Hash} has no file");
    }
}
