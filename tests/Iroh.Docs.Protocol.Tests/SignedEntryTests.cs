using System.Text.Json;
using Iroh.Base.Serialization;
using Iroh.Blobs;

namespace Iroh.Docs;

public sealed class SignedEntryTests
{
    private static readonly NamespaceSecret s_document = NamespaceSecret.FromSeed(Enumerable.Repeat((byte)0xb2, 32).ToArray());

    public static TheoryData<int> Rows => [.. Enumerable.Range(0, 9)];

    [Theory]
    [MemberData(nameof(Rows))]
    public void An_entry_is_signed_written_and_counted_as_iroh_does(int row)
    {
        JsonElement vector = Vector.Load("docs-entries.json").GetProperty("entries")[row];
        Assert.True(Author.TryParse(vector.Text("author_secret"), out Author? author));
        byte[] content = System.Text.Encoding.UTF8.GetBytes(vector.Text("content_utf8"));
        var record = new EntryRecord((ulong)content.Length, BlobHash.Of(content), new EntryTimestamp(ulong.Parse(vector.Text("timestamp_us"))));
        var entry = SignedEntry.Sign(s_document, author, vector.Bytes("key"), record);

        Assert.Equal(vector.Text("author"), entry.Key.Author.ToString());
        Assert.Equal(vector.Text("hash"), entry.ContentHash.ToString());
        Assert.Equal(vector.Text("signed_bytes"), Convert.ToHexStringLower(SignedEntry.SignedBytes(entry.Key, entry.Record)));
        Assert.Equal(vector.Text("author_signature"), Convert.ToHexStringLower(entry.AuthorSignature));
        Assert.Equal(vector.Text("namespace_signature"), Convert.ToHexStringLower(entry.DocumentSignature));
        Assert.Equal(vector.Text("fingerprint"), entry.Fingerprint.ToString());
        Assert.Equal(vector.Text("signed_entry_postcard"), Convert.ToHexStringLower(Write(entry)));
        Assert.True(entry.Verify());

        SignedEntry read = Read(vector.Bytes("signed_entry_postcard"))!;
        Assert.Equal(entry.Key, read.Key);
        Assert.Equal(entry.Record, read.Record);
        Assert.Equal(EntryProblem.None, EntryRules.Check(read, s_document.Id, record.Timestamp));
    }

    [Fact]
    public void The_tombstone_of_the_repository_is_made_byte_for_byte()
    {
        Assert.True(Author.TryParse(string.Concat(Enumerable.Repeat("a1", 32)), out Author? author));
        var entry = SignedEntry.Sign(s_document, author, "wire-format-test"u8, EntryRecord.Tombstone(new EntryTimestamp(1_700_000_000_000_000)));
        Assert.Equal(Vector.Load("docs-entries.json").GetProperty("repo_snapshot").Text("hex"), Convert.ToHexStringLower(Write(entry)));
        Assert.True(entry.IsEmpty);
    }

    [Fact]
    public void Every_changed_bit_is_noticed_or_changes_nothing_that_counts()
    {
        byte[] bytes = Vector.Load("docs-entries.json").GetProperty("entries")[0].Bytes("signed_entry_postcard");
        for (int bit = 0; bit < bytes.Length * 8; bit++)
        {
            byte[] changed = [.. bytes];
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            if (Read(changed) is { } entry)
                Assert.NotEqual(EntryProblem.None, EntryRules.Check(entry, s_document.Id, new EntryTimestamp(ulong.MaxValue)));
        }
    }

    [Fact]
    public void The_rules_name_what_is_wrong()
    {
        Assert.True(Author.TryParse(string.Concat(Enumerable.Repeat("a1", 32)), out Author? author));
        var other = NamespaceSecret.FromSeed(new byte[32]);
        var now = new EntryTimestamp(1_000_000_000_000);
        EntryTimestamp last = now.Add(EntryRules.ClockAheadMax), future = new(last.Microseconds + 1);
        BlobHash hash = BlobHash.Of("x"u8);

        Assert.Equal(EntryProblem.None, Check(s_document, new EntryRecord(1, hash, last)));
        Assert.Equal(EntryProblem.TooFarInTheFuture, Check(s_document, new EntryRecord(1, hash, future)));
        Assert.Equal(EntryProblem.WrongDocument, Check(other, new EntryRecord(1, hash, now)));
        Assert.Equal(EntryProblem.LengthAndHashDisagree, Check(s_document, new EntryRecord(0, hash, now)));
        Assert.Equal(EntryProblem.LengthAndHashDisagree, Check(s_document, new EntryRecord(1, BlobHash.Empty, now)));
        Assert.Equal(EntryProblem.None, Check(s_document, EntryRecord.Tombstone(now)));
        // No clock is far enough behind for the sum to overflow.
        Assert.Equal(EntryProblem.None, EntryRules.Check(
            SignedEntry.Sign(s_document, author, [], EntryRecord.Tombstone(new EntryTimestamp(ulong.MaxValue))), s_document.Id, new EntryTimestamp(ulong.MaxValue)));

        EntryProblem Check(NamespaceSecret document, EntryRecord record) =>
            EntryRules.Check(SignedEntry.Sign(document, author, "k"u8, record), s_document.Id, now);
    }

    [Fact]
    public void A_signature_by_a_key_of_small_order_is_refused()
    {
        // The identity as public key verifies anything where the check is not strict.
        byte[] identity = new byte[32];
        identity[0] = 1;
        byte[] signature = new byte[64];
        signature[0] = 1;
        var key = new RecordKey(new NamespaceId(identity), new AuthorId(identity), "k"u8);
        Assert.False(new SignedEntry(key, EntryRecord.Tombstone(default), signature, signature).Verify());
    }

    [Fact]
    public void Names_shorter_than_two_ids_or_with_endless_keys_are_refused()
    {
        Assert.False(RecordKey.TryFromBytes(new byte[63], out _));
        Assert.True(RecordKey.TryFromBytes(new byte[64], out _));
        Assert.False(RecordKey.TryFromBytes(new byte[64 + RecordKey.KeyLengthMax + 1], out _));
    }

    private static byte[] Write(SignedEntry entry)
    {
        var writer = new PostcardWriter();
        entry.Write(writer);
        return writer.ToArray();
    }

    private static SignedEntry? Read(byte[] bytes)
    {
        var reader = new PostcardReader(bytes);
        return SignedEntry.TryRead(ref reader, out SignedEntry? entry) ? entry : null;
    }
}
