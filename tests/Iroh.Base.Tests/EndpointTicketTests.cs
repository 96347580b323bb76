using System.Net;
using Iroh.Base.Serialization;
using Iroh.Cryptography;

namespace Iroh.Base.Tests;

public class EndpointTicketTests
{
    [Theory]
    [MemberData(nameof(TicketVectors.All), MemberType = typeof(TicketVectors))]
    public void Writes_the_text_that_iroh_writes(string id, string? relay, string[] direct, string ticket) =>
        Assert.Equal(ticket, new EndpointTicket(TicketVectors.Address(id, relay, direct)).ToString());

    [Theory]
    [MemberData(nameof(TicketVectors.All), MemberType = typeof(TicketVectors))]
    public void Reads_the_text_that_iroh_writes(string id, string? relay, string[] direct, string ticket) =>
        Assert.Equal(TicketVectors.Address(id, relay, direct), EndpointTicket.Parse(ticket).Address);

    [Fact]
    public void Reads_the_vector_of_the_upstream_unit_test()
    {
        const string hex = "00ae58ff8833241ac82d6ff7611046ed67b5072d142c588d0063e942d9a75502b6"
            + "020010687474703a2f2f646572702e6d652e2f01007f0000018008";
        Assert.True(EndpointTicket.TryFromBytes(Convert.FromHexString(hex), out EndpointTicket? ticket));
        Assert.Equal(RelayUrl.Parse("http://derp.me./"), Assert.Single(ticket.Address.RelayUrls));
        Assert.Equal(IPEndPoint.Parse("127.0.0.1:1024"), Assert.Single(ticket.Address.DirectAddresses));
        Assert.Equal(hex, Convert.ToHexStringLower(ticket.ToBytes()));
    }

    [Fact]
    public void The_body_may_be_upper_case_but_the_prefix_may_not()
    {
        string text = Ticket().ToString();
        string upperBody = "endpoint" + text["endpoint".Length..].ToUpperInvariant();
        Assert.Equal(Ticket(), EndpointTicket.Parse(upperBody));
        Assert.False(EndpointTicket.TryParse(text.ToUpperInvariant(), out _, out string? problem));
        Assert.Contains("does not start with 'endpoint'", problem);
    }

    [Fact]
    public void Bytes_after_the_address_are_ignored() =>
        Assert.True(EndpointTicket.TryFromBytes([.. Ticket().ToBytes(), 1, 2, 3], out EndpointTicket? ticket) && ticket.Equals(Ticket()));

    [Fact]
    public void Order_and_duplicates_do_not_matter()
    {
        var writer = new PostcardWriter();
        writer.WriteByte(0);
        writer.WriteFixed(EndpointId.Parse(TicketVectors.Id).Span);
        writer.WriteVarint(3);
        foreach (byte last in new byte[] { 2, 1, 2 })
        {
            writer.WriteVarint(1);
            writer.WriteVarint(0);
            writer.WriteFixed([10, 0, 0, last]);
            writer.WriteVarint(80);
        }

        Assert.True(EndpointTicket.TryFromBytes(writer.ToArray(), out EndpointTicket? ticket));
        Assert.Equal(TicketVectors.Address(TicketVectors.Id, null, ["10.0.0.1:80", "10.0.0.2:80"]), ticket.Address);
    }

    [Theory]
    [InlineData("02070005aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "5 bytes in the 30-byte field of 1.0")]
    [InlineData("020701020102", "length-prefixed form of 1.0")]
    [InlineData("0207050102030405", "form after 1.0.3")]
    public void Custom_addresses_of_every_form_are_skipped(string custom, string form)
    {
        string hex = "00" + TicketVectors.Id + "02" + custom + "01007f000001d209";
        Assert.True(EndpointTicket.TryFromBytes(Convert.FromHexString(hex), out EndpointTicket? ticket), form);
        Assert.Equal(IPEndPoint.Parse("127.0.0.1:1234"), Assert.Single(ticket.Address.DirectAddresses));
    }

    [Theory]
    [InlineData("01", "another variant")]
    [InlineData("", "no bytes")]
    public void Another_variant_or_nothing_is_refused(string hex, string what) =>
        Assert.False(EndpointTicket.TryFromBytes(Convert.FromHexString(hex), out _), what);

    [Fact]
    public void A_custom_address_that_claims_more_than_its_30_byte_field_is_refused()
    {
        // What follows makes the length-prefixed reading of the same bytes impossible too.
        string hex = "00" + TicketVectors.Id + "02" + "0207001f" + new string('a', 60) + "01007f000001d209";
        Assert.False(EndpointTicket.TryFromBytes(Convert.FromHexString(hex), out _));
    }

    [Fact]
    public void More_addresses_than_the_limit_are_refused_without_reading_them()
    {
        var writer = new PostcardWriter();
        writer.WriteByte(0);
        writer.WriteFixed(EndpointId.Parse(TicketVectors.Id).Span);
        writer.WriteVarint(ulong.MaxValue);
        Assert.False(EndpointTicket.TryFromBytes(writer.ToArray(), out _));
    }

    [Fact]
    public void Every_truncation_is_refused()
    {
        byte[] whole = Ticket().ToBytes();
        for (int length = 0; length < whole.Length; length++)
            Assert.False(EndpointTicket.TryFromBytes(whole.AsSpan(0, length), out _), $"cut to {length} bytes");
    }

    [Theory]
    [InlineData("node1234", "does not start with")]
    [InlineData("endpoint!!!!", "not base 32")]
    [InlineData("endpointaaaa", "not an endpoint address")]
    [InlineData("", "does not start with")]
    public void A_bad_ticket_says_what_is_wrong(string text, string expected)
    {
        Assert.False(EndpointTicket.TryParse(text, out _, out string? problem));
        Assert.Contains(expected, problem);
        Assert.Contains(expected, Assert.Throws<FormatException>(() => EndpointTicket.Parse(text)).Message);
    }

    [Fact]
    public void Changed_bytes_never_throw_and_what_is_read_is_written_the_same()
    {
        byte[] whole = Ticket().ToBytes();
        for (ulong seed = 0; seed < 20_000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] bytes = (byte[])whole.Clone();
            for (ulong changes = 1 + random.NextBelow(4); changes > 0; changes--)
                bytes[random.NextBelow((ulong)bytes.Length)] = (byte)random.NextUInt64();
            ReadOnlySpan<byte> cut = bytes.AsSpan(0, (int)random.NextBelow((ulong)bytes.Length + 1));
            if (EndpointTicket.TryFromBytes(cut, out EndpointTicket? ticket))
                Assert.True(EndpointTicket.TryFromBytes(ticket.ToBytes(), out EndpointTicket? again) && again.Equals(ticket), $"seed {seed}");
        }
    }

    private static EndpointTicket Ticket() => new(TicketVectors.Address(
        TicketVectors.Id, "https://relay.example.com", ["192.168.1.10:4433", "[2001:db8::1]:443"]));
}
