using System.Text.Json;
using Iroh.Base.Serialization;
using Iroh.Cryptography;

namespace Iroh.Docs;

public sealed class KeyTests
{
    [Fact]
    public void Ids_are_those_of_the_captured_secrets()
    {
        foreach (JsonElement vector in Vector.Load("keys.json").GetProperty("vectors").EnumerateArray())
        {
            Assert.True(Author.TryParse(vector.Text("secret"), out Author? author));
            Assert.Equal(vector.Text("author_id"), author.Id.ToString());
            Assert.True(NamespaceSecret.TryParse(vector.Text("secret").ToUpperInvariant(), out NamespaceSecret? secret));
            Assert.Equal(vector.Text("author_id"), secret.Id.ToString());
            Assert.Equal(vector.Text("secret"), secret.ExportText());
            Assert.Equal(AuthorId.Parse(vector.Text("author_id").ToUpperInvariant()), author.Id);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("55154f42065ea5a1bea05463826be2684eb92df92c100027aabaae57ca55420")]
    [InlineData("55154f42065ea5a1bea05463826be2684eb92df92c100027aabaae57ca5542070")]
    [InlineData("g5154f42065ea5a1bea05463826be2684eb92df92c100027aabaae57ca554207")]
    // y = 2 is on no point of the curve.
    [InlineData("0200000000000000000000000000000000000000000000000000000000000000")]
    public void Texts_that_name_no_point_are_refused(string text)
    {
        Assert.False(NamespaceId.TryParse(text, out _));
        Assert.False(AuthorId.TryParse(text, out _));
        Assert.Contains("64 hex digits", Assert.Throws<FormatException>(() => NamespaceId.Parse(text)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_secret_does_not_show_in_its_text_for_logs()
    {
        var secret = NamespaceSecret.Generate(new SeededRandomSource(1));
        Assert.DoesNotContain(secret.ExportText(), $"{secret} {DocumentCapability.Write(secret)}", StringComparison.Ordinal);
    }

    [Fact]
    public void Capabilities_are_read_as_they_were_written()
    {
        var secret = NamespaceSecret.FromSeed(Enumerable.Repeat((byte)0xb2, 32).ToArray());
        Assert.Equal("0020" + string.Concat(Enumerable.Repeat("b2", 32)), Write(DocumentCapability.Write(secret)));
        Assert.Equal("0155154f42065ea5a1bea05463826be2684eb92df92c100027aabaae57ca554207", Write(DocumentCapability.Write(secret).ToRead()));

        var reader = new PostcardReader(Convert.FromHexString(Write(DocumentCapability.Write(secret))));
        Assert.True(DocumentCapability.TryRead(ref reader, out DocumentCapability? read));
        Assert.True(read.CanWrite);
        Assert.Equal(secret.Id, read.Id);
        Assert.Equal(secret.ExportText(), read.Secret!.ExportText());
    }

    [Fact]
    public void Heads_tell_who_has_news_and_give_up_the_oldest_first()
    {
        AuthorId[] authors = [.. Enumerable.Range(0, 3).Select(i => Author.Generate(new SeededRandomSource((ulong)i)).Id)];
        AuthorHeads heads = AuthorHeads.Empty;
        for (int i = 0; i < 3; i++)
            heads = heads.With(authors[i], new EntryTimestamp((ulong)(100 + i)));
        Assert.Same(heads, heads.With(authors[0], new EntryTimestamp(1)));
        Assert.False(heads.HasNewsFor(heads));
        Assert.True(heads.HasNewsFor(AuthorHeads.Empty));
        Assert.False(AuthorHeads.Empty.HasNewsFor(heads));

        Assert.True(AuthorHeads.TryRead(heads.Encode(1000), out AuthorHeads? all));
        Assert.Equal(heads.NewestFirst, all.NewestFirst);
        byte[] two = heads.Encode(1 + (2 * 33));
        Assert.True(AuthorHeads.TryRead(two, out AuthorHeads? newest));
        Assert.Equal([authors[2], authors[1]], newest.NewestFirst.Select(head => head.Key));
        Assert.Equal([0], heads.Encode(1));
    }

    private static string Write(DocumentCapability capability)
    {
        var writer = new PostcardWriter();
        capability.Write(writer);
        return Convert.ToHexStringLower(writer.Written);
    }
}
