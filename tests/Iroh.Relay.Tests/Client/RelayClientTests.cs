using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Client;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Tests.Client;

public sealed class RelayClientTests
{
    private static readonly SecretKey s_alice = SecretKey.FromBytes([.. Enumerable.Repeat((byte)1, 32)]);
    private static readonly SecretKey s_bob = SecretKey.FromBytes([.. Enumerable.Repeat((byte)2, 32)]);

    private readonly RecordingReceiver _atAlice = new();

    [Fact(Timeout = Patience.Test)]
    public async Task Two_clients_exchange_datagrams_and_batches_through_a_relay()
    {
        await using var relay = new FakeRelay();
        var atBob = new RecordingReceiver();
        await using RelayClient alice = Connect(relay);
        await using var bob = new RelayClient(new RelayClientOptions { Url = relay.Url, SecretKey = s_bob }, atBob);
        await _atAlice.UntilAsync(RelayState.Connected);
        await atBob.UntilAsync(RelayState.Connected);

        Assert.True(alice.TrySend(s_bob.PublicKey, EcnCodepoint.Ect0, "one"u8, 0));
        ReceivedDatagrams one = await atBob.NextDatagramsAsync();
        Assert.Equal((s_alice.PublicKey, EcnCodepoint.Ect0, 3, relay.Url), (one.Source, one.Ecn, one.SegmentSize, one.Relay));
        Assert.Equal("one"u8, one.Payload);

        byte[] batch = new byte[(10 * 1452) - 100];
        new SeededRandomSource(4).Fill(batch);
        Assert.True(bob.TrySend(s_alice.PublicKey, EcnCodepoint.CongestionExperienced, batch, 1452));
        ReceivedDatagrams ten = await _atAlice.NextDatagramsAsync();
        Assert.Equal((s_bob.PublicKey, EcnCodepoint.CongestionExperienced, 1452), (ten.Source, ten.Ecn, ten.SegmentSize));
        Assert.Equal(batch, ten.Payload);
        Assert.Equal((1, 3), (bob.Statistics.DatagramsReceived, bob.Statistics.BytesReceived));
        Assert.Equal((10, batch.Length), (alice.Statistics.DatagramsReceived, alice.Statistics.BytesReceived));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_batch_above_a_frames_size_goes_out_in_several()
    {
        await using var relay = new FakeRelay();
        await using RelayClient alice = Connect(relay);
        FakeRelayClient client = await relay.NextClientAsync();
        byte[] batch = new byte[(100 * 1452) + 1];
        new SeededRandomSource(10).Fill(batch);
        Assert.True(alice.TrySend(s_bob.PublicKey, EcnCodepoint.Ect0, batch, 1452));
        var arrived = new List<byte>();
        while (arrived.Count < batch.Length)
        {
            byte[] message = await client.NextMessageAsync();
            Assert.True(RelayFrame.TryRead(message, RelayRole.Client, RelayVersion.V2, out RelayFrame frame, out _));
            Assert.True(frame.SegmentSize == 1452 || frame.Payload.Length <= 1452);
            arrived.AddRange(frame.Payload);
        }

        Assert.Equal(batch, arrived);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_datagram_above_a_frames_size_is_dropped_and_counted()
    {
        await using var relay = new FakeRelay();
        await using RelayClient alice = Connect(relay);
        Assert.False(alice.TrySend(s_bob.PublicKey, EcnCodepoint.Ect0, new byte[RelayFrame.PayloadLengthMax + 1], 0));
        Assert.Equal(1, alice.Statistics.DroppedQueueFull);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task What_is_sent_while_dialling_goes_out_with_the_connection()
    {
        await using var relay = new FakeRelay();
        await using RelayClient alice = Connect(relay);
        Assert.True(alice.TrySend(s_bob.PublicKey, EcnCodepoint.Ect0, [1], 0));
        FakeRelayClient client = await relay.NextClientAsync();
        Assert.Equal(1, (await client.NextMessageAsync())[^1]);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task What_waits_too_long_is_dropped_and_counted()
    {
        var time = new ManualTimeProvider();
        await using var relay = new FakeRelay { IsMute = true };
        await using var alice = new RelayClient(new RelayClientOptions { Url = relay.Url, SecretKey = s_alice, TimeProvider = time }, _atAlice);
        Assert.True(alice.TrySend(s_bob.PublicKey, EcnCodepoint.Ect0, new byte[10], 3));
        time.Advance(TimeSpan.FromSeconds(3.1));
        Assert.Equal(4, alice.Statistics.DroppedNotConnected);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task The_relays_ping_is_answered_with_its_bytes()
    {
        await using var relay = new FakeRelay();
        await using RelayClient alice = Connect(relay);
        FakeRelayClient client = await relay.NextClientAsync();
        await client.SendAsync([9, 1, 2, 3, 4, 5, 6, 7, 8]);
        Assert.Equal([10, 1, 2, 3, 4, 5, 6, 7, 8], await client.NextMessageAsync());
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_pong_gives_the_round_trip_time()
    {
        await using var relay = new FakeRelay();
        await using RelayClient alice = Connect(relay);
        await _atAlice.UntilAsync(RelayState.Connected);
        while (alice.Status.RoundTripTime is null)
            await Task.Delay(5, TestContext.Current.CancellationToken);
        RelayClientStatus status = alice.Status;
        Assert.InRange(status.RoundTripTime!.Value, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.Equal(RelayVersion.V2, status.Version);
        Assert.NotNull(status.Silence);
        Assert.NotNull(status.LocalEndPoint);
        Assert.Null(status.LastError);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_cut_connection_is_told_at_once_and_made_again()
    {
        await using var relay = new FakeRelay();
        await using RelayClient alice = Connect(relay);
        FakeRelayClient client = await relay.NextClientAsync();
        await _atAlice.UntilAsync(RelayState.Connected);
        client.Cut();
        RelayClientStatus lost = await _atAlice.UntilAsync(RelayState.Connecting);
        Assert.Contains(relay.Url.ToString(), lost.LastError);
        await _atAlice.UntilAsync(RelayState.Connected);
        Assert.Equal(s_alice.PublicKey, (await relay.NextClientAsync()).Id);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_restarted_relay_is_found_again()
    {
        int port;
        RelayClient alice;
        await using (var first = new FakeRelay())
        {
            port = first.Port;
            alice = Connect(first);
            await _atAlice.UntilAsync(RelayState.Connected);
        }

        await _atAlice.UntilAsync(RelayState.Connecting);
        await using var second = new FakeRelay(port);
        Assert.Equal(s_alice.PublicKey, (await second.NextClientAsync()).Id);
        await alice.DisposeAsync();
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_relay_that_answers_no_ping_is_left_after_5_s()
    {
        var time = new ManualTimeProvider();
        await using var relay = new FakeRelay { IgnoresPings = true };
        await using var alice = new RelayClient(new RelayClientOptions { Url = relay.Url, SecretKey = s_alice, TimeProvider = time }, _atAlice);
        await _atAlice.UntilAsync(RelayState.Connected);
        await time.UntilTimerAsync(TimeSpan.FromSeconds(4.9), TimeSpan.FromSeconds(5.1));
        time.Advance(TimeSpan.FromSeconds(5.1));
        RelayClientStatus lost = await _atAlice.UntilAsync(RelayState.Connecting);
        Assert.Contains("never answered a ping", lost.LastError);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_denied_client_waits_at_least_5_s_and_says_why()
    {
        var time = new ManualTimeProvider();
        await using var relay = new FakeRelay { Denial = "not on the list" };
        await using var alice = new RelayClient(new RelayClientOptions { Url = relay.Url, SecretKey = s_alice, TimeProvider = time }, _atAlice);
        RelayClientStatus denied = await _atAlice.UntilAsync(RelayState.Denied);
        Assert.Contains("not on the list", denied.LastError);
        relay.Denial = null;
        TimeSpan passed = TimeSpan.Zero;
        while (alice.State != RelayState.Connected)
        {
            Assert.True(passed >= TimeSpan.FromSeconds(4.9) || relay.Connections == 1, $"dialled again after {passed}");
            time.Advance(TimeSpan.FromSeconds(0.1));
            passed += TimeSpan.FromSeconds(0.1);
            // A dial takes real time, of which its limit of 10 s leaves a second here.
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Another_endpoint_with_the_same_id_is_reported()
    {
        await using var relay = new FakeRelay();
        await using RelayClient alice = Connect(relay);
        FakeRelayClient client = await relay.NextClientAsync();
        await client.SendAsync([13, 1]);
        await _atAlice.UntilAsync(status => status.Health == RelayStatus.SameEndpointIdConnected);
        await client.SendAsync([13, 2]);
        await _atAlice.UntilAsync(status => status.Health == RelayStatus.RateLimited);
        await client.SendAsync([13, 0]);
        RelayClientStatus well = await _atAlice.UntilAsync(status => status.Health == RelayStatus.Healthy);
        Assert.Equal(RelayState.Connected, well.State);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_relay_of_version_1_says_it_in_words()
    {
        await using var relay = new FakeRelay { Subprotocol = RelayVersion.V1.ToSubprotocol() };
        await using RelayClient alice = Connect(relay);
        FakeRelayClient client = await relay.NextClientAsync();
        await client.SendAsync([11, .. "busy"u8]);
        RelayClientStatus status = await _atAlice.UntilAsync(status => status.HealthText == "busy");
        Assert.Equal((RelayState.Connected, RelayVersion.V1), (status.State, status.Version));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_peer_that_has_gone_is_reported()
    {
        await using var relay = new FakeRelay();
        await using RelayClient alice = Connect(relay);
        FakeRelayClient client = await relay.NextClientAsync();
        byte[] frame = new byte[33];
        RelayFrameWriter.WriteEndpointGone(frame, s_bob.PublicKey);
        await client.SendAsync(frame);
        Assert.Equal((relay.Url, s_bob.PublicKey), await _atAlice.NextGoneAsync());
    }

    [Theory(Timeout = Patience.Test)]
    [InlineData("")]
    [InlineData("0e")]
    [InlineData("02")]
    [InlineData("0b61")]
    [InlineData("0901")]
    [InlineData("0802" + "00000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("0602" + "000000000000000000000000000000000000000000000000000000000000000001")]
    public async Task A_relay_that_breaks_the_protocol_is_left_and_dialled_again(string hex)
    {
        await using var relay = new FakeRelay();
        await using RelayClient alice = Connect(relay);
        await (await relay.NextClientAsync()).SendAsync(Convert.FromHexString(hex));
        RelayClientStatus lost = await _atAlice.UntilAsync(status => status.State == RelayState.Connecting && status.LastError is not null);
        Assert.Contains("broke the relay protocol", lost.LastError);
        await relay.NextClientAsync();
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_deaf_relay_makes_the_client_drop_and_not_grow()
    {
        await using var relay = new FakeRelay();
        await using RelayClient alice = Connect(relay);
        FakeRelayClient client = await relay.NextClientAsync();
        await _atAlice.UntilAsync(RelayState.Connected);
        client.IsDeaf = true;
        byte[] payload = new byte[60_000];
        // What the kernels hold is some megabytes at most.
        for (int i = 0; i < 2_000 && alice.Statistics.DroppedQueueFull < 50; i++)
            alice.TrySend(s_bob.PublicKey, EcnCodepoint.Ect0, payload, 1200);
        Assert.True(alice.Statistics.DroppedQueueFull >= 50);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_relay_announcing_a_restart_is_dialled_when_it_says()
    {
        var time = new ManualTimeProvider();
        await using var relay = new FakeRelay();
        await using var alice = new RelayClient(new RelayClientOptions { Url = relay.Url, SecretKey = s_alice, TimeProvider = time }, _atAlice);
        FakeRelayClient client = await relay.NextClientAsync();
        await _atAlice.UntilAsync(RelayState.Connected);
        byte[] frame = new byte[9];
        RelayFrameWriter.WriteRestarting(frame, TimeSpan.FromSeconds(40), TimeSpan.FromSeconds(10));
        await client.SendAsync(frame);
        await client.SendAsync([13, 2]);
        await _atAlice.UntilAsync(status => status.Health == RelayStatus.RateLimited);
        client.Cut();
        await _atAlice.UntilAsync(RelayState.Connecting);
        // The next thing that is due is to drop what waits; only then has the client come to rest.
        await time.UntilTimerAsync(TimeSpan.FromSeconds(2.9), TimeSpan.FromSeconds(3.1));
        time.Advance(TimeSpan.FromSeconds(39.8));
        Assert.Equal(1, relay.Connections);
        time.Advance(TimeSpan.FromSeconds(0.3));
        await relay.NextClientAsync();
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_lost_address_makes_a_new_connection()
    {
        await using var relay = new FakeRelay();
        await using RelayClient alice = Connect(relay);
        await relay.NextClientAsync();
        await _atAlice.UntilAsync(RelayState.Connected);
        alice.OnNetworkChange(_ => true);
        Assert.Equal(RelayState.Connected, alice.State);
        alice.OnNetworkChange(_ => false);
        await relay.NextClientAsync();
        await _atAlice.UntilAsync(RelayState.Connected);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Disposing_closes_and_is_told()
    {
        await using var relay = new FakeRelay();
        RelayClient alice = Connect(relay);
        FakeRelayClient client = await relay.NextClientAsync();
        await _atAlice.UntilAsync(RelayState.Connected);
        await alice.DisposeAsync();
        await client.SaidGoodbye.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        Assert.Equal(RelayState.Closed, _atAlice.History.Last().State);
        Assert.False(alice.TrySend(s_bob.PublicKey, EcnCodepoint.Ect0, [1], 0));
        await alice.DisposeAsync();
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Disposing_while_dialling_does_not_wait_for_the_dial()
    {
        await using var relay = new FakeRelay { IsMute = true };
        RelayClient alice = Connect(relay);
        await alice.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(8), TestContext.Current.CancellationToken);
    }

    private RelayClient Connect(FakeRelay relay) => new(new RelayClientOptions { Url = relay.Url, SecretKey = s_alice }, _atAlice);
}
