using System.Text.Json;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Blixard.Rpc.Tests.Support;

namespace Blixard.Rpc.Tests.Grpc;

/// <summary>The gRPC project's JavaScript client calls our server over TLS.</summary>
public sealed class RealGrpcClientTests(GrpcPeer peer) : IClassFixture<GrpcPeer>
{
    [Fact]
    public async Task Unary_with_metadata_and_without_identity()
    {
        JsonElement answer = (await CallAsync("unary")).GetProperty("answer");
        Assert.Equal("grüße", answer.GetProperty("text").GetString());
        Assert.Equal("green", answer.GetProperty("tag").GetString());
        Assert.Equal("00ff0a", answer.GetProperty("tag_bin").GetString());
        Assert.Equal("", answer.TryGetProperty("caller", out JsonElement caller) ? caller.GetString() : "");
        Assert.Equal("Grpc", answer.GetProperty("transport").GetString());
    }

    [Fact]
    public async Task A_client_with_a_node_certificate_is_that_node()
    {
        await using GrpcHost host = await GrpcHost.StartAsync();
        JsonElement answer = (await peer.CallAsync("unary", host.Port, host.Certificate.Current, host.ClientCertificate.Current)).GetProperty("answer");
        Assert.Equal(Convert.ToHexStringLower(host.ClientCertificate.EndpointId), answer.GetProperty("caller").GetString());
    }

    [Fact]
    public async Task Empty_and_large_messages()
    {
        Assert.True((await CallAsync("empty")).TryGetProperty("answer", out _));
        Assert.Equal(3_000_000, (await CallAsync("large")).GetProperty("length").GetInt32());
    }

    [Fact]
    public async Task Server_streaming()
    {
        JsonElement result = await CallAsync("stream");
        Assert.Equal(1000, result.GetProperty("count").GetInt32());
        Assert.Equal(0, result.GetProperty("code").GetInt32());
        Assert.Equal(0, (await CallAsync("streamEmpty")).GetProperty("count").GetInt32());
    }

    [Fact]
    public async Task A_stream_that_fails_ends_with_its_status()
    {
        JsonElement result = await CallAsync("streamFails");
        Assert.Equal(5, result.GetProperty("count").GetInt32());
        Assert.Equal((int)RpcStatusCode.Aborted, result.GetProperty("code").GetInt32());
        Assert.Equal("after the last", result.GetProperty("message").GetString());
    }

    [Fact]
    public async Task Duplex()
    {
        JsonElement result = await CallAsync("duplex");
        Assert.Equal(0, result.GetProperty("code").GetInt32());
        Assert.Equal(["ONE", "TWO", "THREE"], result.GetProperty("messages").EnumerateArray().Select(m => m.GetProperty("text").GetString()!));
    }

    [Fact]
    public async Task A_status_with_message_and_details()
    {
        JsonElement result = await CallAsync("status");
        Assert.Equal((int)RpcStatusCode.FailedPrecondition, result.GetProperty("code").GetInt32());
        Assert.Equal("nöt 100% now\n", result.GetProperty("message").GetString());
        Assert.Equal("010203", result.GetProperty("detailsHex").GetString());
    }

    [Fact]
    public async Task A_fault_of_the_handler_is_internal() =>
        Assert.Equal((int)RpcStatusCode.Internal, (await CallAsync("fault")).GetProperty("code").GetInt32());

    [Theory]
    [InlineData("unknownMethod", "blixard.probe.v1.Probe has no method 'Nothing'")]
    [InlineData("unknownService", "there is no service 'no.such.Service'")]
    public async Task Unknown_names_are_unimplemented(string scenario, string message)
    {
        JsonElement result = await CallAsync(scenario);
        Assert.Equal((int)RpcStatusCode.Unimplemented, result.GetProperty("code").GetInt32());
        Assert.Equal(message, result.GetProperty("message").GetString());
    }

    [Fact]
    public async Task Compression_is_unimplemented() =>
        Assert.Equal((int)RpcStatusCode.Unimplemented, (await CallAsync("compressed")).GetProperty("code").GetInt32());

    [Fact]
    public async Task Its_deadline_fires_on_our_side_too()
    {
        await using GrpcHost host = await GrpcHost.StartAsync();
        JsonElement result = await peer.CallAsync("deadline", host.Port, host.Certificate.Current);
        Assert.Equal((int)RpcStatusCode.DeadlineExceeded, result.GetProperty("code").GetInt32());
        RpcContext seen = await host.Probe.Hanging.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.NotNull(seen.Deadline);
        await host.Probe.GivenUp.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task Its_cancelling_stops_our_handler()
    {
        await using GrpcHost host = await GrpcHost.StartAsync();
        JsonElement result = await peer.CallAsync("cancel", host.Port, host.Certificate.Current);
        Assert.Equal((int)RpcStatusCode.Cancelled, result.GetProperty("code").GetInt32());
        await host.Probe.GivenUp.Task.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.InRange(host.Probe.Counted, 1, 999_999);
    }

    [Fact]
    public async Task A_caller_without_identity_gets_what_the_authorizer_allows()
    {
        await using GrpcHost host = await GrpcHost.StartAsync(authorizer: static context => ValueTask.FromResult(
            context.Peer.EndpointId is not null || context.Method.Name == "Count" ? RpcDecision.Allow : RpcDecision.Deny("members only")));
        Assert.Equal(0, (await peer.CallAsync("stream", host.Port, host.Certificate.Current)).GetProperty("code").GetInt32());
        JsonElement refused = await peer.CallAsync("unary", host.Port, host.Certificate.Current);
        Assert.Equal((int)RpcStatusCode.PermissionDenied, refused.GetProperty("code").GetInt32());
        Assert.Equal("members only", refused.GetProperty("message").GetString());
    }

    private async Task<JsonElement> CallAsync(string scenario)
    {
        await using GrpcHost host = await GrpcHost.StartAsync();
        return await peer.CallAsync(scenario, host.Port, host.Certificate.Current);
    }
}
