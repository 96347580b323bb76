using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Peers;
using Blixard.V1;

namespace Blixard.Rpc.Tunnels;

/// <summary>A tunnel whose bytes travel in messages of a call, on any transport.</summary>
/// <inheritdoc cref="OpenTunnel(PeerRoute, string, Stream, Action{int}, TimeSpan, TimeProvider, RpcMetrics?, CancellationToken)"/>
internal sealed class FrameTunnel(
    PeerRoute route, string target, Stream local, Action<int> onBytes, TimeSpan opening, TimeProvider time, RpcMetrics? metrics,
    CancellationToken cancellationToken)
    : OpenTunnel(route, target, local, onBytes, opening, time, metrics, cancellationToken)
{
    // What comes is written to the local connection, and nothing else happens with it.
    private static readonly RpcCallOptions s_options = new() { ContinuesInline = true };

    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IAsyncEnumerator<TunnelFrame>? _frames;

    public override async Task<bool> AskAsync()
    {
        _frames = Route.Caller.DuplexAsync(TunnelMethods.Open, RequestsAsync(Token), s_options, Token).GetAsyncEnumerator(CancellationToken.None);
        return await _frames.MoveNextAsync().ConfigureAwait(false) && _frames.Current.Opened is not null;
    }

    public override void Open()
    {
        base.Open();
        _opened.SetResult();
    }

    /// <exception cref="TunnelProtocolException">The peer's frames are no tunnel's.</exception>
    /// <inheritdoc/>
    public override async Task RunAsync()
    {
        await TunnelBytes.WriteAsync(_frames!, Local, AddReceived, Token).ConfigureAwait(false);
        if (await _frames!.MoveNextAsync().ConfigureAwait(false))
            throw new TunnelProtocolException("a frame came after the end");
    }

    protected override ValueTask CloseAsync() => _frames?.DisposeAsync() ?? ValueTask.CompletedTask;

    private async IAsyncEnumerable<TunnelFrame> RequestsAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        yield return new TunnelFrame { Open = new TunnelOpen { Target = Target } };
        await _opened.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        await foreach (TunnelFrame frame in TunnelBytes.ReadAsync(Local, AddSent, cancellationToken).ConfigureAwait(false))
            yield return frame;
    }
}
