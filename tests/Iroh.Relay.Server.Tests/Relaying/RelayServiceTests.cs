using System.Buffers.Binary;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Protocol;
using Iroh.Relay.Server.Access;
using Iroh.Relay.Server.Clients;

namespace Iroh.Relay.Server.Tests.Relaying;

/// <summary>A relay without sockets, under a clock that tests move.</summary>
public sealed class RelayServiceTests : IAsyncDisposable
{
    private readonly ManualTimeProvider _time = new();
    private readonly List<FrameClient> _clients = [];
    private RelayService? _relay;

    private RelayService Relay => _relay ??= new RelayService(new RelayOptions { Time = _time });

    [Fact]
    public async Task Datagrams_and_batches_reach_their_destination_under_the_senders_id_and_otherwise_unchanged()
    {
        FrameClient one = await JoinAsync(), two = await JoinAsync();
        foreach ((EcnCodepoint ecn, ushort segmentSize, int length) in new[] { ((EcnCodepoint)3, (ushort)0, 1), ((EcnCodepoint)2, (ushort)1200, 12_000), ((EcnCodepoint)0, (ushort)0, 65_500) })
        {
            byte[] payload = new byte[length];
            new Random(length).NextBytes(payload);
            await one.SendDatagramAsync(two.Id, payload, ecn, segmentSize);
            byte[] expected = new byte[RelayFrame.BatchHeaderLength + length];
            int size = RelayFrameWriter.WriteDatagram(expected, RelayRole.Relay, one.Id, ecn, segmentSize, payload);
            Assert.Equal(expected[..size], await two.ReceiveAsync());
        }
    }

    [Fact]
    public async Task What_is_sent_to_somebody_who_is_not_here_is_dropped_and_counted()
    {
        FrameClient one = await JoinAsync();
        await one.SendDatagramAsync(SecretKey.Generate().PublicKey, [1, 2, 3]);
        await one.PingAsync(7);
        Assert.Equal((1, 1, 0), (Relay.Counters.PacketsReceived, Relay.Counters.PacketsDropped, Relay.Counters.PacketsSent));
    }

    [Fact]
    public async Task A_client_may_send_to_itself()
    {
        FrameClient one = await JoinAsync();
        await one.SendDatagramAsync(one.Id, [5]);
        (EndpointId source, byte[] payload) = await one.ReceiveDatagramAsync();
        Assert.Equal((one.Id, 5), (source, payload[0]));
    }

    [Fact]
    public async Task Packets_of_one_sender_keep_their_order()
    {
        FrameClient one = await JoinAsync(), two = await JoinAsync();
        Task sending = Task.Run(async () =>
        {
            byte[] payload = new byte[1200];
            for (int i = 0; i < 400; i++)
            {
                BinaryPrimitives.WriteInt32BigEndian(payload, i);
                await one.SendDatagramAsync(two.Id, payload);
            }
        });
        for (int i = 0; i < 400; i++)
            Assert.Equal(i, BinaryPrimitives.ReadInt32BigEndian((await two.ReceiveDatagramAsync()).Payload));
        await sending;
    }

    [Fact]
    public async Task A_client_that_does_not_read_costs_a_queue_and_then_loses_packets()
    {
        FrameClient one = await JoinAsync(), two = await JoinAsync();
        for (int i = 0; i < 2_000; i++)
            await one.SendDatagramAsync(two.Id, new byte[1200]);
        await one.PingAsync(1);
        // What the pipe took counts as sent.
        Assert.InRange(Relay.Counters.PacketsDropped, 2_000 - FairQueue.PacketsMax - 150, 2_000 - FairQueue.PacketsMax);
    }

    [Fact]
    public async Task A_client_that_takes_nothing_for_two_seconds_is_dropped()
    {
        FrameClient one = await JoinAsync(), two = await JoinAsync();
        for (int i = 0; i < 100; i++)
            await one.SendDatagramAsync(two.Id, new byte[1200]);
        await one.PingAsync(1);
        _time.Advance(TimeSpan.FromSeconds(1.5));
        Assert.False(two.IsAborted);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.True(two.IsAborted);
        await two.Served;
        Assert.Equal((1, 1), (Relay.ClientCount, Relay.Counters.GivenUp));
    }

