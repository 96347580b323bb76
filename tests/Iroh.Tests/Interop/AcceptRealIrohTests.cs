using System.Text.Json.Nodes;
using Blixard.Testing.Basics;
using Iroh.Base;

namespace Iroh.Tests.Interop;

/// <summary>The real endpoint dials ours.</summary>
public sealed class AcceptRealIrohTests(RealIroh real) : InteropSuite(real), IClassFixture<RealIroh>
{
    [Fact(Timeout = Patience.Test)]
    public async Task They_read_our_ticket_and_print_the_same()
    {
        string ticket = Real.Ours.Ticket.ToString();
        JsonNode parsed = await Real.CallAsync("parseTicket", new { ticket });
        Assert.Equal(Real.Ours.Id.ToString(), parsed["endpointId"]!.GetValue<string>());
        Assert.Equal(
            Real.Ours.Address.DirectAddresses.Select(address => address.ToString()),
            parsed["directAddresses"]!.AsArray().Select(address => address!.GetValue<string>()));
        Assert.Equal(ticket, parsed["again"]!.GetValue<string>());
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_protocol_that_we_do_not_speak_is_refused_with_the_alert()
    {
        IrohPeerException exception = await Assert.ThrowsAsync<IrohPeerException>(
            () => Real.TheirsDialAsync(Real.Ours.Ticket.ToString(), "unknown/1"));
        Assert.Contains("error 120", exception.Message); // no_application_protocol
    }

    [Fact(Timeout = Patience.Test)]
    public async Task They_refuse_us_under_another_id()
    {
        var wrong = new EndpointTicket(new EndpointAddress(SecretKey.Generate().PublicKey, Real.Ours.Address.Addresses));
        await Assert.ThrowsAsync<IrohPeerException>(() => Real.TheirsDialAsync(wrong.ToString(), RealIroh.Protocol));
    }

    private protected override Task<InteropConnection> ConnectAsync() => Real.AcceptTheirsAsync();
}
