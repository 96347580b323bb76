using System.Net;
using Blixard.Cluster.Tokens;
using Iroh.Base;
using Iroh.Cryptography;

namespace Blixard.Cluster.Tests.Tokens;

public class JoinTicketTests
{
    private static readonly byte[] s_secret = [.. Enumerable.Range(1, JoinTicket.SecretLength).Select(i => (byte)i)];

    private static readonly JoinTicket s_ticket = new(
        "6f1c2a34-0000-4000-8000-000000000001",
        [
            new TicketServer(
                new EndpointAddress(SecretKey.FromBytes(s_secret).PublicKey, [TransportAddress.Ip(IPEndPoint.Parse("192.0.2.7:4433"))]), "192.0.2.7:7000"),
            new TicketServer(new EndpointAddress(SecretKey.FromBytes(new byte[32]).PublicKey, []), ""),
        ],
        s_secret);

    [Fact]
    public void A_ticket_is_read_as_it_was_written()
    {
        Assert.True(JoinTicket.TryParse(s_ticket.ToString(), out JoinTicket? read, out _));
        Assert.Equal(s_ticket.ClusterId, read.ClusterId);
        Assert.Equal(s_ticket.Servers, read.Servers);
        Assert.Equal(s_secret, read.Secret.ToArray());
    }

    [Theory]
    [InlineData("", "does not start with 'blixard'")]
    [InlineData("endpointaa", "does not start with 'blixard'")]
    [InlineData("blixard", "damaged")]
    [InlineData("blixard!!", "damaged")]
    public void A_bad_ticket_says_what_is_wrong(string text, string expected)
    {
        Assert.False(JoinTicket.TryParse(text, out _, out string? problem));
        Assert.Contains(expected, problem);
    }

    [Fact]
    public void Cut_and_changed_tickets_never_throw()
    {
        string whole = s_ticket.ToString();
        for (int length = 0; length < whole.Length; length++)
            Assert.False(JoinTicket.TryParse(whole[..length], out _, out _), $"cut to {length}");
        for (ulong seed = 0; seed < 5_000; seed++)
        {
            var random = new SeededRandomSource(seed);
            char[] text = whole.ToCharArray();
            text[random.NextBelow((ulong)text.Length)] = (char)random.NextBelow(128);
            if (!JoinTicket.TryParse(new string(text), out _, out string? problem))
                Assert.NotEmpty(problem);
        }
    }
}
