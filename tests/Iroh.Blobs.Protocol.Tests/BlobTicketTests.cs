using System.Net;
using System.Text.Json;
using Iroh.Base;
using Iroh.Cryptography;

namespace Iroh.Blobs.Protocol.Tests;

public sealed class BlobTicketTests
{
    private static readonly JsonElement[] s_vectors =
        [.. Vectors.Read("blob-tickets.json").GetProperty("vectors").EnumerateArray()];

    [Fact]
    public void Tickets_are_written_and_read_as_iroh_does()
    {
        Assert.Equal(6, s_vectors.Length);
        foreach (JsonElement vector in s_vectors)
        {
            JsonElement node = vector.GetProperty("nodeAddr");
            List<TransportAddress> addresses = [];
            if (node.TryGetProperty("relayUrl", out JsonElement relay))
                addresses.Add(TransportAddress.Relay(RelayUrl.Parse(relay.GetString()!)));
            if (node.TryGetProperty("addresses", out JsonElement direct))
                addresses.AddRange(direct.EnumerateArray().Select(item => TransportAddress.Ip(IPEndPoint.Parse(item.GetString()!))));
            Assert.True(BlobHash.TryParse(vector.Text("hash"), out BlobHash hash));
            var ticket = new BlobTicket(
                new EndpointAddress(EndpointId.Parse(node.Text("nodeId")), addresses),
                hash,
                vector.Text("format") == "Raw" ? BlobFormat.Raw : BlobFormat.HashSequence);

            Assert.Equal(vector.Text("bytes"), Convert.ToHexStringLower(ticket.ToBytes()));
            Assert.Equal(vector.Text("ticket"), ticket.ToString());
            Assert.Equal(ticket, BlobTicket.Parse(vector.Text("ticket")));
            Assert.Equal(ticket, BlobTicket.Parse("blob" + vector.Text("ticket")[4..].ToUpperInvariant()));
        }
    }

    [Fact]
    public void What_is_not_a_ticket_is_refused_in_words()
    {
        string good = s_vectors[1].Text("ticket");
        string[] bad =
        [
            "", "blob", "BLOB" + good[4..], "node" + good[4..], good + "=", good[..^1] + "7", good[..^8], "blob" + new string('a', 70_000), "blob!",
        ];
        foreach (string text in bad)
        {
            Assert.False(BlobTicket.TryParse(text, out _, out string? problem), text);
            Assert.Contains("ticket", problem, StringComparison.Ordinal);
        }

        Assert.Throws<FormatException>(() => BlobTicket.Parse("blob"));
        Assert.False(BlobTicket.TryParse(null, out _));
    }

    [Fact]
    public void Damaged_tickets_are_read_or_refused_and_never_throw()
    {
        for (ulong seed = 1; seed <= 3000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] bytes = s_vectors[random.NextBelow(6)].Hex("bytes");
            for (ulong i = 1 + random.NextBelow(3); i > 0; i--)
                bytes[random.NextBelow(4) == 0 ? random.NextBelow((ulong)bytes.Length) : 33 + random.NextBelow((ulong)bytes.Length - 33)] = (byte)random.NextUInt64();
            int length = (int)random.NextBelow((ulong)bytes.Length + 1);
            Exception? thrown = Record.Exception(() => BlobTicket.TryRead(bytes.AsSpan(0, length), out _));
            Assert.True(thrown is null, $"seed {seed}: {thrown}");
        }
    }

    [Fact]
    public void Hashes_have_one_text_and_an_older_one()
    {
        BlobHash hash = BlobHash.Of("hello"u8);
        const string hex = "ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f";
        Assert.Equal(hex, hash.ToString());
        Assert.True(BlobHash.TryParse(hex, out BlobHash read) && read == hash);
        string base32 = Iroh.Base.Serialization.Base32.Encode(hash.ToArray());
        Assert.True(BlobHash.TryParse(base32, out read) && read == hash);
        Assert.True(BlobHash.TryParse(base32.ToUpperInvariant(), out read) && read == hash);
        foreach (string bad in new[] { hex.ToUpperInvariant(), hex[1..], hex + "0", base32[1..], base32[..^1] + "b", "", "g" + hex[1..] })
            Assert.False(BlobHash.TryParse(bad, out _), bad);
        Assert.True(BlobHash.Empty.IsEmpty && !hash.IsEmpty);
        Assert.Equal("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262", BlobHash.Empty.ToString());
    }

    [Fact]
    public void The_format_is_part_of_the_name_of_content()
    {
        HashAndFormat raw = HashAndFormat.Raw(BlobHash.Of([1])), sequence = HashAndFormat.HashSequence(BlobHash.Of([1]));
        foreach (HashAndFormat content in new[] { raw, sequence })
        {
            Assert.True(HashAndFormat.TryParse(content.ToString(), out HashAndFormat read));
            Assert.Equal(content, read);
            var writer = new Iroh.Base.Serialization.PostcardWriter();
            content.Write(writer);
            Assert.Equal(HashAndFormat.Length, writer.Written.Length);
            var reader = new Iroh.Base.Serialization.PostcardReader(writer.Written);
            Assert.True(HashAndFormat.TryRead(ref reader, out read));
            Assert.Equal(content, read);
        }

        Assert.Equal("s" + raw, sequence.ToString());
        Assert.True(HashAndFormat.TryParse("S" + raw, out HashAndFormat upper) && upper == sequence);
        Assert.False(HashAndFormat.TryParse("x" + raw, out _));
        Assert.False(HashAndFormat.TryParse(null, out _));
    }
}
