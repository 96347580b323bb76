using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Peers;
using Blixard.V1;

namespace Blixard.Rpc.Tunnels;

/// <summary>A tunnel over P2P: a stream that carries the connection's bytes as they are.</summary>
/// <param name="caller">Opens the stream; the route's caller.</param>
/// <inheritdoc cref="OpenTunnel(PeerRoute, string, Stream, Action{int}, TimeSpan, TimeProvider, RpcMetrics?, CancellationToken)"/>
internal sealed class ByteTunnel(
    P2pCaller caller,
    PeerRoute route, string target, Stream local, Action<int> onBytes, TimeSpan opening, TimeProvider time, RpcMetrics? metrics,
    CancellationToken cancellationToken)
    : OpenTunnel(route, target, local, onBytes, opening, time, metrics, cancellationToken)
{
    private ByteCall<TunnelFrame>? _call;

    public override async Task<bool> AskAsync()
    {
        var open = new TunnelFrame { Open = new TunnelOpen { Target = Target } };
        _call = await caller.OpenBytesAsync(TunnelMethods.Open, open, Token).ConfigureAwait(false);
        return _call.Response.Opened is not null;
    }

    public override async Task RunAsync()
    {
        using var pipe = new TunnelPipe(Local, _call!.Stream, AddSent, AddReceived, Token);
        try
        {
            await pipe.RunAsync().ConfigureAwait(false);
            _call.Complete();
        }
        catch (Exception e) when (e is not TunnelLocalException)
        {
            throw _call.Fail(e);
        }
        finally
        {
            _call.Count(pipe.Received, pipe.Sent);
        }
    }

    protected override ValueTask CloseAsync() => _call?.DisposeAsync() ?? ValueTask.CompletedTask;
}
