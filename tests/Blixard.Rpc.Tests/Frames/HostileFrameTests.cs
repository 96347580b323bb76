using Blixard.Rpc.Calls;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Tests.Support;
using Blixard.Testing.Basics;
using Blixard.V1;
using Google.Protobuf;
using Iroh.Cryptography;

namespace Blixard.Rpc.Tests.Frames;

/// <summary>Callers, and servers, that do not keep to the protocol.</summary>
public sealed class HostileFrameTests
{
    [Theory]
    [InlineData(0, 2, RpcStatusCode.InvalidArgument, "UnsupportedVersion")]
    [InlineData(1, 9, RpcStatusCode.InvalidArgument, "UnknownType")]
    [InlineData(2, 1, RpcStatusCode.ResourceExhausted, "PayloadTooLong")]
    [InlineData(22, 1, RpcStatusCode.InvalidArgument, "UnknownFlags")]
    [InlineData(1, 2, RpcStatusCode.InvalidArgument, "Response")]
    [InlineData(1, 7, RpcStatusCode.InvalidArgument, "Pong")]
    public async Task A_first_frame_that_is_none_is_answered_with_its_fault_and_the_stream_ends(
        int offset, byte value, RpcStatusCode code, string named)
    {
        await using var host = new FrameHost();
        await using var raw = new RawCall(host);
        byte[] header = new byte[FrameHeader.Length];
        new FrameHeader(FrameType.Request, FrameFlags.None, 0, raw.Id).Write(header);
        header[offset] = value;
        await raw.SendAsync(header);
        (RpcStatusCode seen, string message) = await raw.ReadErrorAsync();
        Assert.Equal(code, seen);
        Assert.Contains(named, message, StringComparison.Ordinal);
        Assert.True((await raw.ReadAsync()).IsEnd);
        await raw.Served;
    }

    [Fact]
    public async Task A_truncated_request_is_answered_with_its_fault()
    {
        await using var host = new FrameHost();
        await using var raw = new RawCall(host);
        byte[] header = new byte[FrameHeader.Length];
        new FrameHeader(FrameType.Request, FrameFlags.None, 100, raw.Id).Write(header);
        await raw.SendAsync(header);
        await raw.SendAsync(new byte[50]);
        await raw.FinishAsync();
        Assert.Contains("Truncated", (await raw.ReadErrorAsync()).Message, StringComparison.Ordinal);
        await raw.Served;
    }

    [Theory]
    [InlineData("blixard.probe.v1.Probe", "Nothing", "blixard.probe.v1.Probe has no method 'Nothing'")]
    [InlineData("no.such.Service", "Echo", "there is no service 'no.such.Service'")]
    [InlineData("", "", "there is no service ''")]
    public async Task An_unknown_service_or_method_is_unimplemented_and_named(string service, string method, string message)
    {
        await using var host = new FrameHost();
        await using var raw = new RawCall(host);
        await raw.Writer.WriteAsync(
            FrameType.Request, raw.Id, FrameFlags.None, new RpcRequest { Service = service, Method = method }, CancellationToken.None);
        Assert.Equal((RpcStatusCode.Unimplemented, message), await raw.ReadErrorAsync());
    }

    [Fact]
    public async Task A_payload_that_is_no_request_is_invalid()
    {
        await using var host = new FrameHost();
        await using var raw = new RawCall(host);
        await raw.Writer.WriteBytesAsync(FrameType.Request, raw.Id, new byte[] { 0xFF, 0xFF, 0xFF }, CancellationToken.None);
        Assert.Equal(RpcStatusCode.InvalidArgument, (await raw.ReadErrorAsync()).Code);
    }

