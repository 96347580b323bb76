using Iroh.Blobs.Bao;
using Iroh.Blobs.Store;

namespace Iroh.Blobs.Tests.Store;

/// <summary>Random operations on a store beside a model of it: which groups of which blob are here, and what keeps them.</summary>
public sealed class RandomHistory(IBlobStore store, int seed)
{
    private readonly Random _random = new(seed);
    private readonly TestBlob[] _blobs = [.. new[] { 10, 16_384, 16_385, 80_000, 300_001, 655_360 }.Select((length, i) => new TestBlob(900 + i, length))];
    private readonly Dictionary<BlobHash, HashSet<int>> _present = [];
    private readonly Dictionary<string, HashAndFormat> _tags = [];
    private readonly List<TempTag> _holds = [];
    private readonly List<(IBlobWriter Writer, TestBlob Blob)> _writers = [];
    private readonly List<IBlobContent> _contents = [];
    private readonly List<string> _story = [];
    private IBlobStore _store = store;
    private BlobHash _sequence;
    private byte[] _sequenceContent = [];

    public async Task RunAsync(int steps, Func<Task<IBlobStore>>? reopen)
    {
        _sequenceContent = [.. _blobs[1].Hash.ToArray(), .. _blobs[3].Hash.ToArray()];
        _sequence = BlobHash.Of(_sequenceContent);
        for (int i = 0; i < steps; i++)
        {
            await StepAsync(reopen);
            Compare();
        }

        await CloseAllAsync();
        foreach (TestBlob blob in _blobs)
        {
            if (_store.TryOpen(blob.Hash) is not { } content)
                continue;
            using (content)
                foreach (int group in _present[blob.Hash])
                {
                    var buffer = new byte[BaoTree.GroupLength];
                    int read = await content.ReadGroupsAsync(group * BaoTree.GroupLength, buffer);
                    Assert.True(blob.Content.AsSpan(group * BaoTree.GroupLength, read).SequenceEqual(buffer.AsSpan(0, read)), Story());
                }
        }

        CheckReport report = await _store.CheckAsync(repair: false);
        Assert.True(report.Findings.Count == 0, $"{Story()}: {string.Join("; ", report.Findings)}");
    }

    private async Task StepAsync(Func<Task<IBlobStore>>? reopen)
    {
        TestBlob blob = _blobs[_random.Next(_blobs.Length)];
        string name = $"tag{_random.Next(3)}";
        int choice = _random.Next(100);
        _story.Add($"{choice} {blob.Hash.ToShortString()} {name}");
        switch (choice)
        {
            case < 12:
                _holds.Add(await _store.AddBytesAsync(blob.Content));
                _present[blob.Hash] = [.. Enumerable.Range(0, blob.GroupCount)];
                break;
            case < 16:
                _holds.Add(await _store.AddBytesAsync(_sequenceContent, BlobFormat.HashSequence));
                _present[_sequence] = [0];
                break;
            case < 30 when _holds.Count > 0:
                int index = _random.Next(_holds.Count);
                _holds[index].Dispose();
                _holds.RemoveAt(index);
                break;
            case < 36:
                _tags[name] = _random.Next(3) == 0 ? HashAndFormat.HashSequence(_sequence) : HashAndFormat.Raw(blob.Hash);
                _store.SetTag(name, _tags[name]);
                break;
            case < 42:
                Assert.True(_tags.Remove(name) == _store.DeleteTag(name), Story());
                break;
            case < 50 when _writers.Count < 4:
                _writers.Add((_store.OpenWriter(blob.Hash), blob));
                break;
            case < 72 when _writers.Count > 0:
                await WriteAsync();
                break;
            case < 77 when _writers.Count > 0:
                (IBlobWriter Writer, TestBlob Blob) ended = _writers[_random.Next(_writers.Count)];
                _writers.Remove(ended);
                await ended.Writer.DisposeAsync();
                break;
            case < 82:
                if (_store.TryOpen(blob.Hash) is { } content)
                    _contents.Add(content);
                break;
            case < 86 when _contents.Count > 0:
                _contents[0].Dispose();
                _contents.RemoveAt(0);
                break;
            case < 91:
                bool isHere = _present.ContainsKey(blob.Hash), isKept = Kept().Contains(blob.Hash);
                Assert.True(_store.Delete(blob.Hash) == (isHere && !isKept), Story());
                if (!isKept)
                    _present.Remove(blob.Hash);
                break;
            case < 97:
                await _store.CollectGarbageAsync();
                HashSet<BlobHash> kept = Kept();
                foreach (BlobHash hash in _present.Keys.Where(hash => !kept.Contains(hash)).ToArray())
                    _present.Remove(hash);
                break;
            case < 100 when reopen is not null:
                await CloseAllAsync();
                _store = await reopen();
                break;
        }
    }

    private async Task WriteAsync()
    {
        (IBlobWriter writer, TestBlob blob) = _writers[_random.Next(_writers.Count)];
        int first = _random.Next(blob.GroupCount), count = Math.Min(_random.Next(1, 12), blob.GroupCount - first);
        await blob.WriteGroupsAsync(writer, first, count);
        if (!_present.TryGetValue(blob.Hash, out HashSet<int>? groups))
            _present.Add(blob.Hash, groups = []);
        groups.UnionWith(Enumerable.Range(first, count));
    }

    private HashSet<BlobHash> Kept()
    {
        HashAndFormat[] roots = [.. _tags.Values, .. _holds.Select(hold => hold.Content)];
        HashSet<BlobHash> kept = [.. roots.Select(root => root.Hash), .. _writers.Select(writer => writer.Blob.Hash), .. _contents.Select(content => content.Hash)];
        if (roots.Contains(HashAndFormat.HashSequence(_sequence)) && _present.ContainsKey(_sequence))
            kept.UnionWith([_blobs[1].Hash, _blobs[3].Hash]);
        return kept;
    }

    private async Task CloseAllAsync()
    {
        foreach ((IBlobWriter writer, _) in _writers)
            await writer.DisposeAsync();
        foreach (IDisposable open in (IDisposable[])[.. _holds, .. _contents])
            open.Dispose();
        _writers.Clear();
        _holds.Clear();
        _contents.Clear();
    }

    private void Compare()
    {
        foreach (TestBlob blob in _blobs)
        {
            long bytes = _present.TryGetValue(blob.Hash, out HashSet<int>? groups)
                ? groups.Sum(group => BaoTree.GroupLengthAt((ulong)blob.Content.Length, group * BaoTree.GroupLength))
                : 0;
            BlobStatus status = _store.GetStatus(blob.Hash);
            Assert.True(status.PresentBytes == bytes && status.IsComplete == (groups?.Count == blob.GroupCount), $"{Story()}: {status} but {bytes}");
        }

        Assert.True(_store.ListTags().SequenceEqual(_tags.OrderBy(tag => tag.Key, StringComparer.Ordinal).Select(tag => new BlobTag(tag.Key, tag.Value))), Story());
        Assert.True(_store.GetStatus(_sequence).IsComplete == _present.ContainsKey(_sequence), Story());
    }

    private string Story() => $"seed {seed}: {string.Join(", ", _story.TakeLast(12))}";
}
