using System.Net.Sockets;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Tests.Support;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Rpc.Tests.Tunnels;

/// <summary>The answering end, asked over P2P by callers that are not <see cref="Rpc.Tunnels.PeerTunnels"/>.</summary>
public sealed class TunnelServiceTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task A_caller_that_asks_for_bytes_gets_them_as_they_are_and_each_direction_ends_by_itself()
    {
        await using TunnelHost host = await TunnelHost.StartAsync();
        await using ByteCall<TunnelFrame> call = await OpenAsync(host, "hold");
        Assert.NotNull(call.Response.Opened);
        NetworkStream far = host.Held.Take();
        await call.Stream.Stream.WriteAsync("question"u8.ToArray());
        await call.Stream.FinishWritingAsync(CancellationToken.None);
        Assert.Equal("question"u8.ToArray(), await ReadToEndAsync(far));
        await far.WriteAsync("answer"u8.ToArray());
        far.Socket.Shutdown(SocketShutdown.Send);
        Assert.Equal("answer"u8.ToArray(), await ReadToEndAsync(call.Stream.Stream));
        call.Complete();
    }

    [Theory]
    [InlineData("", RpcStatusCode.InvalidArgument)]
    [InlineData("secret", RpcStatusCode.PermissionDenied)]
    [InlineData("nothing", RpcStatusCode.NotFound)]
    public async Task A_caller_that_asks_for_bytes_is_refused_in_a_frame(string target, RpcStatusCode code)
    {
        await using TunnelHost host = await TunnelHost.StartAsync();
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => OpenAsync(host, target).WaitAsync(s_patience));
        Assert.Equal((code, RpcFailureStage.Answered), (e.StatusCode, e.Stage));
    }

    [Fact]
    public async Task A_caller_that_gives_up_closes_the_services_connection()
    {
        await using TunnelHost host = await TunnelHost.StartAsync();
        ByteCall<TunnelFrame> call = await OpenAsync(host, "hold");
        NetworkStream far = host.Held.Take();
        await call.DisposeAsync();
        Assert.Empty(await ReadToEndAsync(far));
    }

    [Fact]
    public async Task Frames_are_served_too()
    {
        await using TunnelHost host = await TunnelHost.StartAsync();
        var answers = new List<TunnelFrame>();
        await foreach (TunnelFrame frame in host.P2p.DuplexAsync(TunnelMethods.Open, FramesAsync()))
            answers.Add(frame);
        Assert.NotNull(answers[0].Opened);
        Assert.NotNull(answers[^1].End);
        Assert.Equal("hello", string.Concat(answers[1..^1].Select(frame => frame.Data.ToStringUtf8())));
    }

    [Fact]
    public async Task Methods_that_have_messages_do_not_take_calls_for_bytes()
    {
        await using var host = new FrameHost();
        await using var raw = new RawCall(host);
        await raw.RequestAsync(ProbeMethods.Echo, new EchoRequest { Text = "x" }, flags: FrameFlags.BytesFollow);
        (RpcStatusCode code, string message) = await raw.ReadErrorAsync();
        Assert.Equal(RpcStatusCode.InvalidArgument, code);
        Assert.Contains("has messages", message, StringComparison.Ordinal);
    }

    private static Task<ByteCall<TunnelFrame>> OpenAsync(TunnelHost host, string target) => host.P2p.OpenBytesAsync(
        TunnelMethods.Open, new TunnelFrame { Open = new TunnelOpen { Target = target } }, TestContext.Current.CancellationToken);

    private static async IAsyncEnumerable<TunnelFrame> FramesAsync()
    {
        yield return new TunnelFrame { Open = new TunnelOpen { Target = "echo" } };
        yield return new TunnelFrame { Data = ByteString.CopyFromUtf8("hel") };
        yield return new TunnelFrame { Data = ByteString.CopyFromUtf8("lo") };
        yield return new TunnelFrame { End = new TunnelEnd() };
        await Task.CompletedTask;
    }

    private static async Task<byte[]> ReadToEndAsync(Stream stream)
    {
        using var patience = new CancellationTokenSource(s_patience);
        using var all = new MemoryStream();
        await stream.CopyToAsync(all, patience.Token);
        return all.ToArray();
    }
}
