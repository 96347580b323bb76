using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Peers;

namespace Blixard.Rpc.Tunnels;

/// <summary>The calling end of one tunnel; each transport has its own. Its two directions run side by side; <see cref="Cut"/> may come at
/// any time.</summary>
internal abstract class OpenTunnel : IAsyncDisposable
{
    private readonly RpcMetrics? _metrics;
    private readonly CancellationTokenSource _ended;
    private readonly CancellationTokenRegistration _given;
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
    protected OpenTunnel(
        PeerRoute route, string target, Stream local, Action<int> onBytes, TimeSpan opening, TimeProvider time, RpcMetrics? metrics,
        CancellationToken cancellationToken)
    {
        Route = route;
        Target = target;
        Local = local;
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

    protected string Target { get; }

    protected Stream Local { get; }

    /// <summary>Asks the peer for it. Nothing is read from the local connection before <see cref="Open"/>: until then the tunnel can be
    /// opened on another way.</summary>
    /// <returns>Whether the peer has opened; if not, it said something that has no place.</returns>
    /// <exception cref="Calls.RpcException">It cannot be opened, or the peer refused.</exception>
    public abstract Task<bool> AskAsync();

    /// <summary>The peer has opened: bytes flow from now on.</summary>
    /// <exception cref="OperationCanceledException">The time for it was over in the same moment, or it was cut.</exception>
    public virtual void Open()
    {
        _ended.CancelAfter(Timeout.InfiniteTimeSpan);
        Token.ThrowIfCancellationRequested();
        _count = new TunnelCount(_metrics, Target, Route.Transport, "client");
    }

    /// <summary>Passes bytes on until both directions have ended.</summary>
    /// <exception cref="TunnelLocalException">The local connection broke.</exception>
    public abstract Task RunAsync();

    /// <summary>Ends it at once. Only the first reason counts.</summary>
    /// <returns>Whether this was the first.</returns>
    public bool Cut(TunnelCutReason reason)
    {
        if (Interlocked.CompareExchange(ref _cut, (int)reason, -1) != -1)
            return false;
        _metrics?.TunnelCut(Target, Route.Transport, reason.ToString());
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
    public async ValueTask DisposeAsync()
    {
        await CloseAsync().ConfigureAwait(false);
        await _given.DisposeAsync().ConfigureAwait(false);
        _ended.Dispose();
        _count?.Close();
    }

    /// <summary>Ends the call.</summary>
    protected abstract ValueTask CloseAsync();

    protected void AddSent(int length)
    {
        _count!.AddSent(length);
        _onBytes(length);
    }

    protected void AddReceived(int length)
    {
        Way!.NoteHeard();
        _count!.AddReceived(length);
        _onBytes(length);
    }
}
