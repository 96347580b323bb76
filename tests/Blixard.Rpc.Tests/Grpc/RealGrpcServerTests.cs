using Blixard.Rpc.Calls;
using Blixard.Rpc.Grpc;
using Blixard.Rpc.Identity;
using Blixard.Rpc.Tests.Support;
using Blixard.Testing.Basics;
using Google.Protobuf;

namespace Blixard.Rpc.Tests.Grpc;

/// <summary>Our caller calls the gRPC project's JavaScript server, which shows a node certificate.</summary>
public sealed class RealGrpcServerTests(GrpcPeer peer) : IClassFixture<GrpcPeer>, IAsyncLifetime
{
    private readonly NodeCertificateSource _certificate = new(GrpcHost.ServerSeed, TimeProvider.System);
    private GrpcPeerServer _server = null!;
    private GrpcCaller _caller = null!;

    public async ValueTask InitializeAsync()
    {
        _server = await peer.ServeAsync(_certificate.Current);
        _caller = Caller(TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        _caller.Dispose();
        await _server.DisposeAsync();
        _certificate.Dispose();
    }

    [Fact]
    public async Task Unary_with_metadata_and_deadline()
    {
        var metadata = new RpcMetadata();
        metadata.Add("tag", "red");
        metadata.AddBinary("tag-bin", new byte[] { 0, 255, 10 });
        EchoResponse answer = await _caller.CallAsync(
            ProbeMethods.Echo, new EchoRequest { Text = "grüße" },
            new RpcCallOptions { Metadata = metadata, Timeout = TimeSpan.FromMinutes(1) });
        Assert.Equal("grüße", answer.Text);
        Assert.Equal("red", answer.Tag);
        Assert.Equal([0, 255, 10], answer.TagBin.ToByteArray());
        Assert.True(answer.HasDeadline);
    }

    [Fact]
    public async Task A_status_with_message_and_details()
    {
        var request = new FailRequest { Code = 9, Message = "nöt 100% now\n", Details = ByteString.CopyFrom(1, 2, 3) };
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => _caller.CallAsync(ProbeMethods.Fail, request));
        Assert.Equal(RpcStatusCode.FailedPrecondition, e.StatusCode);
        Assert.Equal("nöt 100% now\n", e.Message);
        Assert.Equal([1, 2, 3], e.Details.ToArray());
        Assert.Equal(RpcFailureStage.Answered, e.Stage);
    }

    [Fact]
    public async Task Server_streaming_to_its_end_and_to_its_failure()
    {
        int count = 0;
        await foreach (CountResponse message in _caller.StreamAsync(ProbeMethods.Count, new CountRequest { Count = 2000, Size = 500 }))
            Assert.Equal((uint)count++, message.Number);
        Assert.Equal(2000, count);

        count = 0;
        RpcException e = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            await foreach (CountResponse _ in _caller.StreamAsync(ProbeMethods.Count, new CountRequest { Count = 4, FailCode = 10 }))
                count++;
        });
        Assert.Equal(RpcStatusCode.Aborted, e.StatusCode);
        Assert.Equal(4, count);
    }

    [Fact]
    public async Task Duplex_word_by_word()
    {
        var requests = System.Threading.Channels.Channel.CreateUnbounded<EchoRequest>();
        await using IAsyncEnumerator<EchoResponse> answers =
            _caller.DuplexAsync(ProbeMethods.Shout, requests.Reader.ReadAllAsync()).GetAsyncEnumerator();
        for (int i = 0; i < 10; i++)
        {
            requests.Writer.TryWrite(new EchoRequest { Text = $"word{i}" });
            Assert.True(await answers.MoveNextAsync());
            Assert.Equal($"WORD{i}", answers.Current.Text);
        }
        requests.Writer.Complete();
        Assert.False(await answers.MoveNextAsync());
    }

    [Fact]
    public async Task Our_deadline_ends_the_call_on_both_sides()
    {
        var time = new ManualTimeProvider();
        using GrpcCaller caller = Caller(time);
        Task<EchoResponse> call = caller.CallAsync(ProbeMethods.Hang, new EchoRequest(), RpcCallOptions.Within(TimeSpan.FromHours(1)));
        Assert.Equal("hanging", (await _server.NextAsync()).GetProperty("event").GetString());
        time.Advance(TimeSpan.FromHours(2));
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => call);
        Assert.Equal(RpcStatusCode.DeadlineExceeded, e.StatusCode);
        Assert.Equal("cancelled", (await _server.NextAsync()).GetProperty("event").GetString());
    }

    [Fact]
    public async Task Our_cancelling_reaches_the_server()
    {
        using var cancel = new CancellationTokenSource();
        Task<EchoResponse> call = _caller.CallAsync(ProbeMethods.Hang, new EchoRequest(), null, cancel.Token);
        Assert.Equal("hanging", (await _server.NextAsync()).GetProperty("event").GetString());
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        Assert.Equal("cancelled", (await _server.NextAsync()).GetProperty("event").GetString());
    }

    [Fact]
    public async Task Leaving_a_stream_early_reaches_the_server()
    {
        await foreach (CountResponse _ in _caller.StreamAsync(ProbeMethods.Count, new CountRequest { Count = 1_000_000, Size = 1000 }))
            break;
        Assert.Equal("cancelled", (await _server.NextAsync()).GetProperty("event").GetString());
    }

    [Fact]
    public async Task An_unknown_method_is_unimplemented()
    {
        // The peer serves the probe only.
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => _caller.CallAsync(ClusterMethods.Ping, new V1.PingRequest()));
        Assert.Equal(RpcStatusCode.Unimplemented, e.StatusCode);
    }

    private GrpcCaller Caller(TimeProvider time) => new(
        new GrpcCallerOptions
        {
            Address = $"127.0.0.1:{_server.Port}",
            // The certificate's dates are those of the real clock.
            ServerCertificateValidation = (_, shown, _, _) =>
                NodeCertificate.TryVerify((System.Security.Cryptography.X509Certificates.X509Certificate2)shown!, TimeProvider.System.GetUtcNow(), out byte[] id, out string _)
                && id.AsSpan().SequenceEqual(_certificate.EndpointId),
        },
        time);
}
