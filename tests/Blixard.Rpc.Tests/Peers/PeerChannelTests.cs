using Blixard.Rpc.Calls;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Peers;
using Blixard.Rpc.Tests.Support;
using Blixard.Testing.Basics;

namespace Blixard.Rpc.Tests.Peers;

/// <summary>A channel between a real frame host in memory (P2P) and a real gRPC host on loopback.</summary>
public sealed class PeerChannelTests : IAsyncLifetime
{
    private readonly ManualTimeProvider _time = new();
    private readonly FrameHost _p2p = new();
    private readonly List<TransportSwitch> _switches = [];
    private GrpcHost _grpc = null!;
    private Rpc.Grpc.GrpcCaller _grpcCaller = null!;
    private PeerChannel _channel = null!;

    public async ValueTask InitializeAsync()
    {
        _grpc = await GrpcHost.StartAsync();
        _grpcCaller = _grpc.Caller();
        _channel = new PeerChannel("node-b", _grpcCaller, _time, onSwitch: _switches.Add);
    }

    public async ValueTask DisposeAsync()
    {
        _grpcCaller.Dispose();
        await _grpc.DisposeAsync();
        await _p2p.DisposeAsync();
    }

    [Fact]
    public async Task Calls_take_gRPC_until_the_link_is_ready_then_P2P_and_gRPC_again_when_it_is_lost()
    {
        Assert.Equal("Grpc", await EchoAsync());
        _channel.OnLinkReady(_p2p.Caller);
        Assert.Equal("P2p", await EchoAsync());
        _channel.OnLinkLost("gone");
        Assert.Equal("Grpc", await EchoAsync());
        _channel.OnLinkReady(_p2p.Caller);
        Assert.Equal("Grpc", await EchoAsync());
        PassProbation();
        Assert.Equal("P2p", await EchoAsync());
        Assert.Equal(
            [TransportSwitchReason.LinkReady, TransportSwitchReason.LinkLost, TransportSwitchReason.ProbationPassed],
            _switches.Select(s => s.Reason));
        Assert.Equal(1, _channel.Switches[TransportSwitchReason.LinkLost]);
    }

    [Fact]
    public async Task A_call_that_could_not_be_sent_goes_over_gRPC_whether_idempotent_or_not()
    {
        _channel.OnLinkReady(_p2p.Caller);
        _p2p.Link.IsDown = true;
        RpcException e = await Assert.ThrowsAsync<RpcException>(
            () => _channel.CallAsync(ProbeMethods.Fail, new FailRequest { Code = 5, Message = "from gRPC" }));
        Assert.Equal(RpcStatusCode.NotFound, e.StatusCode);
        Assert.Equal(RpcTransport.Grpc, _channel.Current);
        _p2p.Link.IsDown = false;
        Assert.Equal("Grpc", await EchoAsync());
        PassProbation();
        Assert.Equal("P2p", await EchoAsync());
        Assert.Equal([TransportSwitchReason.LinkReady, TransportSwitchReason.CallFailed, TransportSwitchReason.ProbationPassed], _switches.Select(s => s.Reason));
    }

    [Fact]
    public async Task An_idempotent_call_that_fails_before_its_answer_is_tried_over_gRPC()
    {
        _channel.OnLinkReady(Broken());
        Assert.Equal("Grpc", await EchoAsync());
        Assert.Equal(1, _channel.Switches[TransportSwitchReason.CallFailed]);
    }

