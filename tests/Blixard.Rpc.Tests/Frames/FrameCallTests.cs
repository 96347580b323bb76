using Blixard.Rpc.Calls;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Services;
using Blixard.Rpc.Tests.Support;
using Blixard.Testing.Basics;

namespace Blixard.Rpc.Tests.Frames;

public sealed class FrameCallTests
{
    [Fact]
    public async Task A_unary_call_carries_request_metadata_identity_and_answer()
    {
        await using var host = new FrameHost();
        var metadata = new RpcMetadata();
        metadata.Add("tag", "blue");
        metadata.AddBinary("tag-bin", new byte[] { 0, 255, 10 });
        EchoResponse answer = await host.Caller.CallAsync(
            ProbeMethods.Echo, new EchoRequest { Text = "hello" },
            new RpcCallOptions { Metadata = metadata, Timeout = TimeSpan.FromMinutes(1) });
        Assert.Equal("hello", answer.Text);
        Assert.Equal(Convert.ToHexStringLower(FrameHost.CallerId), answer.Caller);
        Assert.Equal("P2p", answer.Transport);
        Assert.Equal("blue", answer.Tag);
        Assert.Equal([0, 255, 10], answer.TagBin.ToByteArray());
        Assert.True(answer.HasDeadline);
    }

    [Fact]
    public async Task Many_calls_run_side_by_side()
    {
        await using var host = new FrameHost();
        EchoResponse[] answers = await Task.WhenAll(Enumerable.Range(0, 500).Select(
            i => host.Caller.CallAsync(ProbeMethods.Echo, new EchoRequest { Text = $"{i}" })));
        Assert.Equal(Enumerable.Range(0, 500).Select(i => $"{i}"), answers.Select(a => a.Text));
    }