    [Fact]
    public async Task A_silent_client_is_pinged_and_dropped_without_a_pong()
    {
        FrameClient one = await JoinAsync(), two = await JoinAsync();
        _time.Advance(TimeSpan.FromSeconds(21));
        byte[] ping = (await one.ReceiveAsync())!;
        Assert.Equal(((byte)RelayFrameType.Ping, RelayFrame.PingLength), (ping[0], ping.Length));
        ping[0] = (byte)RelayFrameType.Pong;
        await one.SendAsync(ping);
        await one.PingAsync(3);
        _time.Advance(TimeSpan.FromSeconds(5.5));
        await two.Served;
        Assert.Equal((true, false, 1), (two.IsAborted, one.IsAborted, Relay.ClientCount));
    }

    [Theory]
    [InlineData(RelayVersion.V2)]
    [InlineData(RelayVersion.V1)]
    public async Task Of_two_connections_with_one_id_the_newer_receives_and_the_older_gets_its_place_back(RelayVersion version)
    {
        var key = SecretKey.Generate();
        FrameClient old = await JoinAsync(key, version), other = await JoinAsync();
        FrameClient young = await JoinAsync(key, version);
        AssertStatus(await old.ReceiveAsync(), version, RelayStatus.SameEndpointIdConnected);

        await other.SendDatagramAsync(key.PublicKey, [1]);
        Assert.Equal([1], (await young.ReceiveDatagramAsync()).Payload);
        // The older may still send.
        await old.SendDatagramAsync(other.Id, [2]);
        Assert.Equal([2], (await other.ReceiveDatagramAsync()).Payload);

        await young.DisposeAsync();
        AssertStatus(await old.ReceiveAsync(), version, RelayStatus.Healthy);
        await other.SendDatagramAsync(key.PublicKey, [3]);
        Assert.Equal([3], (await old.ReceiveDatagramAsync()).Payload);
        // Nobody was told that the id had gone: it had not.
        await other.PingAsync(9);
        Assert.Equal((1, 1), (Relay.Counters.InactiveAdded, Relay.Counters.InactiveRemoved));
    }

    [Fact]
    public async Task Who_leaves_is_told_to_those_it_had_sent_to_and_to_nobody_else()
    {
        FrameClient one = await JoinAsync(), two = await JoinAsync(), three = await JoinAsync();
        await one.SendDatagramAsync(two.Id, [1]);
        await two.ReceiveDatagramAsync();
        // To have been sent something is no reason.
        await three.SendDatagramAsync(one.Id, [1]);
        await one.ReceiveDatagramAsync();
        await one.DisposeAsync();
        byte[] gone = [(byte)RelayFrameType.EndpointGone, .. one.Id.Span];
        Assert.Equal(gone, await two.ReceiveAsync());
        await three.PingAsync(4);
    }

    [Fact]
    public async Task A_rate_holds_a_client_back_without_losing_anything()
    {
        _relay = new RelayService(new RelayOptions { Time = _time, ReceiveLimit = new ReceiveLimit(10_000, 5_000) });
        FrameClient one = await JoinAsync(), two = await JoinAsync();
        Task sending = Task.Run(async () =>
        {
            for (int i = 0; i < 40; i++)
                await one.SendDatagramAsync(two.Id, new byte[1000]);
        });
        int received = 0;
        Task receiving = Task.Run(async () =>
        {
            while (received < 40)
            {
                byte[] message = (await two.ReceiveAsync())!;
                if (message[0] == (byte)RelayFrameType.Ping)
                    await two.SendAsync([(byte)RelayFrameType.Pong, .. message.AsSpan(1)]);
                else
                    Interlocked.Increment(ref received);
            }
        });
        for (TimeSpan moved = TimeSpan.Zero; !receiving.IsCompleted; moved += TimeSpan.FromMilliseconds(50))
        {
            // The burst, the rate, and one packet that may exceed them.
            Assert.InRange(Volatile.Read(ref received), 0, 5 + (int)(10 * moved.TotalSeconds) + 1);
            await Task.Delay(2);
            _time.Advance(TimeSpan.FromMilliseconds(50));
        }

        await sending;
        await receiving;
        Assert.Equal((0, 1), (Relay.Counters.PacketsDropped, Relay.Counters.ConnectionsRateLimited));
        Assert.True(Relay.Counters.BytesRateLimited > 0);
    }

