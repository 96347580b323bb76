using System.Net;
using System.Text.Json.Nodes;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Client;
using Iroh.Relay.Server;
using Iroh.Relay.Tests.Client;

namespace Iroh.Relay.Tests.Interop;

/// <summary>The client on one relay with a real iroh endpoint.</summary>
public sealed class RealIrohTests
{
    private static readonly SecretKey s_key = SecretKey.FromBytes([.. Enumerable.Repeat((byte)3, 32)]);

    [Fact(Timeout = Patience.Test)]
    public async Task The_packets_of_a_real_endpoint_that_dials_over_the_relay_arrive()
    {
        CancellationToken cancel = TestContext.Current.CancellationToken;
        await using RelayServer server = await RelayServer.StartAsync(
            new RelayServerOptions { Http = new IPEndPoint(IPAddress.Loopback, 0) }, cancel);
        var receiver = new RecordingReceiver();
        await using var client = new RelayClient(new RelayClientOptions { Url = server.Url, SecretKey = s_key }, receiver);
        await receiver.UntilAsync(RelayState.Connected);

        await using IrohPeer peer = IrohPeer.Start();
        JsonNode bound = await peer.CallAsync(
            "bind", new { alpns = new[] { "interop/1" }, relays = new[] { new { url = server.Url.ToString() } } }, cancel);
        EndpointId theirs = EndpointId.Parse(bound["endpointId"]!.GetValue<string>());
        JsonNode online = await peer.CallAsync("online", new { endpoint = bound["endpoint"]!.GetValue<int>() }, cancel);
        Assert.Equal(server.Url.ToString(), online["relayUrl"]!.GetValue<string>());

        string ticket = new EndpointTicket(new EndpointAddress(s_key.PublicKey, [TransportAddress.Relay(server.Url)])).ToString();
        Task<JsonNode> dialling = peer.CallAsync("connect", new { endpoint = bound["endpoint"]!.GetValue<int>(), ticket, alpn = "interop/1" }, cancel);
        ReceivedDatagrams initial = await receiver.NextDatagramsAsync();
        Assert.Equal((theirs, EcnCodepoint.Ect0, 1200), (initial.Source, initial.Ecn, initial.Payload.Length));
        // A long header of QUIC version 1 (RFC 9000 §17.2.2).
        Assert.Equal(0xc0, initial.Payload[0] & 0xf0);
        Assert.Equal([0, 0, 0, 1], initial.Payload[1..5]);
        Assert.False(dialling.IsCompleted);

        await peer.CallAsync("closeEndpoint", new { endpoint = bound["endpoint"]!.GetValue<int>() }, cancel);
        Assert.Equal((server.Url, theirs), await receiver.NextGoneAsync());
        await Assert.ThrowsAsync<IrohPeerException>(() => dialling);
    }
}