    [Fact]
    public async Task A_message_that_is_no_request_of_the_method_is_invalid()
    {
        await using var host = new FrameHost();
        await using var raw = new RawCall(host);
        var request = new RpcRequest { Service = ProbeMethods.Echo.Service, Method = "Echo", Message = ByteString.CopyFrom(0x0A, 0xFF) };
        await raw.Writer.WriteAsync(FrameType.Request, raw.Id, FrameFlags.None, request, CancellationToken.None);
        (RpcStatusCode code, string message) = await raw.ReadErrorAsync();
        Assert.Equal(RpcStatusCode.InvalidArgument, code);
        Assert.Contains("blixard.probe.v1.EchoRequest", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Tag", "x")]
    [InlineData("", "x")]
    [InlineData("grpc-status", "0")]
    [InlineData("tag", "line\nbreak")]
    public async Task Metadata_that_is_not_allowed_is_invalid(string key, string value)
    {
        await using var host = new FrameHost();
        await using var raw = new RawCall(host);
        var request = new RpcRequest { Service = ProbeMethods.Echo.Service, Method = "Echo" };
        request.Metadata.Add(new RpcMetadataEntry { Key = key, Value = ByteString.CopyFromUtf8(value) });
        await raw.Writer.WriteAsync(FrameType.Request, raw.Id, FrameFlags.None, request, CancellationToken.None);
        Assert.Equal(RpcStatusCode.InvalidArgument, (await raw.ReadErrorAsync()).Code);
    }

    [Fact]
    public async Task Too_much_metadata_is_invalid()
    {
        await using var host = new FrameHost();
        await using var raw = new RawCall(host);
        var request = new RpcRequest { Service = ProbeMethods.Echo.Service, Method = "Echo" };
        for (int i = 0; i <= RpcMetadata.EntriesMax; i++)
            request.Metadata.Add(new RpcMetadataEntry { Key = $"k{i}", Value = ByteString.CopyFromUtf8("v") });
        await raw.Writer.WriteAsync(FrameType.Request, raw.Id, FrameFlags.None, request, CancellationToken.None);
        Assert.Equal(RpcStatusCode.InvalidArgument, (await raw.ReadErrorAsync()).Code);
    }

    [Fact]
    public async Task A_unary_call_begun_as_a_stream_is_invalid()
    {
        await using var host = new FrameHost();
        await using var raw = new RawCall(host);
        await raw.RequestAsync(ProbeMethods.Echo, null, flags: FrameFlags.RequestsFollow);
        Assert.Equal(RpcStatusCode.InvalidArgument, (await raw.ReadErrorAsync()).Code);
    }

    [Theory]
    [InlineData(FrameType.StreamData)]
    [InlineData(FrameType.Request)]
    [InlineData(FrameType.Ping)]
    public async Task A_frame_that_has_no_place_ends_the_handler_and_is_named(FrameType type)
    {
        await using var host = new FrameHost();
        await using var raw = new RawCall(host);
        await raw.RequestAsync(ProbeMethods.Hang, new EchoRequest());
        await host.Probe.Hanging.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await raw.Writer.WriteBytesAsync(type, raw.Id, default, CancellationToken.None);
        (RpcStatusCode code, string message) = await raw.ReadErrorAsync();
        Assert.Equal(RpcStatusCode.InvalidArgument, code);
        Assert.Contains(type.ToString(), message, StringComparison.Ordinal);
        await host.Probe.GivenUp.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_stream_of_requests_that_just_ends_is_invalid()
    {
        await using var host = new FrameHost();
        await using var raw = new RawCall(host);
        await raw.RequestAsync(ProbeMethods.Shout, null, flags: FrameFlags.RequestsFollow);
        await raw.FinishAsync();
        Assert.Equal(RpcStatusCode.InvalidArgument, (await raw.ReadErrorAsync()).Code);
    }

    [Fact]
    public async Task A_caller_may_end_its_side_after_the_request_and_still_gets_its_answer()
    {
        await using var host = new FrameHost();
        await using var raw = new RawCall(host);
        await raw.RequestAsync(ProbeMethods.Echo, new EchoRequest { Text = "half" });
        await raw.FinishAsync();
        FrameReadResult answer = await raw.ReadAsync();
        Assert.Equal(FrameType.Response, answer.Header.Type);
        Assert.Equal(raw.Id, answer.Header.RequestId);
        Assert.Equal("half", EchoResponse.Parser.ParseFrom(answer.Payload).Text);
    }

    [Fact]
    public async Task A_silent_stream_loses_its_place()
    {
        var time = new ManualTimeProvider();
        await using var host = new FrameHost(time);
        await using var raw = new RawCall(host);
        time.Advance(IrohServiceRunner.FirstFrameTimeout);
        await raw.Served;
        Assert.NotNull(raw.Far.AbortCode);
    }

    [Fact]
    public async Task A_stream_of_pings_takes_pings_only()
    {
        await using var host = new FrameHost();
        await using var raw = new RawCall(host);
        await raw.Writer.WriteBytesAsync(FrameType.Ping, raw.Id, new byte[] { 1, 2 }, CancellationToken.None);
        FrameReadResult pong = await raw.ReadAsync();
        Assert.Equal(FrameType.Pong, pong.Header.Type);
        Assert.Equal([1, 2], pong.Payload);
        await raw.Writer.WriteBytesAsync(FrameType.Request, raw.Id, default, CancellationToken.None);
        await raw.Served;
        Assert.Equal(RpcAbortCode.ProtocolError, raw.Far.AbortCode);
    }

    [Fact]
    public async Task Random_requests_never_hang_or_fault_the_runner()
    {
        const ulong Seed = 99;
        var random = new SeededRandomSource(Seed);
        await using var host = new FrameHost();
        byte[] whole = [.. Request(ProbeMethods.Echo), .. Request(ProbeMethods.Count)];
        byte[] numbers = new byte[16];
        for (int round = 0; round < 500; round++)
        {
            byte[] bytes = [.. whole];
            random.Fill(numbers);
            for (int i = 0; i < 1 + (numbers[0] % 6); i++)
                bytes[numbers[1 + i] % bytes.Length] = numbers[8 + i];
            await using var raw = new RawCall(host);
            await raw.SendAsync(bytes.AsMemory(0, numbers[15] % (bytes.Length + 1)));
            await raw.FinishAsync();
            try
            {
                await raw.Served;
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {Seed}, round {round}: {e}");
            }
        }
    }

    [Theory]
    [InlineData("version", RpcStatusCode.Internal)]
    [InlineData("id", RpcStatusCode.Internal)]
    [InlineData("type", RpcStatusCode.Internal)]
    [InlineData("garbage", RpcStatusCode.Internal)]
    [InlineData("ok-error", RpcStatusCode.Internal)]
    [InlineData("end", RpcStatusCode.Unavailable)]
    [InlineData("cut", RpcStatusCode.Internal)]
    public async Task A_server_that_breaks_the_protocol_fails_the_call(string how, RpcStatusCode expected)
    {
        (MemoryDuplex near, MemoryDuplex far) = MemoryDuplex.CreatePair();
        var caller = new P2pCaller(_ => ValueTask.FromResult(near.ToRpcStream()), TimeProvider.System);
        Task<EchoResponse> call = caller.CallAsync(ProbeMethods.Echo, new EchoRequest());
        using var reader = new FrameReader(far);
        FrameRead request = await reader.ReadAsync(CancellationToken.None);
        var writer = new FrameWriter(far);
        Guid id = request.Header.RequestId;
        switch (how)
        {
            case "version":
                await far.WriteAsync(new byte[FrameHeader.Length]);
                break;
            case "id":
                await writer.WriteBytesAsync(FrameType.Response, Guid.NewGuid(), default, CancellationToken.None);
                break;
            case "type":
                await writer.WriteBytesAsync(FrameType.StreamData, id, default, CancellationToken.None);
                break;
            case "garbage":
                await writer.WriteBytesAsync(FrameType.Response, id, new byte[] { 0x0A, 0xFF }, CancellationToken.None);
                break;
            case "ok-error":
                await writer.WriteAsync(FrameType.Error, id, FrameFlags.None, new RpcError(), CancellationToken.None);
                break;
            case "end":
                await far.FinishAsync();
                break;
            case "cut":
                await far.WriteAsync(new byte[] { 1, 2, 0 });
                await far.FinishAsync();
                break;
        }
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => call);
        Assert.Equal(expected, e.StatusCode);
        Assert.NotEqual(RpcFailureStage.Answered, e.Stage);
        Assert.NotNull(near.AbortCode);
    }

    private static byte[] Request(RpcMethod method)
    {
        byte[] payload = new RpcRequest { Service = method.Service, Method = method.Name, DeadlineMs = 60_000 }.ToByteArray();
        byte[] bytes = new byte[FrameHeader.Length + payload.Length];
        new FrameHeader(FrameType.Request, FrameFlags.None, payload.Length, Guid.NewGuid()).Write(bytes);
        payload.CopyTo(bytes, FrameHeader.Length);
        return bytes;
    }
}
