using System.Text;
using Iroh.Base.Serialization;
using Iroh.Blobs;

namespace Iroh.Docs;

/// <summary>Entries for tests: the nine captured ones, and any others by a few words.</summary>
internal static class TestEntries
{
    internal static readonly NamespaceSecret Document = NamespaceSecret.FromSeed(Enumerable.Repeat((byte)0xb2, 32).ToArray());

    internal static readonly Author[] Authors = [.. Enumerable.Range(0xa1, 4).Select(i => Author.FromSeed(Enumerable.Repeat((byte)i, 32).ToArray()))];

    /// <summary>Later than every timestamp of the captured entries.</summary>
    internal static readonly EntryTimestamp Now = new(1_700_000_000_000_000 + 3_600_000_000);

    internal static IReadOnlyList<SignedEntry> Captured { get; } =
        [.. Vector.Load("docs-entries.json").GetProperty("entries").EnumerateArray().Select(row => Read(row.Bytes("signed_entry_postcard")))];

    internal static SignedEntry Make(int author, string key, ulong timestamp, string content = "content") => Make(author, Encoding.UTF8.GetBytes(key), timestamp, content);

    internal static SignedEntry Make(int author, byte[] key, ulong timestamp, string content = "content") => SignedEntry.Sign(
        Document, Authors[author], key,
        new EntryRecord((ulong)Encoding.UTF8.GetByteCount(content), BlobHash.Of(Encoding.UTF8.GetBytes(content)), new EntryTimestamp(timestamp)));

    internal static SignedEntry Delete(int author, string prefix, ulong timestamp) => Make(author, prefix, timestamp, "");

    private static SignedEntry Read(byte[] bytes)
    {
        var reader = new PostcardReader(bytes);
        Assert.True(SignedEntry.TryRead(ref reader, out SignedEntry? entry));
        return entry;
    }
}
