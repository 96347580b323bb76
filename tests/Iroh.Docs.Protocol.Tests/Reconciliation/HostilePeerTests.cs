using Iroh.Docs.Sync;

namespace Iroh.Docs.Reconciliation;

/// <summary>What a peer that does as it likes cannot do.</summary>
public sealed class HostilePeerTests
{
    private static readonly NamespaceSecret s_other = NamespaceSecret.FromSeed(Enumerable.Repeat((byte)0x33, 32).ToArray());

    [Fact]
    public void It_reads_nothing_of_other_documents_whatever_range_it_names()
    {
        // The document's replica is all that a session has; ranges around and through other documents select its entries or none.
        var random = new Random(1);
        RecordKey[] bounds =
        [
            RecordKey.Zero, new RecordKey(s_other.Id, TestEntries.Authors[0].Id, []),
            new RecordKey(new NamespaceId([.. Enumerable.Repeat(byte.MaxValue, 32)]), new AuthorId([.. Enumerable.Repeat(byte.MaxValue, 32)]), [1]),
            TestEntries.Captured[0].Key, TestEntries.Captured[5].Key,
        ];
        var replica = new MemoryReplica(TestEntries.Captured);
        for (int i = 0; i < 200; i++)
        {
            var range = new RecordRange(bounds[random.Next(bounds.Length)], bounds[random.Next(bounds.Length)]);
            ReconciliationPart part = random.Next(2) == 0 ? new FingerprintPart(range, EntryFingerprint.Empty) : new ItemPart(range, [], false);
            ReconciliationStep step = Process(replica, new ReconciliationMessage([part]));
            foreach (ReceivedEntry sent in step.Reply?.Parts.OfType<ItemPart>().SelectMany(item => item.Entries) ?? [])
            {
                Assert.True(sent.Entry.Key.IsOf(TestEntries.Document.Id));
                Assert.True(range.Contains(sent.Entry.Key));
            }
        }
    }

    [Fact]
    public void It_inserts_nothing_that_breaks_the_rules()
    {
        var replica = new MemoryReplica([]);
        Author author = TestEntries.Authors[0];
        SignedEntry good = TestEntries.Make(0, "good", 1);
        SignedEntry[] bad =
        [
            SignedEntry.Sign(s_other, author, "other document"u8, good.Record),
            new(good.Key, good.Record with { Length = 99 }, good.AuthorSignature, good.DocumentSignature),
            new(good.Key, good.Record, good.DocumentSignature, good.AuthorSignature),
            new(good.Key, good.Record, good.AuthorSignature, new byte[64]),
            TestEntries.Make(0, "future", TestEntries.Now.Add(TimeSpan.FromMinutes(11)).Microseconds),
            SignedEntry.Sign(TestEntries.Document, author, "length"u8, new EntryRecord(0, good.ContentHash, new EntryTimestamp(1))),
            SignedEntry.Sign(TestEntries.Document, author, "hash"u8, new EntryRecord(5, Blobs.BlobHash.Empty, new EntryTimestamp(1))),
            // Signed as written for another document, carried under this one's name.
            new(new RecordKey(TestEntries.Document.Id, author.Id, "carried"u8), good.Record,
                SignedEntry.Sign(s_other, author, "carried"u8, good.Record).AuthorSignature, SignedEntry.Sign(s_other, author, "carried"u8, good.Record).DocumentSignature),
        ];
        ReconciliationStep step = Process(replica, Items([.. bad, good]));
        Assert.Null(step.Fault);
        Assert.Equal([good.Key], replica.All.Select(entry => entry.Key));
        Assert.Equal([good], step.Stored.Select(received => received.Entry));
    }

