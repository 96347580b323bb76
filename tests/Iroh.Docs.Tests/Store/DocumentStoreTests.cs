using System.Text;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Blobs;
using Iroh.Cryptography;
using Iroh.Docs.Reconciliation;

namespace Iroh.Docs.Store;

/// <summary>What every document store does.</summary>
public abstract class DocumentStoreTests : IDisposable
{
    private static readonly NamespaceSecret s_document = NamespaceSecret.Generate(new SeededRandomSource(1));
    private static readonly Author[] s_authors = [.. Enumerable.Range(0, 3).Select(i => Author.Generate(new SeededRandomSource((ulong)(10 + i)))).OrderBy(author => author.Id)];

    private IDocumentStore? _store;

    /// <summary>The store of the test.</summary>
    protected IDocumentStore Store => _store ??= Open();

    [Fact]
    public void A_right_to_write_is_added_and_never_taken_away()
    {
        Assert.Equal(DocumentImport.Added, Store.Import(DocumentCapability.Read(s_document.Id)));
        Assert.False(Store.TryGetCapability(s_document.Id)!.CanWrite);
        Assert.Equal(DocumentImport.Unchanged, Store.Import(DocumentCapability.Read(s_document.Id)));
        Assert.Equal(DocumentImport.Upgraded, Store.Import(DocumentCapability.Write(s_document)));
        Assert.Equal(DocumentImport.Unchanged, Store.Import(DocumentCapability.Read(s_document.Id)));
        Reopen();
        DocumentCapability kept = Assert.Single(Store.ListDocuments());
        Assert.Equal(s_document.ExportText(), kept.Secret!.ExportText());
    }

    [Fact]
    public void Authors_are_kept_and_one_of_them_is_the_default()
    {
        Assert.Null(Store.DefaultAuthor);
        Assert.Throws<InvalidOperationException>(() => Store.SetDefaultAuthor(s_authors[0].Id));
        foreach (Author author in s_authors)
            Store.ImportAuthor(author);
        Store.SetDefaultAuthor(s_authors[0].Id);
        Store.SetDefaultAuthor(s_authors[1].Id);
        Assert.Throws<InvalidOperationException>(() => Store.DeleteAuthor(s_authors[1].Id));
        Assert.True(Store.DeleteAuthor(s_authors[2].Id));
        Assert.False(Store.DeleteAuthor(s_authors[2].Id));
        Reopen();
        Assert.Equal(s_authors[1].Id, Store.DefaultAuthor);
        Assert.Equal([s_authors[0].Id, s_authors[1].Id], Store.ListAuthors());
        Assert.Equal(s_authors[0].ExportText(), Store.TryGetAuthor(s_authors[0].Id)!.ExportText());
        Assert.Null(Store.TryGetAuthor(s_authors[2].Id));
    }

    [Fact]
    public void An_entry_removes_the_older_ones_under_its_key_and_gives_way_to_newer_ones()
    {
        Import();
        Assert.Equal([new(true, 0), new(true, 0), new(true, 0)], Put(Entry(0, "a", 10), Entry(0, "a/b", 20), Entry(1, "a/b", 5)));
        Assert.Equal(new EntryInsert(false, 0), Put(Entry(0, "a", 9))[0]);
        Assert.Equal(new EntryInsert(false, 0), Put(Entry(0, "a/c", 9))[0]);
        Assert.Equal(new EntryInsert(true, 1), Put(Entry(0, "a", 15))[0]);
        Assert.Equal(["a@15", "a/b@20"], Texts(0));
        Assert.Equal(new EntryInsert(true, 2), Put(Entry(0, "", 30, content: ""))[0]);
        Assert.Equal(["@30"], Texts(0));
        Assert.Equal(["a/b@5"], Texts(1));
        // A deletion stays deleted: what is older does not come back.
        Assert.Equal(new EntryInsert(false, 0), Put(Entry(0, "a/b", 25))[0]);
        Assert.Equal(new EntryInsert(true, 0), Put(Entry(0, "a/b", 31))[0]);
        Assert.True(Store.Heads(s_document.Id).TryGet(s_authors[0].Id, out EntryTimestamp head));
        Assert.Equal(31UL, head.Microseconds);
    }

    [Fact]
    public void The_order_of_one_batch_counts()
    {
        Import();
        Assert.Equal([new(true, 0), new(true, 1), new(false, 0)], Put(Entry(0, "k", 1), Entry(0, "k", 2), Entry(0, "k", 1)));
        Assert.Equal(["k@2"], Texts(0));
    }

    [Fact]
    public void Entries_survive_reopening_bit_for_bit()
    {
        Import();
        byte[] key = [0, 255, 1];
        var record = new EntryRecord(ulong.MaxValue, BlobHash.Of("x"u8), new EntryTimestamp(ulong.MaxValue));
        var entry = SignedEntry.Sign(s_document, s_authors[0], key, record);
        Put(entry);
        Reopen();
        SignedEntry kept = Store.TryGet(s_document.Id, s_authors[0].Id, key)!;
        Assert.Equal(record, kept.Record);
        Assert.True(kept.Verify());
        Assert.True(Store.Heads(s_document.Id).TryGet(s_authors[0].Id, out EntryTimestamp head));
        Assert.Equal(ulong.MaxValue, head.Microseconds);
    }

