using System.Net;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Exchanges;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Grpc;
using Blixard.Rpc.Identity;
using Blixard.Rpc.Services;
using Blixard.Rpc.Tests.Support;
using Blixard.V1;
using Microsoft.Extensions.Logging.Abstractions;

namespace Blixard.Rpc.Tests.Exchanges;

/// <summary>Exchanges over frames in memory (P2P) and real gRPC on loopback.</summary>
public sealed class ExchangeTests : IAsyncLifetime
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly CancellationTokenSource _stop = new();
    private readonly MemoryLink _link = new();
    private readonly RpcMetrics _metrics = new();
    private readonly NodeCertificateSource _server = new(GrpcHost.ServerSeed, TimeProvider.System);
    private readonly NodeCertificateSource _client = new(GrpcHost.ClientSeed, TimeProvider.System);
    private GrpcServer _grpc = null!;
    private GrpcCaller _grpcCaller = null!;
    private Task _running = null!;
    private Func<ExchangeStream, CancellationToken, Task> _serve = EchoAsync;

    public async ValueTask InitializeAsync()
    {
        var service = new ExchangeService((protocol, _, stream, token) => protocol == "echo/1"
            ? _serve(stream, token)
            : throw new RpcException(RpcStatusCode.NotFound, $"no {protocol} here"));
        var dispatcher = new RpcDispatcher(
            new RpcServiceTable([service.Bind()]), static _ => ValueTask.FromResult(RpcDecision.Allow), TimeProvider.System, _metrics, NullLogger<RpcDispatcher>.Instance);
        var runner = new IrohServiceRunner(dispatcher, NullLogger<IrohServiceRunner>.Instance);
        _running = runner.RunAsync(_link.Accepted, new RpcPeer(FrameHost.CallerId, RpcTransport.P2p, "memory"), _stop.Token);
        _grpc = await GrpcServer.StartAsync(
            new GrpcServerOptions { Address = new IPEndPoint(IPAddress.Loopback, 0), Certificate = _server }, dispatcher, NullLoggerFactory.Instance);
        _grpcCaller = new GrpcCaller(
            new GrpcCallerOptions { Address = $"127.0.0.1:{_grpc.LocalAddress!.Port}", ExpectedEndpointId = _server.EndpointId, Certificate = _client },
            TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        _link.Close();
        await _stop.CancelAsync();
        await _running;
        _grpcCaller.Dispose();
        await _grpc.DisposeAsync();
        _server.Dispose();
        _client.Dispose();
        _metrics.Dispose();
        _stop.Dispose();
    }

    [Theory]
    [InlineData(RpcTransport.P2p)]
    [InlineData(RpcTransport.Grpc)]
    public async Task Bytes_and_the_ends_of_both_directions_pass(RpcTransport transport)
    {
        byte[] content = new byte[3 * ExchangeLimits.WindowLength + 17];
        new Random(1).NextBytes(content);
        await using ExchangeStream stream = ExchangeStream.Open(CallerOf(transport), "echo/1");
        Task writing = Task.Run(async () =>
        {
            await stream.Output.WriteAsync(content);
            stream.CompleteWrites();
        });
        Assert.Equal(content, await ReadAllAsync(stream));
        await writing.WaitAsync(s_patience);
    }

    [Theory]
    [InlineData(RpcTransport.P2p)]
    [InlineData(RpcTransport.Grpc)]
    public async Task The_peer_breaks_its_direction_off_with_a_code(RpcTransport transport)
    {
        _serve = async (stream, token) =>
        {
            await ReadAllAsync(stream);
            stream.Abort(3);
        };
        await using ExchangeStream stream = ExchangeStream.Open(CallerOf(transport), "echo/1");
        stream.CompleteWrites();
        ExchangeException broken = await Assert.ThrowsAsync<ExchangeException>(() => ReadAllAsync(stream));
        Assert.Equal(3ul, broken.Code);
    }

    [Theory]
    [InlineData(RpcTransport.P2p)]
    [InlineData(RpcTransport.Grpc)]
    public async Task The_caller_breaks_its_direction_off_with_a_code(RpcTransport transport)
    {
        var seen = new TaskCompletionSource<ulong?>();
        _serve = async (stream, token) =>
        {
            ExchangeException broken = await Assert.ThrowsAsync<ExchangeException>(() => ReadAllAsync(stream));
            seen.SetResult(broken.Code);
        };
        await using ExchangeStream stream = ExchangeStream.Open(CallerOf(transport), "echo/1");
        await stream.Output.WriteAsync("some"u8.ToArray());
        stream.Abort(7);
        Assert.Equal(7ul, await seen.Task.WaitAsync(s_patience));
        Assert.Empty(await ReadAllAsync(stream));
    }

    [Theory]
    [InlineData(RpcTransport.P2p)]
    [InlineData(RpcTransport.Grpc)]
    public async Task A_caller_that_leaves_ends_the_service(RpcTransport transport)
    {
        var left = new TaskCompletionSource();
        var begun = new TaskCompletionSource();
        _serve = async (stream, token) =>
        {
            begun.SetResult();
            await Assert.ThrowsAnyAsync<Exception>(() => ReadAllAsync(stream));
            left.SetResult();
        };
        ExchangeStream stream = ExchangeStream.Open(CallerOf(transport), "echo/1");
        await stream.Output.WriteAsync("some"u8.ToArray());
        await begun.Task.WaitAsync(s_patience);
        await stream.DisposeAsync().AsTask().WaitAsync(s_patience);
        await left.Task.WaitAsync(s_patience);
    }

    [Theory]
    [InlineData(RpcTransport.P2p)]
    [InlineData(RpcTransport.Grpc)]
    public async Task A_protocol_that_is_not_served_is_named_to_whoever_reads(RpcTransport transport)
    {
        await using ExchangeStream stream = ExchangeStream.Open(CallerOf(transport), "other/1");
        ExchangeException refused = await Assert.ThrowsAsync<ExchangeException>(() => ReadAllAsync(stream));
        Assert.Equal(RpcStatusCode.NotFound, Assert.IsType<RpcException>(refused.InnerException).StatusCode);
        Assert.Null(refused.Code);
    }

    [Fact]
    public async Task A_writer_waits_for_a_peer_that_does_not_read()
    {
        var release = new TaskCompletionSource();
        _serve = async (stream, token) =>
        {
            await release.Task.WaitAsync(s_patience, CancellationToken.None);
            await EchoAsync(stream, token);
        };
        await using ExchangeStream stream = ExchangeStream.Open(CallerOf(RpcTransport.P2p), "echo/1");
        byte[] piece = new byte[64 * 1024];
        // Both ends' windows and what is on the way between them: nobody holds more.
        const int BytesMax = 16 * 1024 * 1024;
        int written = 0;
        Task write = Task.CompletedTask;
        while (write.IsCompleted && written < BytesMax)
        {
            write = stream.Output.WriteAsync(piece).AsTask();
            await Task.WhenAny(write, Task.Delay(500));
            written += piece.Length;
        }

        Assert.False(write.IsCompleted, $"{written} bytes were taken although nobody reads");
        release.SetResult();
        Task<byte[]> reading = ReadAllAsync(stream);
        await write.WaitAsync(s_patience);
        stream.CompleteWrites();
        Assert.Equal(written, (await reading).Length);
    }

    [Fact]
    public async Task Frames_that_have_no_place_are_refused()
    {
        ExchangeFrame[][] wrong =
        [
            [new ExchangeFrame()],
            [new ExchangeFrame { End = new ExchangeEnd() }],
            [new ExchangeFrame { Open = new ExchangeOpen() }],
            [new ExchangeFrame { Open = new ExchangeOpen { Protocol = new string('a', 65) } }],
            [],
        ];
        foreach (ExchangeFrame[] frames in wrong)
        {
            RpcException refused = await Assert.ThrowsAsync<RpcException>(async () =>
            {
                await foreach (ExchangeFrame _ in CallerOf(RpcTransport.Grpc).DuplexAsync(ExchangeMethods.Open, frames.ToAsyncEnumerable()))
                {
                }
            });
            Assert.Equal(RpcStatusCode.InvalidArgument, refused.StatusCode);
        }

        var seen = new TaskCompletionSource<Exception>();
        _serve = async (stream, token) => seen.SetResult(await Assert.ThrowsAsync<ExchangeException>(() => ReadAllAsync(stream)));
        ExchangeFrame open = new() { Open = new ExchangeOpen { Protocol = "echo/1" } };
        await foreach (ExchangeFrame _ in CallerOf(RpcTransport.Grpc).DuplexAsync(ExchangeMethods.Open, new[] { open, open }.ToAsyncEnumerable()))
        {
        }

        Assert.Contains("no place", (await seen.Task.WaitAsync(s_patience)).Message, StringComparison.Ordinal);
    }

    private static async Task EchoAsync(ExchangeStream stream, CancellationToken cancellationToken) =>
        await stream.Input.CopyToAsync(stream.Output, cancellationToken);

    private static async Task<byte[]> ReadAllAsync(ExchangeStream stream)
    {
        using var limit = new CancellationTokenSource(s_patience);
        var read = new MemoryStream();
        await stream.Input.CopyToAsync(read, limit.Token);
        return read.ToArray();
    }

    private IRpcCaller CallerOf(RpcTransport transport) => transport == RpcTransport.Grpc ? _grpcCaller : new P2pCaller(_link.OpenAsync, TimeProvider.System);
}
