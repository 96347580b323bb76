using System.Net;
using Blixard.Testing.Basics;

namespace Iroh.Quic.Tests;

public sealed class RetryTests
{
    [Fact(Timeout = Patience.Test)]
    public async Task An_endpoint_that_always_asks_for_the_address_is_reached_over_a_Retry()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        await using QuicEndpoint server = QuicEndpoint.Create(new QuicEndpointOptions
        {
            LocalEndPoints = [new IPEndPoint(IPAddress.Loopback, 0), new IPEndPoint(IPAddress.IPv6Loopback, 0)],
            PrivateKeySeed = EndpointPair.Seed(1),
            ApplicationProtocols = [EndpointPair.Protocol],
            AlwaysRetries = true,
        });
        await using QuicEndpoint client = QuicEndpoint.Create(new QuicEndpointOptions
        {
            LocalEndPoints = [new IPEndPoint(IPAddress.Loopback, 0), new IPEndPoint(IPAddress.IPv6Loopback, 0)],
            PrivateKeySeed = EndpointPair.Seed(2),
        });

        // Both addresses get every first packet, and the token of one is of no use at the other.
        QuicConnection near = await client.ConnectAsync(
            new QuicConnectOptions { RemoteEndPoints = server.LocalEndPoints, ApplicationProtocols = [EndpointPair.Protocol] }, stop);
        QuicConnection far = (await server.AcceptAsync(stop))!;

        await near.SendDatagramAsync("hello"u8.ToArray(), stop);
        Assert.Equal("hello"u8.ToArray(), await far.ReceiveDatagramAsync(stop));
    }
}