    [Fact]
    public void What_needs_a_document_says_when_it_is_not_here()
    {
        Assert.Throws<DocumentMissingException>(() => Put(Entry(0, "k", 1)));
        Assert.Throws<DocumentMissingException>(() => Store.TryGet(s_document.Id, s_authors[0].Id, "k"u8));
        Assert.Throws<DocumentMissingException>(() => Store.Query(s_document.Id, DocumentQuery.All));
        Assert.Throws<DocumentMissingException>(() => Store.Entries(s_document.Id));
        Assert.Throws<DocumentMissingException>(() => Store.SetDownloadPolicy(s_document.Id, DownloadPolicy.Nothing));
        Assert.Throws<DocumentMissingException>(() => Store.AddUsefulPeer(s_document.Id, default));
        Import();
        var other = NamespaceSecret.Generate(new SeededRandomSource(99));
        Assert.Throws<ArgumentException>(() => Store.Insert(s_document.Id, [SignedEntry.Sign(other, s_authors[0], "k"u8, EntryRecord.Tombstone(default))]));
    }

    [Fact]
    public void Removing_a_document_takes_all_that_is_its()
    {
        Import();
        var other = NamespaceSecret.Generate(new SeededRandomSource(99));
        Store.Import(DocumentCapability.Write(other));
        Store.Insert(other.Id, [SignedEntry.Sign(other, s_authors[0], "k"u8, new EntryRecord(1, BlobHash.Of("o"u8), default))]);
        Put(Entry(0, "k", 1));
        Store.SetDownloadPolicy(s_document.Id, DownloadPolicy.Nothing);
        Store.AddUsefulPeer(s_document.Id, SecretKey.Generate().PublicKey);
        Assert.Equal(2, Store.ContentHashes().Count);

        Assert.True(Store.Remove(s_document.Id));
        Assert.False(Store.Remove(s_document.Id));
        Import();
        Assert.Null(Store.Entries(s_document.Id).FirstKey);
        Assert.True(Store.Heads(s_document.Id).IsEmpty);
        Assert.Equal(DownloadPolicy.Everything, Store.GetDownloadPolicy(s_document.Id));
        Assert.Empty(Store.UsefulPeers(s_document.Id));
        Assert.Equal([BlobHash.Of("o"u8)], Store.ContentHashes());
    }

