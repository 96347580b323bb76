using System.Text.Json.Nodes;
using Blixard.Testing.Basics;
using Iroh.Base;

namespace Iroh.Tests.Interop;

/// <summary>Our endpoint dials the real one.</summary>
public sealed class DialRealIrohTests(RealIroh real) : InteropSuite(real), IClassFixture<RealIroh>
{
    [Fact]
    public void Our_ticket_of_their_address_is_the_one_they_print() =>
        Assert.Equal(Real.TheirTicket, new EndpointTicket(EndpointTicket.Parse(Real.TheirTicket).Address).ToString());

    [Fact(Timeout = Patience.Test)]
    public async Task A_protocol_that_they_do_not_speak_is_refused_with_the_alert()
    {
        IrohConnectException exception = await Assert.ThrowsAsync<IrohConnectException>(
            () => Real.Ours.ConnectAsync(EndpointTicket.Parse(Real.TheirTicket).Address, "unknown/1", Cancel));
        Assert.Equal(IrohConnectFailure.ProtocolNotSupported, exception.Failure);
        Assert.Equal(0x178UL, exception.CloseReason!.Code);
        Assert.Contains("does not speak 'unknown/1'", exception.Message);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Another_endpoint_at_the_address_is_refused()
    {
        EndpointAddress address = EndpointTicket.Parse(Real.TheirTicket).Address;
        var wrong = new EndpointAddress(SecretKey.Generate().PublicKey, address.Addresses);
        IrohConnectException exception = await Assert.ThrowsAsync<IrohConnectException>(
            () => Real.Ours.ConnectAsync(wrong, RealIroh.Protocol, Cancel));
        Assert.Equal(IrohConnectFailure.WrongEndpointId, exception.Failure);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_retry_of_theirs_is_followed_to_a_connection()
    {
        JsonNode bound = await Real.CallAsync("bind", new { alpns = new[] { RealIroh.Protocol }, address = "127.0.0.1:0", retry = true });
        Task<JsonNode> accepted = Real.CallAsync("accept", new { endpoint = bound["endpoint"]!.GetValue<int>() });
        EndpointAddress address = EndpointTicket.Parse(bound["ticket"]!.GetValue<string>()).Address;
        await using IrohConnection connection = await Real.Ours.ConnectAsync(address, RealIroh.Protocol, Cancel);
        Assert.Equal(address.Id, connection.RemoteId);
        Assert.Equal(Real.Ours.Id.ToString(), (await accepted)["remoteId"]!.GetValue<string>());
    }

    private protected override Task<InteropConnection> ConnectAsync() => Real.DialTheirsAsync();
}