    [Fact]
    public async Task A_call_that_is_not_idempotent_is_not_repeated_once_it_may_have_arrived()
    {
        _channel.OnLinkReady(Broken());
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => _channel.CallAsync(ProbeMethods.Fail, new FailRequest { Code = 5 }));
        Assert.Equal(RpcStatusCode.Unavailable, e.StatusCode);
        Assert.Equal(RpcFailureStage.AwaitingResponse, e.Stage);
        Assert.Equal(RpcTransport.Grpc, _channel.Current);
    }

    [Fact]
    public async Task A_status_that_the_peer_answered_changes_nothing()
    {
        _channel.OnLinkReady(_p2p.Caller);
        RpcException e = await Assert.ThrowsAsync<RpcException>(
            () => _channel.CallAsync(ProbeMethods.Fail, new FailRequest { Code = (uint)RpcStatusCode.Unavailable, Message = "no quorum" }));
        Assert.Equal("no quorum", e.Message);
        Assert.Equal(RpcTransport.P2p, _channel.Current);
    }

    [Fact]
    public async Task A_stream_falls_back_before_its_first_message()
    {
        _channel.OnLinkReady(_p2p.Caller);
        _p2p.Link.IsDown = true;
        int count = 0;
        await foreach (CountResponse _ in _channel.StreamAsync(ProbeMethods.Count, new CountRequest { Count = 10 }))
            count++;
        Assert.Equal(10, count);
        Assert.Equal(10, _grpc.Probe.Counted);
    }

    [Fact]
    public async Task A_stream_that_breaks_later_fails_and_moves_the_peer()
    {
        _channel.OnLinkReady(_p2p.Caller);
        await using IAsyncEnumerator<CountResponse> messages =
            _channel.StreamAsync(ProbeMethods.Count, new CountRequest { Count = 100_000, Size = 1000 }).GetAsyncEnumerator();
        Assert.True(await messages.MoveNextAsync());
        await _p2p.DisposeAsync();
        RpcException e = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await messages.MoveNextAsync())
            {
            }
        });
        Assert.Equal(RpcFailureStage.DuringResponse, e.Stage);
        Assert.Equal(RpcTransport.Grpc, _channel.Current);
        Assert.Equal(0, _grpc.Probe.Counted);
    }

    [Fact]
    public async Task A_duplex_call_falls_back_when_it_could_not_be_sent()
    {
        _channel.OnLinkReady(_p2p.Caller);
        _p2p.Link.IsDown = true;
        static async IAsyncEnumerable<EchoRequest> Requests()
        {
            yield return new EchoRequest { Text = "a" };
            await Task.Yield();
            yield return new EchoRequest { Text = "b" };
        }
        var answers = new List<string>();
        await foreach (EchoResponse answer in _channel.DuplexAsync(ProbeMethods.Shout, Requests()))
            answers.Add(answer.Text);
        Assert.Equal(["A", "B"], answers);
    }

    [Fact]
    public async Task In_probation_P2P_is_still_better_than_a_gRPC_that_is_not_there()
    {
        _channel.OnLinkReady(_p2p.Caller);
        _channel.OnLinkLost("gone");
        _channel.OnLinkReady(_p2p.Caller);
        await _grpc.DisposeAsync();
        Assert.Equal("P2p", await EchoAsync());
    }

    [Fact]
    public async Task A_peer_without_gRPC_and_without_link_is_unavailable_and_says_why()
    {
        var channel = new PeerChannel("node-c", null, _time);
        channel.OnLinkLost("no relay answers");
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => channel.CallAsync(ProbeMethods.Echo, new EchoRequest()));
        Assert.Equal(RpcStatusCode.Unavailable, e.StatusCode);
        Assert.Equal("node-c cannot be reached: no relay answers; it serves no gRPC", e.Message);
        channel.OnLinkReady(_p2p.Caller);
        await channel.CallAsync(ProbeMethods.Echo, new EchoRequest());
    }

    // A link whose streams open and then end without an answer.
    private static P2pCaller Broken() => new(
        async _ =>
        {
            (MemoryDuplex near, MemoryDuplex far) = MemoryDuplex.CreatePair();
            await far.FinishAsync(CancellationToken.None);
            return near.ToRpcStream();
        },
        TimeProvider.System);

    private void PassProbation()
    {
        _channel.OnLinkAlive();
        for (TimeSpan passed = TimeSpan.Zero; passed < TransportChoice.DefaultProbation; passed += TimeSpan.FromSeconds(1))
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            _channel.OnLinkAlive();
        }
    }

    private async Task<string> EchoAsync() => (await _channel.CallAsync(ProbeMethods.Echo, new EchoRequest())).Transport;
}