    [Fact]
    public void Policies_and_the_last_five_useful_peers_are_kept()
    {
        Import();
        var policy = DownloadPolicy.NothingExcept(KeyFilter.Prefix("a/"u8), KeyFilter.Exact([0xff]));
        Store.SetDownloadPolicy(s_document.Id, policy);
        EndpointId[] peers = [.. Enumerable.Range(0, 7).Select(i => SecretKey.Generate(new SeededRandomSource((ulong)i)).PublicKey)];
        foreach (EndpointId peer in peers)
            Store.AddUsefulPeer(s_document.Id, peer);
        Store.AddUsefulPeer(s_document.Id, peers[3]);
        Reopen();
        Assert.Equal(policy, Store.GetDownloadPolicy(s_document.Id));
        Assert.Equal([peers[3], peers[6], peers[5], peers[4], peers[2]], Store.UsefulPeers(s_document.Id));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Queries_ranges_and_fingerprints_are_those_of_a_plain_list(int seed)
    {
        var random = new Random(seed);
        Import();
        // More than one page of a store that reads in pages; few different keys and authors, so that prefixes meet.
        SignedEntry[] all = [.. Enumerable.Range(0, 700).Select(_ => Entry(
            random.Next(3), RandomKey(random), (ulong)random.Next(50), random.Next(4) == 0 ? "" : "c" + random.Next(3)))];
        for (int i = 0; i < all.Length; i += 100)
            Put(all[i..(i + 100)]);
        SignedEntry[] model = [.. all.Where(entry => !all.Any(other => EntryRules.Covers(other, entry)
            && (other.Key != entry.Key || other.Record.CompareTo(entry.Record) > 0))).DistinctBy(entry => entry.Key).OrderBy(entry => entry.Key)];
        IEntrySet set = Store.Entries(s_document.Id);
        Assert.Equal(model.Length, set.Count);
        Assert.Equal(model.FirstOrDefault()?.Key, set.FirstKey);

        for (int i = 0; i < 60; i++)
        {
            var query = new DocumentQuery
            {
                Author = random.Next(2) == 0 ? s_authors[random.Next(3)].Id : null,
                Key = random.Next(3) switch { 0 => null, 1 => KeyFilter.Prefix(RandomKey(random)), _ => KeyFilter.Exact(RandomKey(random)) },
                Order = (QueryOrder)random.Next(2),
                Descending = random.Next(2) == 0,
                LatestPerKey = random.Next(2) == 0,
                IncludeEmpty = random.Next(2) == 0,
                Offset = random.Next(3),
                Limit = random.Next(2) == 0 ? random.Next(5) : null,
            };
            Assert.Equal(Answer(model, query).Select(entry => entry.Key), Store.Query(s_document.Id, query).Select(entry => entry.Key));

            var range = new RecordRange(Bound(random, model), Bound(random, model));
            SignedEntry[] inside = [.. model.Where(entry => range.Contains(entry.Key))];
            if (range.Wraps)
                inside = [.. inside.Where(entry => entry.Key < range.To), .. inside.Where(entry => entry.Key >= range.To)];
            Assert.Equal(inside.Select(entry => entry.Key), set.Entries(range).Select(entry => entry.Key));
            Assert.Equal(inside.Aggregate(RangeSummary.Empty, (summary, entry) => summary.With(entry.Fingerprint)), set.Summarize(range));
            Assert.Null(set.KeyAt(range, inside.Length));
            if (inside.Length > 0)
            {
                int position = random.Next(inside.Length);
                Assert.Equal(inside[position].Key, set.KeyAt(range, position));
            }
        }
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Many_threads_insert_at_once()
    {
        Import();
        SignedEntry[] entries = [.. Enumerable.Range(0, 80).Select(i => Entry(i % 3, $"{i:00}", 1))];
        await Parallel.ForEachAsync(entries, TestContext.Current.CancellationToken, (entry, _) =>
        {
            Assert.True(Put(entry)[0].Stored);
            return ValueTask.CompletedTask;
        });
        Assert.Equal(80, Store.Entries(s_document.Id).Count);
    }

    /// <inheritdoc/>
    public virtual void Dispose()
    {
        _store?.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Opens the store.</summary>
    protected abstract IDocumentStore Open();

    /// <summary>Closes and opens it again, where it survives that.</summary>
    protected virtual void Reopen()
    {
    }

    /// <summary>Closes the store.</summary>
    protected void Close()
    {
        _store?.Dispose();
        _store = null;
    }

    private static byte[] RandomKey(Random random) =>
        [.. Enumerable.Range(0, random.Next(4)).Select(_ => random.Next(3) switch { 0 => (byte)0, 1 => (byte)'a', _ => byte.MaxValue })];

    private static SignedEntry Entry(int author, string key, ulong timestamp, string content = "content") =>
        Entry(author, Encoding.UTF8.GetBytes(key), timestamp, content);

    private static SignedEntry Entry(int author, byte[] key, ulong timestamp, string content = "content") => SignedEntry.Sign(
        s_document, s_authors[author], key,
        new EntryRecord((ulong)content.Length, BlobHash.Of(Encoding.UTF8.GetBytes(content)), new EntryTimestamp(timestamp)));

    private static RecordKey Bound(Random random, SignedEntry[] model) => random.Next(4) switch
    {
        0 => RecordKey.Zero,
        1 => new RecordKey(new NamespaceId([.. Enumerable.Repeat(byte.MaxValue, 32)]), default, [1]),
        2 => new RecordKey(s_document.Id, s_authors[random.Next(3)].Id, RandomKey(random)),
        _ => model[random.Next(model.Length)].Key,
    };

    private static IEnumerable<SignedEntry> Answer(SignedEntry[] model, DocumentQuery query)
    {
        IEnumerable<SignedEntry> matching = model.Where(query.Matches);
        IOrderedEnumerable<SignedEntry> Sort(IEnumerable<SignedEntry> entries) => query.Order == QueryOrder.KeyThenAuthor || query.LatestPerKey
            ? entries.OrderBy(entry => Convert.ToHexString(entry.Key.Key.Span), StringComparer.Ordinal).ThenBy(entry => entry.Key.Author)
            : entries.OrderBy(entry => entry.Key);
        IEnumerable<SignedEntry> sorted = query.Descending ? Sort(matching).Reverse() : Sort(matching);
        if (query.LatestPerKey)
            sorted = sorted.GroupBy(entry => Convert.ToHexString(entry.Key.Key.Span)).Select(group => group.MaxBy(entry => entry.Record.Timestamp)!);
        sorted = sorted.Where(entry => query.IncludeEmpty || !entry.IsEmpty).Skip((int)query.Offset);
        return query.Limit is { } limit ? sorted.Take((int)limit) : sorted;
    }

    private void Import() => Store.Import(DocumentCapability.Write(s_document));

    private IReadOnlyList<EntryInsert> Put(params SignedEntry[] entries) => Store.Insert(s_document.Id, entries);

    private IEnumerable<string> Texts(int author) => Store
        .Query(s_document.Id, new DocumentQuery { Author = s_authors[author].Id, IncludeEmpty = true })
        .Select(entry => $"{Encoding.UTF8.GetString(entry.Key.Key.Span)}@{entry.Record.Timestamp.Microseconds}");
}

/// <summary>The suite over memory.</summary>
public sealed class MemoryDocumentStoreTests : DocumentStoreTests
{
    /// <inheritdoc/>
    protected override IDocumentStore Open() => new MemoryDocumentStore();
}