    [Fact]
    public void It_is_at_fault_when_it_goes_on_forging()
    {
        var replica = new MemoryReplica([]);
        SignedEntry good = TestEntries.Make(0, "good", 1);
        ReconciliationStep step = Process(replica, Items([.. Enumerable.Range(0, SetReconciliation.ForgedEntriesMax + 1)
            .Select(i => new SignedEntry(new RecordKey(TestEntries.Document.Id, TestEntries.Authors[0].Id, [(byte)i]), good.Record, new byte[64], new byte[64]))]));
        Assert.Contains("signatures are wrong", step.Fault, StringComparison.Ordinal);
        Assert.Equal(0, replica.Count);
    }

    [Fact]
    public void It_cannot_make_us_read_everything_again_and_again()
    {
        var replica = new MemoryReplica(Enumerable.Range(0, 200).Select(i => TestEntries.Make(0, $"{i:000}", 1)));
        var everything = new RecordRange(RecordKey.Zero, RecordKey.Zero);
        ReconciliationPart[] parts = [.. Enumerable.Repeat(new FingerprintPart(everything, new EntryFingerprint(new byte[32])), 1000)];
        Assert.Contains("over and over", Process(replica, new ReconciliationMessage([.. parts])).Fault, StringComparison.Ordinal);
        parts = [.. Enumerable.Repeat(new ItemPart(everything, [], false), 1000)];
        Assert.Contains("over and over", Process(replica, new ReconciliationMessage([.. parts])).Fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Damaged_messages_never_throw_and_never_insert_what_was_not_signed(int seed)
    {
        var random = new Random(seed);
        byte[][] originals =
        [
            new SyncMessage.Init(TestEntries.Document.Id, Items(TestEntries.Captured)).Encode(),
            new SyncMessage.Round(new SetReconciliation(TestEntries.Document.Id, new MemoryReplica(TestEntries.Captured)).Begin()).Encode(),
            new SyncMessage.Abort(SyncAbortReason.AlreadySyncing).Encode(),
        ];
        var genuine = TestEntries.Captured.Select(entry => (entry.Key, entry.Record)).ToHashSet();
        for (int i = 0; i < 3000; i++)
        {
            byte[] bytes = [.. originals[random.Next(originals.Length)]];
            for (int flips = random.Next(1, 4); flips > 0; flips--)
                bytes[random.Next(Math.Min(bytes.Length, random.Next(1, bytes.Length + 1)))] = (byte)random.Next(256);
            if (random.Next(3) == 0)
                bytes = bytes[..random.Next(bytes.Length + 1)];
            if (!SyncMessage.TryRead(bytes, out SyncMessage? read))
                continue;
            Assert.True(SyncMessage.TryRead(read.Encode(), out SyncMessage? again), $"seed {seed}, step {i}");
            Assert.Equal(read.Encode(), again.Encode());
            ReconciliationMessage? message = (read as SyncMessage.Init)?.Message ?? (read as SyncMessage.Round)?.Message;
            if (message is null || random.Next(20) != 0)
                continue;
            var replica = new MemoryReplica([]);
            Process(replica, message);
            Assert.Subset(genuine, replica.State.ToHashSet());
        }
    }

    [Fact]
    public void Counts_that_claim_more_than_is_there_take_no_memory()
    {
        // 2^60 parts; one item part with 2^60 entries.
        byte[] count = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
        byte[] key = [64, .. new byte[64]];
        Assert.False(SyncMessage.TryRead([1, .. count], out _));
        Assert.False(SyncMessage.TryRead([1, 1, 1, .. key, .. key, .. count], out _));
    }

    private static ReconciliationMessage Items(IEnumerable<SignedEntry> entries) => new(
        [new ItemPart(new RecordRange(RecordKey.Zero, RecordKey.Zero), [.. entries.Select(entry => new ReceivedEntry(entry, ContentStatus.Missing))], true)]);

    private static ReconciliationStep Process(MemoryReplica replica, ReconciliationMessage message) =>
        new SetReconciliation(TestEntries.Document.Id, replica).Process(message, TestEntries.Now);
}
