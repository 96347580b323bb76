using System.Text.Json;
using Iroh.Base;

namespace Iroh.Docs;

public sealed class DocTicketTests
{
    [Fact]
    public void Tickets_of_iroh_1x_are_read_and_written_character_for_character()
    {
        foreach (JsonElement vector in Vector.Load("doc-tickets.json").GetProperty("v1x").GetProperty("vectors").EnumerateArray())
        {
            string text = vector.Text("ticket");
            Assert.True(DocTicket.TryParse(text, out DocTicket? ticket, out string? problem), problem);
            Assert.Equal(vector.Text("namespace"), ticket.Capability.Id.ToString());
            Assert.Equal(vector.Text("capability") == "Write", ticket.Capability.CanWrite);
            Assert.Equal(vector.GetProperty("nodes").EnumerateArray().Select(node => node.Text("id")), ticket.Nodes.Select(node => node.Id.ToString()));
            // Relay URLs are normalised when they are written, as iroh does; one vector has none of it.
            if (!vector.GetRawText().Contains("http://127.0.0.1:3340\"", StringComparison.Ordinal))
                Assert.Equal(text, ticket.ToString());
            Assert.Equal(ticket, DocTicket.Parse("doc" + text[3..].ToUpperInvariant()));
        }
    }

    [Fact]
    public void Tickets_of_the_old_layout_are_named_as_such()
    {
        foreach (JsonElement vector in Vector.Load("doc-tickets.json").GetProperty("v0_35").GetProperty("vectors").EnumerateArray())
        {
            Assert.False(DocTicket.TryParse(vector.Text("ticket"), out _, out string? problem));
            Assert.Contains("iroh-docs 0.93 or older", problem, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_is_wrong_with_a_text_is_said()
    {
        string text = Vector.Load("doc-tickets.json").GetProperty("v1x").GetProperty("vectors")[0].Text("ticket");
        Assert.Contains("does not start with 'doc'", Problem("blob" + text), StringComparison.Ordinal);
        Assert.Contains("not base 32", Problem(text + "!"), StringComparison.Ordinal);
        Assert.Contains("Was it cut off", Problem(text[..^16]), StringComparison.Ordinal);
        Assert.Contains("characters", Problem("doc" + new string('a', DocTicket.TextLengthMax)), StringComparison.Ordinal);
        var none = new Iroh.Base.Serialization.PostcardWriter();
        none.WriteByte(0);
        DocTicket.Parse(text).Capability.Write(none);
        none.WriteByte(0);
        Assert.Contains("names no node", Problem("doc" + Iroh.Base.Serialization.Base32.Encode(none.Written)), StringComparison.Ordinal);

        static string Problem(string text)
        {
            Assert.False(DocTicket.TryParse(text, out _, out string? problem));
            return problem;
        }
    }

    [Fact]
    public void Several_nodes_come_back_in_order()
    {
        EndpointAddress[] nodes = [.. Enumerable.Range(1, 5).Select(i => new EndpointAddress(
            SecretKey.FromBytes(Enumerable.Repeat((byte)i, 32).ToArray()).PublicKey,
            [TransportAddress.Ip(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, i))]))];
        var ticket = new DocTicket(DocumentCapability.Write(NamespaceSecret.FromSeed(new byte[32])), nodes);
        DocTicket read = DocTicket.Parse(ticket.ToString());
        Assert.Equal(nodes, read.Nodes);
        Assert.Equal(ticket, read);
        Assert.Equal(ticket.Capability.Secret!.ExportText(), read.Capability.Secret!.ExportText());
    }
}
