using System.Net.Sockets;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Peers;
using Blixard.Rpc.Tests.Support;
using Blixard.Rpc.Tunnels;
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
        Assert.Equal("question"u8.ToArray(), await ReadAllAsync(far));
        // One direction has ended; the other goes on.
        Assert.Equal(1, transport == RpcTransport.P2p ? tunnels.Status.OpenP2p : tunnels.Status.OpenGrpc);
        await far.WriteAsync("answer"u8.ToArray());
        await far.DisposeAsync();
        Assert.Equal("answer"u8.ToArray(), await ReadAllAsync(near));
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
        Task writing = Task.Run(async () =>
        {
            await near.WriteAsync(sent);
            near.Socket.Shutdown(SocketShutdown.Send);
        });
        byte[] came = await ReadAllAsync(near);
        await writing;
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
        Assert.Empty(await ReadAllAsync(near));
        Assert.Equal(transport, _channel.Current);
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

    private static async Task<byte[]> ReadAllAsync(NetworkStream stream)
    {
        using var patience = new CancellationTokenSource(s_patience);
        using var bytes = new MemoryStream();
        await stream.CopyToAsync(bytes, patience.Token);
        return bytes.ToArray();
    }
}