    [Theory]
    [InlineData(RpcStatusCode.NotFound)]
    [InlineData(RpcStatusCode.FailedPrecondition)]
    [InlineData(RpcStatusCode.Unauthenticated)]
    [InlineData(RpcStatusCode.DeadlineExceeded)]
    public async Task A_handlers_status_reaches_the_caller_with_message_and_details(RpcStatusCode code)
    {
        await using var host = new FrameHost();
        var request = new FailRequest { Code = (uint)code, Message = "ünlucky", Details = Google.Protobuf.ByteString.CopyFrom(1, 2, 3) };
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => host.Caller.CallAsync(ProbeMethods.Fail, request));
        Assert.Equal(code, e.StatusCode);
        Assert.Equal("ünlucky", e.Message);
        Assert.Equal([1, 2, 3], e.Details.ToArray());
        Assert.Equal(RpcFailureStage.Answered, e.Stage);
    }

    [Fact]
    public async Task A_fault_of_the_handler_is_internal_and_tells_nothing()
    {
        await using var host = new FrameHost();
        RpcException e = await Assert.ThrowsAsync<RpcException>(
            () => host.Caller.CallAsync(ProbeMethods.Fail, new FailRequest { Code = 99 }));
        Assert.Equal(RpcStatusCode.Internal, e.StatusCode);
        Assert.DoesNotContain("secret", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_brings_all_messages_in_order_and_ends_well()
    {
        await using var host = new FrameHost();
        var numbers = new List<uint>();
        await foreach (CountResponse message in host.Caller.StreamAsync(ProbeMethods.Count, new CountRequest { Count = 1000 }))
            numbers.Add(message.Number);
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => (uint)i), numbers);
    }

    [Fact]
    public async Task A_stream_that_fails_brings_its_messages_and_then_the_status()
    {
        await using var host = new FrameHost();
        int count = 0;
        RpcException e = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            var request = new CountRequest { Count = 3, FailCode = (uint)RpcStatusCode.Aborted };
            await foreach (CountResponse _ in host.Caller.StreamAsync(ProbeMethods.Count, request))
                count++;
        });
        Assert.Equal(3, count);
        Assert.Equal(RpcStatusCode.Aborted, e.StatusCode);
        Assert.Equal(RpcFailureStage.Answered, e.Stage);
    }

    [Fact]
    public async Task A_slow_reader_slows_the_handler_and_leaving_early_stops_it()
    {
        await using var host = new FrameHost();
        var request = new CountRequest { Count = 10_000, Size = 1000 };
        await using (IAsyncEnumerator<CountResponse> messages = host.Caller.StreamAsync(ProbeMethods.Count, request).GetAsyncEnumerator())
        {
            for (int i = 0; i < 100; i++)
                Assert.True(await messages.MoveNextAsync());
            // What fits between us: the window, one message in the handler's hand and one in ours.
            Assert.InRange(host.Probe.Counted, 100, 100 + (MemoryDuplex.WindowBytes / 1000) + 8);
        }
        await host.Probe.GivenUp.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.InRange(host.Probe.Counted, 100, 1000);
    }

    [Fact]
    public async Task Duplex_messages_travel_both_ways_independently()
    {
        await using var host = new FrameHost();
        var requests = System.Threading.Channels.Channel.CreateUnbounded<EchoRequest>();
        IAsyncEnumerator<EchoResponse> answers =
            host.Caller.DuplexAsync(ProbeMethods.Shout, requests.Reader.ReadAllAsync()).GetAsyncEnumerator();
        for (int i = 0; i < 50; i++)
        {
            requests.Writer.TryWrite(new EchoRequest { Text = $"word{i}" });
            Assert.True(await answers.MoveNextAsync());
            Assert.Equal($"WORD{i}", answers.Current.Text);
        }
        requests.Writer.Complete();
        Assert.False(await answers.MoveNextAsync());
        await answers.DisposeAsync();
    }

    [Fact]
    public async Task The_callers_own_failing_requests_end_the_call_with_that_failure()
    {
        await using var host = new FrameHost();
        static async IAsyncEnumerable<EchoRequest> Requests()
        {
            yield return new EchoRequest { Text = "one" };
            await Task.Yield();
            throw new InvalidDataException("no more");
        }
        await Assert.ThrowsAsync<InvalidDataException>(async () =>
        {
            await foreach (EchoResponse _ in host.Caller.DuplexAsync(ProbeMethods.Shout, Requests()))
            {
            }
        });
    }

    [Fact]
    public async Task The_deadline_fires_on_both_sides()
    {
        var time = new ManualTimeProvider();
        await using var host = new FrameHost(time);
        Task<EchoResponse> call = host.Caller.CallAsync(ProbeMethods.Hang, new EchoRequest(), RpcCallOptions.Within(TimeSpan.FromSeconds(3)));
        RpcContext seen = await host.Probe.Hanging.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(time.GetUtcNow() + TimeSpan.FromSeconds(3), seen.Deadline);
        time.Advance(TimeSpan.FromSeconds(2.9));
        Assert.False(call.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(0.2));
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => call);
        Assert.Equal(RpcStatusCode.DeadlineExceeded, e.StatusCode);
        await host.Probe.GivenUp.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task The_server_keeps_the_deadline_of_a_caller_that_does_not()
    {
        var time = new ManualTimeProvider();
        await using var host = new FrameHost(time);
        await using var raw = new RawCall(host);
        await raw.RequestAsync(ProbeMethods.Hang, new EchoRequest(), deadlineMilliseconds: 500);
        await host.Probe.Hanging.Task.WaitAsync(TimeSpan.FromSeconds(30));
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(RpcStatusCode.DeadlineExceeded, (await raw.ReadErrorAsync()).Code);
    }

    [Fact]
    public async Task Cancelling_reaches_the_handler()
    {
        await using var host = new FrameHost();
        using var cancel = new CancellationTokenSource();
        Task<EchoResponse> call = host.Caller.CallAsync(ProbeMethods.Hang, new EchoRequest(), null, cancel.Token);
        await host.Probe.Hanging.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await host.Probe.GivenUp.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Shutting_the_node_down_ends_the_callers_call()
    {
        var host = new FrameHost();
        Task<EchoResponse> call = host.Caller.CallAsync(ProbeMethods.Hang, new EchoRequest());
        await host.Probe.Hanging.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await host.DisposeAsync();
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => call);
        Assert.Equal(RpcStatusCode.Unavailable, e.StatusCode);
        Assert.Equal(RpcFailureStage.AwaitingResponse, e.Stage);
    }

    [Fact]
    public async Task A_stream_that_cannot_be_opened_means_not_sent()
    {
        await using var host = new FrameHost();
        host.Link.IsDown = true;
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => host.Caller.CallAsync(ProbeMethods.Echo, new EchoRequest()));
        Assert.Equal(RpcStatusCode.Unavailable, e.StatusCode);
        Assert.Equal(RpcFailureStage.NotSent, e.Stage);
    }

    [Fact]
    public async Task A_request_that_is_too_long_does_not_leave()
    {
        await using var host = new FrameHost();
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => host.Caller.CallAsync(
            ProbeMethods.Echo, new EchoRequest { Text = new string('x', RpcLimits.MessageLengthMax) }));
        Assert.Equal(RpcStatusCode.ResourceExhausted, e.StatusCode);
        Assert.Equal(RpcFailureStage.Local, e.Stage);
        Assert.Equal(0, host.Link.Opened);
    }

    [Fact]
    public async Task An_answer_that_is_too_long_is_refused_by_the_server()
    {
        await using var host = new FrameHost();
        RpcException e = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            var request = new CountRequest { Count = 1, Size = RpcLimits.MessageLengthMax + 1 };
            await foreach (CountResponse _ in host.Caller.StreamAsync(ProbeMethods.Count, request))
            {
            }
        });
        Assert.Equal(RpcStatusCode.ResourceExhausted, e.StatusCode);
    }

    [Fact]
    public async Task The_authorizer_refuses_by_caller_and_method()
    {
        await using var host = new FrameHost(authorizer: static context => ValueTask.FromResult(
            context.Peer.Is(FrameHost.CallerId) && context.Method.Name == "Echo"
                ? RpcDecision.Allow
                : RpcDecision.Deny("only Echo for you")));
        await host.Caller.CallAsync(ProbeMethods.Echo, new EchoRequest());
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => host.Caller.CallAsync(ProbeMethods.Hang, new EchoRequest()));
        Assert.Equal(RpcStatusCode.PermissionDenied, e.StatusCode);
        Assert.Equal("only Echo for you", e.Message);
        Assert.False(host.Probe.Hanging.Task.IsCompleted);
    }

    [Fact]
    public async Task Pings_come_back_on_one_stream()
    {
        var time = new ManualTimeProvider();
        await using var host = new FrameHost(time);
        await using PingStream pings = await PingStream.OpenAsync(host.Link.OpenAsync, time, CancellationToken.None);
        for (int i = 0; i < 3; i++)
            Assert.Equal(TimeSpan.Zero, await pings.PingAsync(TimeSpan.FromSeconds(1)));
        Assert.Equal(1, host.Link.Opened);
    }

    [Fact]
    public async Task A_ping_without_answer_fails_at_its_time()
    {
        var time = new ManualTimeProvider();
        (MemoryDuplex near, MemoryDuplex far) = MemoryDuplex.CreatePair();
        await using PingStream pings = await PingStream.OpenAsync(
            _ => ValueTask.FromResult(near.ToRpcStream()), time, CancellationToken.None);
        ValueTask<TimeSpan> ping = pings.PingAsync(TimeSpan.FromSeconds(1));
        time.Advance(TimeSpan.FromSeconds(2));
        RpcException e = await Assert.ThrowsAsync<RpcException>(async () => await ping);
        Assert.Equal(RpcStatusCode.DeadlineExceeded, e.StatusCode);
        await far.DisposeAsync();
    }
}