    [Fact]
    public async Task A_wrong_signature_is_denied_with_the_reason()
    {
        FrameClient client = Client();
        byte[] answer = await client.AnswerChallengeAsync();
        answer[^1] ^= 1;
        await client.SendAsync(answer);
        await AssertDeniedAsync(client, RelayHandshake.SignatureInvalid);
    }

    [Fact]
    public async Task Whom_access_control_denies_is_told_why()
    {
        _relay = new RelayService(new RelayOptions { Time = _time, Access = new TokenAccess(["right"]) });
        await FrameClientWith("right").AuthenticateAsync();
        FrameClient wrong = FrameClientWith("wrong");
        await wrong.SendAsync(await wrong.AnswerChallengeAsync());
        await AssertDeniedAsync(wrong, "the token is not valid here");
        Assert.Equal((1, 1), (Relay.ClientCount, Relay.Counters.Denials));
    }

    [Fact]
    public async Task An_access_control_that_breaks_lets_nobody_in()
    {
        _relay = new RelayService(new RelayOptions { Time = _time, Access = new BrokenAccess() });
        FrameClient client = Client();
        await client.SendAsync(await client.AnswerChallengeAsync());
        await AssertDeniedAsync(client, RelayHandshake.NotAuthorized);
    }

    [Fact]
    public async Task Access_control_is_told_who_leaves()
    {
        var access = new RecordingAccess();
        _relay = new RelayService(new RelayOptions { Time = _time, Access = access });
        FrameClient client = await JoinAsync();
        await client.DisposeAsync();
        Assert.Equal(client.Id, Assert.Single(access.Left).Id);
    }

    [Fact]
    public async Task Who_does_not_answer_the_challenge_in_time_is_let_go()
    {
        FrameClient client = Client();
        await client.AnswerChallengeAsync();
        _time.Advance(TimeSpan.FromSeconds(10));
        await client.Served.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(0, Relay.ClientCount);
    }

    [Fact]
    public async Task Draining_announces_it_sends_what_waits_and_closes()
    {
        FrameClient one = await JoinAsync(), two = await JoinAsync();
        await one.SendDatagramAsync(two.Id, [1]);
        await one.PingAsync(1);
        Task draining = Relay.DrainAsync();
        Assert.False(Relay.TryOpen());
        Assert.Equal([1], (await two.ReceiveDatagramAsync()).Payload);
        foreach (FrameClient client in new[] { one, two })
        {
            byte[] message = (await client.ReceiveAsync())!;
            Assert.True(RelayFrame.TryRead(message, RelayRole.Relay, RelayVersion.V2, out RelayFrame frame, out _));
            Assert.Equal(RelayFrameType.Restarting, frame.Type);
            Assert.InRange(frame.ReconnectIn, TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(2));
        }

        // What is under way is still forwarded between the two close frames.
        await one.SendDatagramAsync(two.Id, [2]);
        Assert.Equal([2], (await two.ReceiveDatagramAsync()).Payload);
        Task<byte[]?>[] closes = [one.ReceiveAsync(), two.ReceiveAsync()];
        await AdvanceUntilAsync(Task.WhenAll(closes));
        Assert.Equal((1001, 1001), (one.CloseCode, two.CloseCode));
        byte[] close = FrameClient.Mask(0x88, [0x03, 0xe9]);
        await one.SendRawAsync(close);
        await two.SendRawAsync(close);
        await Task.WhenAll(one.Served, two.Served);
        await AdvanceUntilAsync(draining);
        Assert.False(one.IsAborted || two.IsAborted);
    }

