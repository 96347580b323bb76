using System.Collections.Concurrent;
using System.Net;
using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Client;

namespace Iroh.Relay.Server.Tests.Relaying;

public class RestartTests
{
    private const int Clients = 1000;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Timeout = 120_000)]
    public async Task A_thousand_clients_come_back_to_a_relay_that_was_killed_and_started_again()
    {
        var watch = new Watch();
        RelayServer first = await RelayServer.StartAsync(new RelayServerOptions { Http = new IPEndPoint(IPAddress.Loopback, 0) }, Cancel);
        IPEndPoint place = first.Http!;
        RelayClient[] clients =
        [
            .. Enumerable.Range(0, Clients).Select(_ =>
            {
                SecretKey key = SecretKey.Generate();
                return new RelayClient(new RelayClientOptions { Url = first.Url, SecretKey = key }, watch.For(key.PublicKey));
            }),
        ];
        try
        {
            await watch.UntilConnectedAsync(Clients);
            Assert.Equal(Clients, first.Relay.ClientCount);

            // As a kill: nobody is told.
            await first.DisposeAsync();
            await using RelayServer second = await RelayServer.StartAsync(new RelayServerOptions { Http = place }, Cancel);
            await watch.UntilAsync(() => second.Relay.ClientCount == Clients);
            await watch.UntilConnectedAsync(Clients);
        }
        finally
        {
            await Task.WhenAll(clients.Select(client => client.DisposeAsync().AsTask()));
        }
    }

    /// <summary>Counts which clients are connected.</summary>
    private sealed class Watch
    {
        private readonly ConcurrentDictionary<EndpointId, bool> _connected = new();

        public IRelayReceiver For(EndpointId id) => new Receiver(this, id);

        public Task UntilConnectedAsync(int count) => UntilAsync(() => _connected.Count == count);

        public async Task UntilAsync(Func<bool> condition)
        {
            while (!condition())
                await Task.Delay(20, Cancel);
        }

        private sealed class Receiver(Watch watch, EndpointId id) : IRelayReceiver
        {
            public void OnDatagrams(RelayUrl relay, EndpointId source, EcnCodepoint ecn, Span<byte> payload, int segmentSize)
            {
            }

            public void OnPeerGone(RelayUrl relay, EndpointId peer)
            {
            }

            public void OnStatusChanged(RelayClientStatus status)
            {
                if (status.State == RelayState.Connected)
                    watch._connected[id] = true;
                else
                    watch._connected.TryRemove(id, out _);
            }
        }
    }
}
