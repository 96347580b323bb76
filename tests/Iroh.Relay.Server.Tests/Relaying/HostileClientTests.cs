using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Server.Tests.Relaying;

/// <summary>Whatever one client sends, the relay drops at most that client.</summary>
public sealed class HostileClientTests : IAsyncLifetime
{
    private readonly RelayService _relay = new(new RelayOptions { Time = new ManualTimeProvider() });
    private FrameClient _one = null!;
    private FrameClient _two = null!;

    public async ValueTask InitializeAsync()
    {
        _one = await FrameClient.InMemory(_relay).AuthenticateAsync();
        _two = await FrameClient.InMemory(_relay).AuthenticateAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _one.DisposeAsync();
        await _two.DisposeAsync();
        await _relay.DisposeAsync();
    }

    public static TheoryData<string, string> MalformedFrames => new()
    {
        { "nothing", "" },
        { "half a type", "40" },
        { "a challenge", "00" + new string('a', 32) },
        { "a second answer", "01" + new string('a', 64) },
        { "a confirmation", "02" },
        { "a denial", "0300" },
        { "a datagram without ECN", "04" + new string('a', 64) },
        { "a batch without segment size", "05" + new string('a', 66) + "00" },
        { "a datagram of the relay", "06" + new string('a', 66) + "01" },
        { "a batch of the relay", "07" + new string('a', 66) + "000101" },
        { "that somebody has gone", "08" + new string('a', 64) },
        { "a short ping", "0900" },
        { "a long ping", "09000000000000000000" },
        { "a short pong", "0a" },
        { "health", "0b6869" },
        { "a restart", "0c0000000000000000" },
        { "a status", "0d00" },
        { "an unknown type", "0e" },
        { "a large type", "ffffffffffffffff" },
    };

    [Theory]
    [MemberData(nameof(MalformedFrames))]
    public async Task A_client_that_sends_what_is_no_frame_is_dropped_alone(string what, string hex)
    {
        await using FrameClient client = await FrameClient.InMemory(_relay).AuthenticateAsync();
        await client.SendAsync(Convert.FromHexString(hex));
        Assert.True(await client.ReceiveAsync() is null, what);
        Assert.Equal(1002, client.CloseCode);
        await client.Served;
        await AssertOthersTalkAsync();
        Assert.Equal((2, 1), (_relay.ClientCount, _relay.Counters.ProtocolErrors));
    }

    [Theory]
    [InlineData(RelayFrame.BodyLengthMax + 1, 1002)]
    [InlineData(100_000, 1009)]
    public async Task A_frame_above_the_bound_ends_the_connection(int body, int code)
    {
        await using FrameClient client = await FrameClient.InMemory(_relay).AuthenticateAsync();
        byte[] frame = new byte[1 + body];
        frame[0] = (byte)RelayFrameType.ClientToRelayDatagram;
        _two.Id.Span.CopyTo(frame.AsSpan(1));
        Task sending = client.SendAsync(frame);
        Assert.Null(await client.ReceiveAsync());
        Assert.Equal(code, client.CloseCode);
        await client.Served;
        await sending;
        await AssertOthersTalkAsync();
    }

    [Fact]
    public async Task The_longest_frame_passes()
    {
        byte[] frame = new byte[1 + RelayFrame.BodyLengthMax];
        frame[0] = (byte)RelayFrameType.ClientToRelayDatagram;
        _two.Id.Span.CopyTo(frame.AsSpan(1));
        await _one.SendAsync(frame);
        Assert.Equal(frame.Length, (await _two.ReceiveAsync())!.Length);
    }

    [Fact]
    public async Task A_type_in_a_long_form_is_read()
    {
        await _one.SendAsync(Convert.FromHexString("40090102030405060708"));
        Assert.Equal("0a0102030405060708", Convert.ToHexStringLower((await _one.ReceiveAsync())!));
        byte[] datagram = [0x80, 0, 0, 4, .. _two.Id.Span, 0, 42];
        await _one.SendAsync(datagram);
        Assert.Equal([42], (await _two.ReceiveDatagramAsync()).Payload);
    }

    [Fact]
    public async Task More_pings_than_a_client_reads_answers_cost_nothing()
    {
        for (ulong i = 0; i < 50_000; i++)
            await _one.SendAsync([(byte)RelayFrameType.Ping, .. BitConverter.GetBytes(i)]);
        await AssertTwoAnswersAsync();
    }

    [Fact]
    public async Task Any_bytes_instead_of_the_answer_to_the_challenge_end_that_connection_alone()
    {
        for (int seed = 0; seed < 500; seed++)
        {
            var random = new Random(seed);
            await using FrameClient client = FrameClient.InMemory(_relay);
            byte[] bytes = random.Next(2) == 0 ? await client.AnswerChallengeAsync() : new byte[random.Next(200)];
            if (random.Next(2) == 0 && bytes.Length > 0)
                bytes[random.Next(bytes.Length)] ^= (byte)random.Next(1, 256);
            else
                random.NextBytes(bytes);
            if (random.Next(2) == 0)
                await client.SendAsync(bytes);
            else
                await client.SendRawAsync(bytes);
            await client.DisposeAsync();
            Assert.True(client.Served.IsCompletedSuccessfully, $"seed {seed}");
        }

        await AssertOthersTalkAsync();
        Assert.Equal(2, _relay.ClientCount);
    }

    [Fact]
    public async Task Any_bytes_after_the_handshake_end_that_connection_alone()
    {
        for (int seed = 0; seed < 500; seed++)
        {
            var random = new Random(seed);
            await using FrameClient client = await FrameClient.InMemory(_relay).AuthenticateAsync();
            for (int i = random.Next(1, 6); i > 0; i--)
                await client.SendRawAsync(Something(random));
            await client.DisposeAsync();
            Assert.True(client.Served.IsCompletedSuccessfully, $"seed {seed}");
        }

        await DrainReceivedAsync();
        Assert.Equal(2, _relay.ClientCount);
    }

    // Frames that are nearly right reach further than noise.
    private byte[] Something(Random random)
    {
        byte[] payload = new byte[random.Next(200)];
        random.NextBytes(payload);
        if (payload.Length > 33 && random.Next(2) == 0)
        {
            payload[0] = (byte)random.Next(4, 6);
            _two.Id.Span.CopyTo(payload.AsSpan(1));
        }

        if (payload.Length > 0 && random.Next(3) == 0)
            payload[0] = (byte)random.Next(16);
        byte[] wire = FrameClient.Mask((byte)(random.Next(4) == 0 ? random.Next(256) : 0x82), payload);
        if (random.Next(4) == 0)
            wire[random.Next(wire.Length)] ^= (byte)random.Next(1, 256);
        return random.Next(5) == 0 ? wire[..random.Next(wire.Length)] : wire;
    }

    // The noise held datagrams and thus news of those who left.
    private async Task DrainReceivedAsync()
    {
        await _one.SendDatagramAsync(_two.Id, "the end"u8);
        while (await _two.ReceiveAsync() is { } message)
        {
            if (message.AsSpan().EndsWith("the end"u8))
                return;
        }

        Assert.Fail("the relay dropped somebody who had done nothing");
    }

    private async Task AssertOthersTalkAsync()
    {
        await _one.SendDatagramAsync(_two.Id, [1, 2, 3]);
        (EndpointId source, byte[] payload) = await _two.ReceiveDatagramAsync();
        Assert.Equal(_one.Id, source);
        Assert.Equal([1, 2, 3], payload);
    }

    private async Task AssertTwoAnswersAsync()
    {
        await _two.PingAsync(1);
        Assert.Equal(2, _relay.ClientCount);
    }
}
