using System.Runtime.CompilerServices;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Peers;
using Blixard.V1;

namespace Blixard.Rpc.Tunnels;

/// <summary>The calling end of one tunnel. Its two directions run side by side; <see cref="Cut"/> may come at any time.</summary>
internal sealed class OpenTunnel : IDisposable
{
    private readonly string _target;
    private readonly Stream _local;
    private readonly RpcMetrics? _metrics;
    private readonly CancellationTokenSource _ended;
    private readonly CancellationTokenRegistration _given;
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Action<int> _onBytes;
    private TunnelCount? _count;
    private int _cut = -1;

    /// <summary>A tunnel that is to be opened; the clock of its opening runs.</summary>
    /// <param name="route">The way that it takes.</param>
    /// <param name="target">Where it leads.</param>
    /// <param name="local">The local connection; stays the caller's.</param>
    /// <param name="onBytes">Told of each piece's length, in both directions.</param>
    /// <param name="opening">How long the opening may take.</param>
    /// <param name="time">The clock for it.</param>
    /// <param name="metrics">Where it is counted.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    public OpenTunnel(
        PeerRoute route, string target, Stream local, Action<int> onBytes, TimeSpan opening, TimeProvider time, RpcMetrics? metrics,
        CancellationToken cancellationToken)
    {
        Route = route;
        _target = target;
        _local = local;
        _onBytes = onBytes;
        _metrics = metrics;
        _ended = new CancellationTokenSource(opening, time);
        Token = _ended.Token;
        _given = cancellationToken.UnsafeRegister(static state => ((CancellationTokenSource)state!).Cancel(), _ended);
    }

    public PeerRoute Route { get; }

    /// <summary>Fires when the tunnel is cut or given up, and when its opening takes too long.</summary>
    public CancellationToken Token { get; }

    /// <summary>Why it was cut; null when it was not.</summary>
    public TunnelCutReason? CutReason => Volatile.Read(ref _cut) is >= 0 and int reason ? (TunnelCutReason)reason : null;

    /// <summary>Where it stands with its like, from the opening on.</summary>
    public TunnelWay? Way { get; set; }

    /// <summary>The peer's frames, once the call is made; owned by whoever carries the tunnel.</summary>
    public IAsyncEnumerator<TunnelFrame>? Frames { get; set; }

    /// <summary>The frames that go to the peer. Nothing is read from the local connection before the peer has opened: until then
    /// the tunnel can be opened on another way.</summary>
    public async IAsyncEnumerable<TunnelFrame> RequestsAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        yield return new TunnelFrame { Open = new TunnelOpen { Target = _target } };
        await _opened.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        await foreach (TunnelFrame frame in TunnelBytes.ReadAsync(_local, AddSent, cancellationToken).ConfigureAwait(false))
            yield return frame;
    }

    /// <summary>The peer has opened: bytes flow from now on.</summary>
    /// <exception cref="OperationCanceledException">The time for it was over in the same moment, or it was cut.</exception>
    public void Open()
    {
        _ended.CancelAfter(Timeout.InfiniteTimeSpan);
        Token.ThrowIfCancellationRequested();
        _count = new TunnelCount(_metrics, _target, Route.Transport, "client");
        _opened.SetResult();
    }

    /// <summary>Gives the peer's bytes to the local connection, until both directions have ended.</summary>
    public async Task RunAsync()
    {
        await TunnelBytes.WriteAsync(Frames!, _local, AddReceived, Token).ConfigureAwait(false);
        if (await Frames!.MoveNextAsync().ConfigureAwait(false))
            throw new TunnelProtocolException("a frame came after the end");
    }

    /// <summary>Ends it at once. Only the first reason counts.</summary>
    /// <returns>Whether this was the first.</returns>
    public bool Cut(TunnelCutReason reason)
    {
        if (Interlocked.CompareExchange(ref _cut, (int)reason, -1) != -1)
            return false;
        _metrics?.TunnelCut(_target, Route.Transport, reason.ToString());
        try
        {
            _ended.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself in the same moment.
        }
        return true;
    }

    /// <summary>It is over: counts it as closed, if it was open.</summary>
    public void Dispose()
    {
        _given.Dispose();
        _ended.Dispose();
        _count?.Close();
    }

    private void AddSent(int length)
    {
        _count!.AddSent(length);
        _onBytes(length);
    }

    private void AddReceived(int length)
    {
        Way!.NoteHeard();
        _count!.AddReceived(length);
        _onBytes(length);
    }
}
