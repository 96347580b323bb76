using System.Net;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Client;
using Iroh.Relay.Protocol;
using Iroh.Relay.Server;
using Iroh.Relay.Server.Access;
using Iroh.Relay.Tests.Client;

namespace Iroh.Relay.Tests.Interop;

/// <summary>The client with the server of this repository.</summary>
public sealed class RelayServerTests
{
    private static readonly SecretKey s_alice = SecretKey.FromBytes([.. Enumerable.Repeat((byte)1, 32)]);
    private static readonly SecretKey s_bob = SecretKey.FromBytes([.. Enumerable.Repeat((byte)2, 32)]);

    private readonly RecordingReceiver _atAlice = new();
    private readonly RecordingReceiver _atBob = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Timeout = Patience.Test)]
    public async Task A_thousand_batches_go_through_in_order_while_pings_are_answered()
    {
        await using RelayServer server = await StartAsync();
        await using var alice = Connect(server, s_alice, _atAlice);
        await using var bob = Connect(server, s_bob, _atBob);
        await _atAlice.UntilAsync(RelayState.Connected);
        await _atBob.UntilAsync(RelayState.Connected);
        byte[] batch = new byte[10 * 1200];
        var random = new SeededRandomSource(11);
        for (int i = 0; i < 1_000; i++)
        {
            random.Fill(batch);
            BitConverter.TryWriteBytes(batch, i);
            Assert.True(alice.TrySend(s_bob.PublicKey, EcnCodepoint.Ect0, batch, 1200));
            ReceivedDatagrams received = await _atBob.NextDatagramsAsync();
            Assert.Equal((s_alice.PublicKey, EcnCodepoint.Ect0, 1200), (received.Source, received.Ecn, received.SegmentSize));
            Assert.True(batch.AsSpan().SequenceEqual(received.Payload), $"batch {i}");
        }

        Assert.NotNull(alice.Status.RoundTripTime);
        Assert.Equal((RelayVersion.V2, null), (alice.Status.Version, alice.Status.LastError));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_second_endpoint_with_the_same_id_is_reported_to_the_first_until_it_leaves()
    {
        await using RelayServer server = await StartAsync();
        await using var first = Connect(server, s_alice, _atAlice);
        await _atAlice.UntilAsync(RelayState.Connected);
        await using (var second = Connect(server, s_alice, _atBob))
            await _atAlice.UntilAsync(status => status.Health == RelayStatus.SameEndpointIdConnected);
        await _atAlice.UntilAsync(status => status.Health == RelayStatus.Healthy);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_peer_that_leaves_is_forgotten()
    {
        await using RelayServer server = await StartAsync();
        await using var pool = new RelayPool(new RelayPoolOptions { SecretKey = s_alice }, _atAlice);
        pool.KeepConnected([server.Url]);
        await _atAlice.UntilAsync(RelayState.Connected);
        await using (var bob = Connect(server, s_bob, _atBob))
        {
            await _atBob.UntilAsync(RelayState.Connected);
            bob.TrySend(s_alice.PublicKey, EcnCodepoint.NotEct, [1], 0);
            await _atAlice.NextDatagramsAsync();
            Assert.Equal([server.Url], pool.RelaysOf(s_bob.PublicKey));
        }

        Assert.Equal((server.Url, s_bob.PublicKey), await _atAlice.NextGoneAsync());
        Assert.Empty(pool.RelaysOf(s_bob.PublicKey));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_wrong_token_is_denied_and_the_right_one_is_not()
    {
        await using RelayServer server = await StartAsync(new TokenAccess(["s3cret"]));
        await using var wrong = new RelayClient(
            new RelayClientOptions { Url = server.Url, SecretKey = s_alice, Token = "guess" }, _atAlice);
        RelayClientStatus denied = await _atAlice.UntilAsync(RelayState.Denied);
        Assert.Contains("denies access", denied.LastError);
        await using var right = new RelayClient(
            new RelayClientOptions { Url = server.Url, SecretKey = s_bob, Token = "s3cret" }, _atBob);
        await _atBob.UntilAsync(RelayState.Connected);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_server_that_restarts_is_found_again()
    {
        RelayServer first = await StartAsync();
        IPEndPoint address = first.Http!;
        await using var alice = Connect(first, s_alice, _atAlice);
        await _atAlice.UntilAsync(RelayState.Connected);
        await first.StopAsync(Cancel);
        await first.DisposeAsync();
        await _atAlice.UntilAsync(RelayState.Connecting);
        await using RelayServer second = await RelayServer.StartAsync(new RelayServerOptions { Http = address }, Cancel);
        await _atAlice.UntilAsync(RelayState.Connected);
    }

    private static Task<RelayServer> StartAsync(AccessControl? access = null) => RelayServer.StartAsync(
        new RelayServerOptions
        {
            Http = new IPEndPoint(IPAddress.Loopback, 0),
            Relay = new RelayOptions { Access = access ?? AccessControl.Everyone },
        },
        Cancel);

    private static RelayClient Connect(RelayServer server, SecretKey key, RecordingReceiver receiver) =>
        new(new RelayClientOptions { Url = server.Url, SecretKey = key }, receiver);
}
