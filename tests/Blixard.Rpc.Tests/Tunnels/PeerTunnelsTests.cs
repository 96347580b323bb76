using System.Net.Sockets;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Peers;
using Blixard.Rpc.Tests.Support;
using Blixard.Rpc.Tunnels;
using Blixard.Testing.Basics;
using Iroh.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;

namespace Blixard.Rpc.Tests.Tunnels;

/// <summary>Tunnels over frames in memory (P2P) and real gRPC on loopback.</summary>
public sealed class PeerTunnelsTests : IAsyncLifetime
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly RpcMetrics _metrics = new();
    private readonly List<TransportSwitch> _switches = [];
    private TunnelHost _host = null!;
    private PeerChannel _channel = null!;

    public async ValueTask InitializeAsync()
    {
        _host = await TunnelHost.StartAsync();
        _channel = new PeerChannel("node-b", _host.Grpc, TimeProvider.System, _metrics, TimeSpan.FromSeconds(1), _switches.Add);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _channel.Dispose();
        _metrics.Dispose();
    }

    [Theory]
    [InlineData(RpcTransport.P2p)]
    [InlineData(RpcTransport.Grpc)]
    public async Task Bytes_and_the_ends_of_both_directions_pass_a_tunnel(RpcTransport transport)
    {
        Use(transport);
        await using PeerTunnels tunnels = Tunnels("hold");
        (NetworkStream near, Task carried) = await CarryAsync(tunnels);
        NetworkStream far = _host.Held.Take();
        await near.WriteAsync("question"u8.ToArray());
        near.Socket.Shutdown(SocketShutdown.Send);
        Assert.Equal("question"u8.ToArray(), await EchoConnection.ReadToEndAsync(far));
        // One direction has ended; the other goes on.
        Assert.Equal(1, transport == RpcTransport.P2p ? tunnels.Status.OpenP2p : tunnels.Status.OpenGrpc);
        await far.WriteAsync("answer"u8.ToArray());
        await far.DisposeAsync();
        Assert.Equal("answer"u8.ToArray(), await EchoConnection.ReadToEndAsync(near));
        await carried.WaitAsync(s_patience);
        PeerTunnelsStatus status = tunnels.Status;
        Assert.Equal((transport, 0, 0), (status.Way, status.OpenP2p, status.OpenGrpc));
        Assert.Equal((14, 0), transport == RpcTransport.P2p ? (status.BytesP2p, status.BytesGrpc) : (status.BytesGrpc, status.BytesP2p));
    }

    [Theory]
    [InlineData(RpcTransport.P2p)]
    [InlineData(RpcTransport.Grpc)]
    public async Task Ten_megabytes_come_back_as_they_went(RpcTransport transport)
    {
        Use(transport);
        await using PeerTunnels tunnels = Tunnels("echo");
        (NetworkStream near, Task carried) = await CarryAsync(tunnels);
        byte[] sent = new byte[10 * 1024 * 1024];
        new SeededRandomSource(1).Fill(sent);
        byte[] came = await EchoConnection.ExchangeAsync(near, sent);
        Assert.True(came.AsSpan().SequenceEqual(sent), $"{came.Length} bytes came");
        await carried.WaitAsync(s_patience);
    }

    [Theory]
    [InlineData(RpcTransport.P2p, "secret", RpcStatusCode.PermissionDenied)]
    [InlineData(RpcTransport.Grpc, "secret", RpcStatusCode.PermissionDenied)]
    [InlineData(RpcTransport.P2p, "nothing", RpcStatusCode.NotFound)]
    [InlineData(RpcTransport.Grpc, "nothing", RpcStatusCode.NotFound)]
    public async Task A_refusal_reaches_the_caller_and_the_local_connection_is_closed(RpcTransport transport, string target, RpcStatusCode code)
    {
        Use(transport);
        await using PeerTunnels tunnels = Tunnels(target);
        (NetworkStream near, Task carried) = await CarryAsync(tunnels);
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => carried.WaitAsync(s_patience));
        Assert.Equal((code, RpcFailureStage.Answered), (e.StatusCode, e.Stage));
        Assert.Empty(await EchoConnection.ReadToEndAsync(near));
        Assert.Equal(transport, _channel.Current);
    }

    [Fact]
    public async Task A_way_that_goes_silent_is_cut_and_the_next_tunnels_take_gRPC_until_P2P_has_proven_itself()
    {
        _channel.OnLinkReady(_host.P2p);
        await using PeerTunnels tunnels = Tunnels("hold");
        (NetworkStream, Task Carried)[] first = [await CarryAsync(tunnels), await CarryAsync(tunnels)];
        await UntilAsync(() => tunnels.Status.OpenP2p == 2);
        _host.Freeze();
        foreach ((NetworkStream near, Task carried) in first)
        {
            Assert.Empty(await EchoConnection.ReadToEndAsync(near));
            RpcException cut = await Assert.ThrowsAsync<RpcException>(() => carried.WaitAsync(s_patience));
            Assert.Equal("the hold tunnel to node-b over P2p was cut: PulseLost", cut.Message);
        }

        Assert.Equal([TransportSwitchReason.LinkReady, TransportSwitchReason.PulseLost], _switches.Select(change => change.Reason));
        (NetworkStream, Task)[] second = [await CarryAsync(tunnels), await CarryAsync(tunnels)];
        await UntilAsync(() => tunnels.Status.OpenGrpc == 2);

        // The link lives again. After the probation the tunnels are moved, one after the other.
        _host.Thaw();
        using var alive = new Timer(_ => _channel.OnLinkAlive(), null, 0, 200);
        await UntilAsync(() => tunnels.Status is { Way: RpcTransport.P2p, OpenGrpc: 1 });
        Assert.Equal(1, tunnels.Status.OpenGrpc);
        await UntilAsync(() => tunnels.Status.OpenGrpc == 0);
        foreach ((NetworkStream _, Task carried) in second)
            Assert.EndsWith("over Grpc was cut: Moved", (await Assert.ThrowsAsync<RpcException>(() => carried.WaitAsync(s_patience))).Message, StringComparison.Ordinal);
        (NetworkStream last, Task _) = await CarryAsync(tunnels);
        await UntilAsync(() => tunnels.Status is { OpenP2p: 1, Way: RpcTransport.P2p, Switches: 3 });
        await last.DisposeAsync();
    }

    [Fact]
    public async Task An_idle_tunnel_lives_on_by_its_pulses()
    {
        _channel.OnLinkReady(_host.P2p);
        await using PeerTunnels tunnels = Tunnels("echo", new TunnelTiming { Quiet = TimeSpan.FromMilliseconds(20), Silence = TimeSpan.FromSeconds(20) });
        (NetworkStream near, Task carried) = await CarryAsync(tunnels);
        await UntilAsync(() => tunnels.Status.RoundTripTime is not null);
        await near.WriteAsync(new byte[] { 1 });
        Assert.Equal(1, await near.ReadAsync(new byte[1]));
        near.Socket.Shutdown(SocketShutdown.Send);
        Assert.Empty(await EchoConnection.ReadToEndAsync(near));
        await carried.WaitAsync(s_patience);
    }

    [Fact]
    public async Task A_tunnel_that_cannot_be_opened_over_P2P_is_opened_over_gRPC_at_once_and_the_other_way_round()
    {
        _channel.OnLinkReady(_host.P2p);
        _host.Freeze();
        await using PeerTunnels tunnels = Tunnels("echo");
        (NetworkStream near, Task carried) = await CarryAsync(tunnels);
        await near.WriteAsync(new byte[] { 7 });
        byte[] back = new byte[1];
        Assert.Equal(1, await near.ReadAsync(back));
        Assert.Equal((7, 1), (back[0], tunnels.Status.OpenGrpc));
        Assert.Equal(TransportSwitchReason.CallFailed, _switches[^1].Reason);

        // In probation, gRPC dies: its tunnels end, and the next one takes the link that shows life.
        _host.Thaw();
        _channel.OnLinkAlive();
        await _host.StopGrpcAsync();
        await Assert.ThrowsAsync<RpcException>(() => carried.WaitAsync(s_patience));
        (NetworkStream other, Task _) = await CarryAsync(tunnels);
        await UntilAsync(() => tunnels.Status.OpenP2p == 1);
        Assert.Equal(TransportSwitchReason.GrpcFailed, _switches[^1].Reason);
        await other.DisposeAsync();
    }

    [Fact]
    public async Task Without_any_way_the_local_connection_is_closed_and_tries_are_held_back()
    {
        _channel.OnLinkReady(_host.P2p);
        _host.Freeze();
        await _host.StopGrpcAsync();
        var timing = new TunnelTiming { Opening = TimeSpan.FromMilliseconds(100), RetryDelay = TimeSpan.FromMilliseconds(300) };
        await using PeerTunnels tunnels = Tunnels("echo", timing);
        long started = TimeProvider.System.GetTimestamp();
        for (int i = 0; i < 3; i++)
        {
            (NetworkStream near, Task carried) = await CarryAsync(tunnels);
            RpcException e = await Assert.ThrowsAsync<RpcException>(() => carried.WaitAsync(s_patience));
            Assert.Equal(RpcStatusCode.Unavailable, e.StatusCode);
            Assert.StartsWith("no way leads to node-b: ", e.Message, StringComparison.Ordinal);
            Assert.Empty(await EchoConnection.ReadToEndAsync(near));
        }

        Assert.True(TimeProvider.System.GetElapsedTime(started) >= 2 * timing.RetryDelay);
    }

    [Theory]
    [InlineData(RpcTransport.P2p)]
    [InlineData(RpcTransport.Grpc)]
    public async Task A_reader_that_stops_holds_its_writer_back_and_nobody_else(RpcTransport transport)
    {
        Use(transport);
        await using PeerTunnels tunnels = Tunnels("hold");
        (NetworkStream near, Task _) = await CarryAsync(tunnels);
        NetworkStream far = _host.Held.Take();
        // Nobody reads at the far end: sockets, windows and one piece on each side fill up, and then no more is taken.
        const long FarTooMuch = 256L * 1024 * 1024;
        byte[] piece = new byte[64 * 1024];
        long written = 0;
        using (var stuck = new CancellationTokenSource())
        {
            stuck.CancelAfter(TimeSpan.FromSeconds(3));
            try
            {
                while (written < FarTooMuch)
                {
                    await near.WriteAsync(piece, stuck.Token);
                    written += piece.Length;
                    stuck.CancelAfter(TimeSpan.FromSeconds(3));
                }
            }
            catch (OperationCanceledException)
            {
                // It waits, as it should.
            }
        }

        Assert.True(written < FarTooMuch, $"{written} bytes were taken");
        // The way is not blamed for it: pulses pass, and so do other tunnels.
        (NetworkStream other, Task _) = await CarryAsync(tunnels);
        NetworkStream otherFar = _host.Held.Take();
        await other.WriteAsync(new byte[] { 5 });
        Assert.Equal(1, await otherFar.ReadAsync(new byte[1]));
        Assert.Equal(2, tunnels.Status.OpenP2p + tunnels.Status.OpenGrpc);
        await far.DisposeAsync();
        await near.DisposeAsync();
        await other.DisposeAsync();
    }

    [Fact]
    public async Task A_connection_that_breaks_at_the_service_is_closed_here_and_no_fault_of_the_way()
    {
        _channel.OnLinkReady(_host.P2p);
        await using PeerTunnels tunnels = Tunnels("hold");
        (NetworkStream near, Task carried) = await CarryAsync(tunnels);
        NetworkStream far = _host.Held.Take();
        // A reset, and not an end.
        far.Socket.Close(0);
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => carried.WaitAsync(s_patience));
        Assert.Equal((RpcStatusCode.Aborted, RpcFailureStage.Answered), (e.StatusCode, e.Stage));
        Assert.Empty(await EchoConnection.ReadToEndAsync(near));
        Assert.Equal(RpcTransport.P2p, _channel.Current);
    }

    [Fact]
    public async Task Disposing_cuts_what_is_open_and_takes_nothing_more()
    {
        PeerTunnels tunnels = Tunnels("hold");
        (NetworkStream near, Task carried) = await CarryAsync(tunnels);
        await UntilAsync(() => tunnels.Status.OpenGrpc == 1);
        await tunnels.DisposeAsync();
        Assert.Contains("Stopped", (await Assert.ThrowsAsync<RpcException>(() => carried)).Message, StringComparison.Ordinal);
        Assert.Empty(await EchoConnection.ReadToEndAsync(near));
        (NetworkStream late, Task refused) = await CarryAsync(tunnels);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => refused);
        Assert.Empty(await EchoConnection.ReadToEndAsync(late));
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var patience = new CancellationTokenSource(s_patience);
        while (!condition())
            await Task.Delay(10, patience.Token);
    }

    private void Use(RpcTransport transport)
    {
        if (transport == RpcTransport.P2p)
            _channel.OnLinkReady(_host.P2p);
    }

    private PeerTunnels Tunnels(string target, TunnelTiming? timing = null) =>
        new(_channel, target, TimeProvider.System, NullLogger<PeerTunnels>.Instance, _metrics, timing);

    private static async Task<(NetworkStream Near, Task Carried)> CarryAsync(PeerTunnels tunnels)
    {
        (NetworkStream near, NetworkStream far) = await SocketPair.CreateAsync();
        return (near, tunnels.CarryAsync(far));
    }
}
