using Iroh.Base;
using Iroh.Base.Serialization;
using Iroh.Cryptography;

namespace Iroh.Docs;

/// <summary>Every reader takes any bytes: it says no, or what it read is written back the same.</summary>
public sealed class ReaderTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Readers_of_bytes_never_throw_and_read_what_they_wrote(int seed)
    {
        var random = new Random(seed);
        byte[][] originals =
        [
            Written(TestEntries.Captured[0].Write),
            Written(DocumentCapability.Write(TestEntries.Document).Write),
            Written(DownloadPolicy.NothingExcept(KeyFilter.Prefix("abc"u8), KeyFilter.Exact([])).Write),
            AuthorHeads.Empty.With(TestEntries.Authors[0].Id, new EntryTimestamp(5)).With(TestEntries.Authors[1].Id, TestEntries.Now).Encode(1000),
        ];
        for (int i = 0; i < 6000; i++)
        {
            byte[] bytes = random.Next(4) == 0 ? new byte[random.Next(80)] : [.. originals[random.Next(originals.Length)]];
            for (int flips = random.Next(3); flips > 0 && bytes.Length > 0; flips--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            bytes = bytes[..random.Next(bytes.Length + 1)];
            ReadAll(bytes, $"seed {seed}, step {i}");
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Readers_of_texts_never_throw(int seed)
    {
        var random = new Random(seed);
        var endpoint = new EndpointAddress(SecretKey.Generate(new SeededRandomSource(3)).PublicKey);
        string[] originals =
        [
            new DocTicket(DocumentCapability.Write(TestEntries.Document), endpoint).ToString(), TestEntries.Document.Id.ToString(),
            "prefix:utf8:abc", "exact:hex:00ff", "prefix:utf8:", "",
        ];
        for (int i = 0; i < 6000; i++)
        {
            char[] text = originals[random.Next(originals.Length)].ToCharArray();
            for (int changes = random.Next(3); changes > 0 && text.Length > 0; changes--)
                text[random.Next(text.Length)] = (char)random.Next(random.Next(2) == 0 ? 128 : 0x10000);
            string changed = new(text, 0, random.Next(text.Length + 1));
            if (DocTicket.TryParse(changed, out DocTicket? ticket, out string? problem))
                Assert.Equal(ticket, DocTicket.Parse(ticket.ToString()));
            else
                Assert.NotEmpty(problem);
            if (KeyFilter.TryParse(changed, out KeyFilter? filter))
                Assert.True(KeyFilter.TryParse(filter.ToString(), out KeyFilter? again) && again.Equals(filter), changed);
            if (NamespaceId.TryParse(changed, out NamespaceId id))
                Assert.Equal(changed.ToLowerInvariant(), id.ToString());
            _ = AuthorId.TryParse(changed, out _) || Author.TryParse(changed, out _) || NamespaceSecret.TryParse(changed, out _);
        }
    }

    [Fact]
    public void Policies_decide_by_the_key_alone()
    {
        DownloadPolicy policy = DownloadPolicy.EverythingExcept(KeyFilter.Prefix("tmp/"u8), KeyFilter.Exact("secret"u8));
        Assert.True(policy.Wants("a"u8));
        Assert.True(policy.Wants("secret2"u8));
        Assert.False(policy.Wants("secret"u8));
        Assert.False(policy.Wants("tmp/x"u8));
        Assert.True(DownloadPolicy.NothingExcept(KeyFilter.Prefix("tmp/"u8)).Wants("tmp/x"u8));
        Assert.False(DownloadPolicy.Nothing.Wants(""u8));
        Assert.Equal("0100", Convert.ToHexStringLower(Written(DownloadPolicy.Everything.Write)));
        Assert.Equal("0002000361626301026161", Convert.ToHexStringLower(Written(
            DownloadPolicy.NothingExcept(KeyFilter.Prefix("abc"u8), KeyFilter.Exact("aa"u8)).Write)));
        Assert.Equal("everything except prefix:utf8:tmp/, exact:utf8:secret", policy.ToString());
    }

    private static void ReadAll(byte[] bytes, string where)
    {
        var reader = new PostcardReader(bytes);
        if (SignedEntry.TryRead(ref reader, out SignedEntry? entry))
        {
            var again = new PostcardReader(Written(entry.Write));
            Assert.True(SignedEntry.TryRead(ref again, out SignedEntry? same) && same.Key == entry.Key && same.Record == entry.Record, where);
        }

        reader = new PostcardReader(bytes);
        if (DocumentCapability.TryRead(ref reader, out DocumentCapability? capability))
        {
            var again = new PostcardReader(Written(capability.Write));
            Assert.True(DocumentCapability.TryRead(ref again, out DocumentCapability? same) && same.Equals(capability), where);
        }

        reader = new PostcardReader(bytes);
        if (DownloadPolicy.TryRead(ref reader, out DownloadPolicy? policy))
        {
            var again = new PostcardReader(Written(policy.Write));
            Assert.True(DownloadPolicy.TryRead(ref again, out DownloadPolicy? same) && same.Equals(policy), where);
        }

        if (AuthorHeads.TryRead(bytes, out AuthorHeads? heads))
        {
            Assert.True(AuthorHeads.TryRead(heads.Encode(1 << 20), out AuthorHeads? same), where);
            Assert.Equal(heads.NewestFirst, same.NewestFirst);
        }
    }

    private static byte[] Written(Action<PostcardWriter> write)
    {
        var writer = new PostcardWriter();
        write(writer);
        return writer.ToArray();
    }
}