    [Fact]
    public async Task Draining_does_not_wait_for_a_client_that_never_closes()
    {
        FrameClient stubborn = await JoinAsync();
        Task draining = Relay.DrainAsync();
        await AdvanceUntilAsync(draining);
        await stubborn.Served;
        Assert.True(stubborn.IsAborted);
    }

    [Fact]
    public async Task There_are_no_more_connections_than_allowed()
    {
        _relay = new RelayService(new RelayOptions { Time = _time, ConnectionsMax = 2 });
        await JoinAsync();
        FrameClient second = await JoinAsync();
        Assert.False(Relay.TryOpen());
        await second.DisposeAsync();
        await JoinAsync();
        Assert.Equal(1, Relay.Counters.UpgradesRefused);
    }

    [Fact]
    public async Task A_close_frame_is_answered_and_a_websocket_ping_too()
    {
        FrameClient client = await JoinAsync();
        await client.SendRawAsync(FrameClient.Mask(0x89, [1, 2, 3]));
        (int opcode, byte[] payload) = (await client.ReceiveAnyAsync())!.Value;
        Assert.Equal((0xa, 3), (opcode, payload.Length));
        await client.SendRawAsync(FrameClient.Mask(0x81, "hello"u8));
        await client.SendRawAsync(FrameClient.Mask(0x88, [0x03, 0xe8]));
        Assert.Null(await client.ReceiveAsync());
        Assert.Equal((1000, 1), (client.CloseCode, Relay.Counters.UnexpectedMessages));
        await client.Served;
    }

    public async ValueTask DisposeAsync()
    {
        if (_relay is not null)
            await _relay.DisposeAsync();
        foreach (FrameClient client in _clients)
            await client.DisposeAsync();
    }

    private async Task AdvanceUntilAsync(Task task)
    {
        while (!task.IsCompleted)
        {
            await Task.Delay(1);
            _time.Advance(TimeSpan.FromMilliseconds(100));
        }

        await task;
    }

    private FrameClient Client(SecretKey? key = null, RelayVersion version = RelayVersion.V2)
    {
        var client = FrameClient.InMemory(Relay, key, version);
        _clients.Add(client);
        return client;
    }

    private FrameClient FrameClientWith(string token)
    {
        var client = FrameClient.InMemory(Relay, token: token);
        _clients.Add(client);
        return client;
    }

    private Task<FrameClient> JoinAsync(SecretKey? key = null, RelayVersion version = RelayVersion.V2) => Client(key, version).AuthenticateAsync();

    private static async Task AssertDeniedAsync(FrameClient client, string reason)
    {
        Assert.True(RelayHandshake.TryReadServerMessage(await client.ReceiveAsync(), out RelayServerMessage message));
        Assert.Equal((RelayFrameType.ServerDeniesAuth, reason), (message.Type, message.Reason));
        Assert.Null(await client.ReceiveAsync());
        Assert.Equal(1008, client.CloseCode);
        await client.Served;
    }

    private static void AssertStatus(byte[]? message, RelayVersion version, RelayStatus status)
    {
        Assert.True(RelayFrame.TryRead(message, RelayRole.Relay, version, out RelayFrame frame, out RelayFrameError error), $"{error}");
        if (version == RelayVersion.V2)
            Assert.Equal((RelayFrameType.Status, status), (frame.Type, frame.Status));
        else
            Assert.Contains(status == RelayStatus.Healthy ? "healthy again" : "same endpoint id", frame.Text);
    }

    private sealed class BrokenAccess : AccessControl
    {
        public override ValueTask<AccessDecision> DecideAsync(AccessRequest request, CancellationToken cancellationToken) => throw new InvalidOperationException("broken");
    }

    private sealed class RecordingAccess : AccessControl
    {
        public List<AccessRequest> Left { get; } = [];

        public override ValueTask<AccessDecision> DecideAsync(AccessRequest request, CancellationToken cancellationToken) => new(AccessDecision.Allowed);

        public override void OnDisconnected(AccessRequest request) => Left.Add(request);
    }
}
