using System.Text.Json;
using Iroh.Blobs;
using Iroh.Cryptography;

namespace Iroh.Docs.Live;

public class LiveOpTests
{
    private const int LengthMax = 4054;

    private static readonly JsonElement s_vectors = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Vectors", "docs-live-ops.json"))).RootElement;

    public static TheoryData<string, string> Captured
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (JsonElement op in s_vectors.GetProperty("ops").EnumerateArray())
                data.Add(op.GetProperty("op").GetString()!, op.GetProperty("content").GetString()!);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Captured))]
    public void A_captured_op_is_read_and_written_back_byte_for_byte(string name, string hex)
    {
        byte[] bytes = Convert.FromHexString(hex);
        Assert.True(LiveOp.TryRead(bytes, out LiveOp? op), name);
        Assert.Equal(hex, Convert.ToHexStringLower(op.Encode(LengthMax)!));
        for (int length = 0; length < bytes.Length; length++)
            Assert.False(LiveOp.TryRead(bytes.AsSpan(0, length), out _), $"{name}: {length} bytes are enough");
    }

    [Fact]
    public void Captured_ops_say_what_was_captured()
    {
        Assert.True(Assert.IsType<LiveOp.Put>(Read(0)).Entry.Verify());
        Assert.Equal("91490e638bc0e1b9d28808ebc34ce3bd107cd1659e8b245aeaeaea8aed395a06", Assert.IsType<LiveOp.ContentReady>(Read(1)).Content.ToString());
        LiveOp.Heads heads = Assert.IsType<LiveOp.Heads>(Read(2));
        JsonElement expected = s_vectors.GetProperty("sync_report_decoded");
        Assert.Equal(expected.GetProperty("namespace").GetString(), heads.Document.ToString());
        KeyValuePair<AuthorId, EntryTimestamp> head = Assert.Single(heads.Newest.NewestFirst);
        Assert.Equal(("65e8f9b0bc6eae124169f0576f97362d295a8cf5f770b45e14357ce647d33eec", 1700000000000009ul), (head.Key.ToString(), head.Value.Microseconds));
    }

    [Fact]
    public void Heads_of_many_authors_lose_the_oldest_and_fit_a_message()
    {
        AuthorHeads heads = AuthorHeads.Empty;
        var random = new SeededRandomSource(1);
        byte[] author = new byte[32];
        for (uint i = 0; i < 1000; i++)
        {
            random.Fill(author);
            heads = heads.With(new AuthorId(author), new EntryTimestamp(1_700_000_000_000_000ul + i));
        }

        byte[] bytes = new LiveOp.Heads(default, heads).Encode(LengthMax)!;
        Assert.InRange(bytes.Length, LengthMax - 50, LengthMax);
        Assert.True(LiveOp.TryRead(bytes, out LiveOp? op));
        AuthorHeads read = ((LiveOp.Heads)op).Newest;
        Assert.Equal(heads.NewestFirst.Take(read.Count), read.NewestFirst);
    }

    [Fact]
    public void An_entry_that_is_too_long_for_gossip_is_no_message()
    {
        var secret = NamespaceSecret.Generate(new SeededRandomSource(2));
        var author = Author.Generate(new SeededRandomSource(3));
        var record = new EntryRecord(1, new BlobHash(new byte[32]), new EntryTimestamp(1));
        Assert.Null(new LiveOp.Put(SignedEntry.Sign(secret, author, new byte[4000], record)).Encode(LengthMax));
        Assert.NotNull(new LiveOp.Put(SignedEntry.Sign(secret, author, new byte[3700], record)).Encode(LengthMax));
    }

    [Fact]
    public void Any_bytes_are_read_without_harm()
    {
        const ulong Seed = 5;
        var random = new SeededRandomSource(Seed);
        byte[][] captured = [.. s_vectors.GetProperty("ops").EnumerateArray().Select(op => Convert.FromHexString(op.GetProperty("content").GetString()!))];
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = [.. captured[i % captured.Length]];
            for (int flips = (int)random.NextBelow(4); flips >= 0; flips--)
                bytes[(int)random.NextBelow((ulong)bytes.Length)] = (byte)random.NextUInt64();
            if (LiveOp.TryRead(bytes.AsSpan(0, (int)random.NextBelow((ulong)bytes.Length + 1)), out LiveOp? op))
                Assert.NotNull(op.Encode(LengthMax));
        }
    }

    private static LiveOp Read(int index)
    {
        Assert.True(LiveOp.TryRead(Convert.FromHexString(s_vectors.GetProperty("ops")[index].GetProperty("content").GetString()!), out LiveOp? op));
        return op;
    }
}
