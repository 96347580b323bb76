using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Client;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Tests.Client;

public sealed class RelayPoolTests : IAsyncDisposable
{
    private static readonly SecretKey s_alice = SecretKey.FromBytes([.. Enumerable.Repeat((byte)1, 32)]);
    private static readonly EndpointId s_bob = SecretKey.FromBytes([.. Enumerable.Repeat((byte)2, 32)]).PublicKey;

    private readonly FakeRelay _home = new();
    private readonly FakeRelay _other = new();
    private readonly RecordingReceiver _receiver = new();
    private readonly ManualTimeProvider _time = new();

    public async ValueTask DisposeAsync()
    {
        await _home.DisposeAsync();
        await _other.DisposeAsync();
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Kept_relays_are_connected_to_without_traffic_and_stay()
    {
        await using RelayPool pool = Create();
        pool.KeepConnected([_home.Url]);
        await _home.NextClientAsync();
        await _receiver.UntilAsync(RelayState.Connected);
        await PassAsync(TimeSpan.FromMinutes(5), pool);
        Assert.Equal(RelayState.Connected, pool.GetStatus(_home.Url)!.State);
        Assert.Equal(_home.Url, Assert.Single(pool.Statuses).Url);
        Assert.Equal(1, _home.Connections);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_relay_of_a_peers_address_is_connected_to_on_demand_and_left_after_60_s_without_sending()
    {
        await using RelayPool pool = Create();
        Assert.True(pool.TrySend(_other.Url, s_bob, EcnCodepoint.Ect0, [7], 0));
        FakeRelayClient client = await _other.NextClientAsync();
        Assert.Equal(7, (await client.NextMessageAsync())[^1]);
        await HearBobAsync(client);
        await PassAsync(TimeSpan.FromSeconds(50), pool);
        Assert.True(pool.TrySend(_other.Url, s_bob, EcnCodepoint.Ect0, [8], 0));
        Assert.Equal(8, (await client.NextMessageAsync())[^1]);
        await HearBobAsync(client);
        await PassAsync(TimeSpan.FromSeconds(50), pool);
        Assert.Equal(RelayState.Connected, pool.GetStatus(_other.Url)!.State);
        Assert.False(client.SaidGoodbye.IsCompleted);
        await PassAsync(TimeSpan.FromSeconds(15), pool);
        Assert.Null(pool.GetStatus(_other.Url));
        await client.SaidGoodbye.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_relay_that_is_kept_no_longer_stays_for_60_s_and_is_then_left()
    {
        await using RelayPool pool = Create();
        pool.KeepConnected([_home.Url]);
        FakeRelayClient client = await _home.NextClientAsync();
        await _receiver.UntilAsync(RelayState.Connected);
        await PassAsync(TimeSpan.FromSeconds(100), pool);
        pool.KeepConnected([_other.Url]);
        await _other.NextClientAsync();
        await PassAsync(TimeSpan.FromSeconds(50), pool);
        Assert.Equal(RelayState.Connected, pool.GetStatus(_home.Url)!.State);
        await PassAsync(TimeSpan.FromSeconds(20), pool);
        Assert.Null(pool.GetStatus(_home.Url));
        await client.SaidGoodbye.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Another_relay_that_heard_the_peer_carries_what_the_asked_one_cannot()
    {
        await using RelayPool pool = Create();
        pool.KeepConnected([_home.Url]);
        FakeRelayClient client = await _home.NextClientAsync();
        await HearBobAsync(client);
        Assert.Equal([_home.Url], pool.RelaysOf(s_bob));

        Assert.True(pool.TrySend(_other.Url, s_bob, EcnCodepoint.Ect0, [9], 0));
        Assert.Equal(9, (await client.NextMessageAsync())[^1]);
        Assert.Null(pool.GetStatus(_other.Url));

        byte[] gone = new byte[33];
        RelayFrameWriter.WriteEndpointGone(gone, s_bob);
        await client.SendAsync(gone);
        await _receiver.NextGoneAsync();
        Assert.Empty(pool.RelaysOf(s_bob));
        Assert.True(pool.TrySend(_other.Url, s_bob, EcnCodepoint.Ect0, [10], 0));
        Assert.Equal(10, (await (await _other.NextClientAsync()).NextMessageAsync())[^1]);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_connected_relay_carries_what_it_is_asked_to_though_another_heard_the_peer()
    {
        await using RelayPool pool = Create();
        pool.KeepConnected([_home.Url, _other.Url]);
        FakeRelayClient atHome = await _home.NextClientAsync();
        FakeRelayClient atOther = await _other.NextClientAsync();
        await _receiver.UntilAsync(RelayState.Connected);
        await _receiver.UntilAsync(RelayState.Connected);
        await HearBobAsync(atHome);
        Assert.True(pool.TrySend(_other.Url, s_bob, EcnCodepoint.Ect0, [9], 0));
        Assert.Equal(9, (await atOther.NextMessageAsync())[^1]);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_lost_home_relay_is_told_at_once_with_the_reason()
    {
        await using RelayPool pool = Create();
        pool.KeepConnected([_home.Url]);
        await _receiver.UntilAsync(RelayState.Connected);
        await _home.DisposeAsync();
        RelayClientStatus lost = await _receiver.UntilAsync(RelayState.Connecting);
        Assert.Equal(_home.Url, lost.Url);
        Assert.NotNull(lost.LastError);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Each_relay_gets_its_own_token()
    {
        await using var pool = new RelayPool(
            new RelayPoolOptions { SecretKey = s_alice, TokenOf = url => url.Equals(_home.Url) ? "at-home" : null }, _receiver);
        pool.KeepConnected([_home.Url, _other.Url]);
        await _home.NextClientAsync();
        await _other.NextClientAsync();
        Assert.Contains("authorization: Bearer at-home\r\n", Assert.Single(_home.Requests));
        Assert.DoesNotContain("authorization", Assert.Single(_other.Requests));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Addresses_cannot_open_any_number_of_connections()
    {
        await using RelayPool pool = Create();
        int opened = 0;
        for (int i = 0; i < 2 * RelayPool.RelaysMax; i++)
            opened += pool.TrySend(RelayUrl.Parse($"{_other.Url}?{i}"), s_bob, EcnCodepoint.Ect0, [1], 0) ? 1 : 0;
        Assert.Equal(RelayPool.RelaysMax, opened);
        Assert.Equal(RelayPool.RelaysMax, pool.Statuses.Count);
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.True(pool.TrySend(_home.Url, s_bob, EcnCodepoint.Ect0, [1], 0));
        Assert.Equal(RelayPool.RelaysMax, pool.Statuses.Count);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Statistics_add_up_over_all_relays()
    {
        await using RelayPool pool = Create();
        pool.KeepConnected([_home.Url, _other.Url]);
        FakeRelayClient atHome = await _home.NextClientAsync();
        FakeRelayClient atOther = await _other.NextClientAsync();
        await HearBobAsync(atHome);
        await HearBobAsync(atOther);
        Assert.Equal((2, 2), (pool.Statistics.DatagramsReceived, pool.Statistics.BytesReceived));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_disposed_pool_sends_nothing()
    {
        RelayPool pool = Create();
        pool.KeepConnected([_home.Url]);
        FakeRelayClient client = await _home.NextClientAsync();
        await _receiver.UntilAsync(RelayState.Connected);
        await pool.DisposeAsync();
        await client.SaidGoodbye.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        Assert.False(pool.TrySend(_home.Url, s_bob, EcnCodepoint.Ect0, [1], 0));
        Assert.Empty(pool.Statuses);
    }

    private RelayPool Create() => new(new RelayPoolOptions { SecretKey = s_alice, TimeProvider = _time }, _receiver);

    private async Task HearBobAsync(FakeRelayClient client)
    {
        byte[] frame = new byte[RelayFrame.DatagramHeaderLength + 1];
        RelayFrameWriter.WriteDatagram(frame, RelayRole.Relay, s_bob, EcnCodepoint.NotEct, 0, [1]);
        await client.SendAsync(frame);
        await _receiver.NextDatagramsAsync();
    }

    // Moves the clock in steps that are shorter than the time-out of a pong, and lets each ping be answered in real time.
    private async Task PassAsync(TimeSpan time, RelayPool pool)
    {
        TimeSpan step = TimeSpan.FromSeconds(0.4);
        for (TimeSpan passed = TimeSpan.Zero; passed < time; passed += step)
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
            while (!pool.IsAtRest)
                await Task.Delay(1, patience.Token);
            _time.Advance(step);
        }
    }
}
