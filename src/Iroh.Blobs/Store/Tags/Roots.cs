namespace Iroh.Blobs.Store.Tags;

/// <summary>What keeps content: tags by name, and holds of this process by number. Not thread-safe.</summary>
internal sealed class Roots
{
    private readonly SortedDictionary<string, HashAndFormat> _tags = new(StringComparer.Ordinal);
    private readonly Dictionary<BlobHash, Counts> _counts = [];

    /// <summary>Grows whenever a hash sequence is kept that was not, so that its children may be kept now, too.</summary>
    public long SequencesVersion { get; private set; }

    /// <summary>The hash sequences that are kept with their children.</summary>
    public IReadOnlyList<BlobHash> Sequences => [.. _counts.Where(static item => item.Value.Sequences > 0).Select(static item => item.Key).Order()];

    /// <summary>Whether the blob itself is kept.</summary>
    public bool Keeps(BlobHash hash) => _counts.ContainsKey(hash);

    /// <summary>To be called when a blob is complete: if it is a hash sequence, its children are known now.</summary>
    public void NoteComplete(BlobHash hash)
    {
        if (_counts.TryGetValue(hash, out Counts counts) && counts.Sequences > 0)
            SequencesVersion++;
    }

    public void Hold(HashAndFormat content) => Count(content, 1);

    public void LetGo(HashAndFormat content) => Count(content, -1);

    public HashAndFormat? TryGet(string name) => _tags.TryGetValue(name, out HashAndFormat content) ? content : null;

    public void Set(string name, HashAndFormat? content)
    {
        if (_tags.Remove(name, out HashAndFormat before))
            Count(before, -1);
        if (content is { } now)
        {
            _tags.Add(name, now);
            Count(now, 1);
        }
    }

    public IReadOnlyList<BlobTag> List(string prefix) =>
        [.. _tags.Where(tag => tag.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(static tag => new BlobTag(tag.Key, tag.Value))];

    private void Count(HashAndFormat content, int change)
    {
        Counts counts = _counts.GetValueOrDefault(content.Hash);
        counts = content.Format == BlobFormat.HashSequence
            ? counts with { Sequences = counts.Sequences + change }
            : counts with { Blobs = counts.Blobs + change };
        if (counts == default)
            _counts.Remove(content.Hash);
        else
            _counts[content.Hash] = counts;
        if (change > 0 && content.Format == BlobFormat.HashSequence)
            SequencesVersion++;
    }

    private readonly record struct Counts(int Blobs, int Sequences);
}
