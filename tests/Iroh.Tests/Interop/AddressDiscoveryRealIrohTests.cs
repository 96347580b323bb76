using System.Net;
using System.Text.Json.Nodes;
using Blixard.Testing.Basics;
using Iroh.Relay.Server.AddressDiscovery;

namespace Iroh.Tests.Interop;

/// <summary>The real endpoint asks our server for its address. It does so only on machines with an address that is not loopback.</summary>
public sealed class AddressDiscoveryRealIrohTests
{
    [Fact(Timeout = Patience.Test)]
    public async Task Their_endpoint_learns_its_address_from_our_server()
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(60)); // They ask again after 20 to 26 s.
        CancellationToken stop = limit.Token;
        using var folder = new TrustingPeerFolder();
        (string certificate, string key) = folder.Issue("localhost");
        await using AddressDiscoveryServer server = await AddressDiscoveryServer.StartAsync(
            new AddressDiscoveryOptions
            {
                Bind = [new IPEndPoint(IPAddress.Loopback, 0)],
                CertificateFile = certificate,
                KeyFile = key,
            },
            stop);
        await using IrohPeer peer = IrohPeer.Start(folder: folder.Path);

        // The relay itself is not there; address discovery does not need it.
        JsonNode bound = await peer.CallAsync(
            "bind",
            new { address = "0.0.0.0:0", relays = new[] { new { url = "http://localhost:9", quicPort = server.LocalEndPoints[0].Port } } },
            stop);
        while (true)
        {
            // Loopback is no interface that they take addresses from: this one can only have come from us.
            JsonNode known = await peer.CallAsync("directAddresses", new { endpoint = bound["endpoint"]!.GetValue<int>() }, stop);
            string[] addresses = [.. known["directAddresses"]!.AsArray().Select(address => address!.GetValue<string>())];
            if (Array.Find(addresses, address => address.StartsWith("127.0.0.1:", StringComparison.Ordinal)) is { } seen)
            {
                int port = IPEndPoint.Parse(seen).Port;
                Assert.Contains(addresses, address => address != seen && IPEndPoint.Parse(address).Port == port);
                break;
            }

            await Task.Delay(100, stop);
        }

        Assert.InRange(server.ConnectionCount, 1, 2);
    }
}
