using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Google.Protobuf;
using Microsoft.Extensions.Logging;

namespace Blixard.Rpc.Peers;

/// <summary>Calls one peer on the best way there is: P2P when the link is ready, gRPC when not or when P2P failed, and back after a
/// probation (<see cref="TransportChoice"/>). Thread-safe.</summary>
/// <remarks>A call whose transport fails before anything came back is tried once more on the other transport, if that is safe:
/// the method is idempotent, or the request surely did not reach the peer.</remarks>
public sealed partial class PeerChannel : IRpcCaller, IDisposable
{
    private readonly Lock _lock = new();
    private readonly TransportChoice _choice;
    private readonly IRpcCaller? _grpc;
    private readonly TimeProvider _time;
    private readonly RpcMetrics? _metrics;
    private readonly ILogger? _logger;
    private readonly Action<TransportSwitch>? _onSwitch;
    private readonly long _started;
    private readonly Dictionary<TransportSwitchReason, long> _switches = [];
    private DateTimeOffset _since;
    private TimeSpan _switchedAt;
    private TransportSwitch? _lastSwitch;
    private IRpcCaller? _p2p;
    private Action? _probe;
    private string _linkLostReason = "no P2P link yet";
    private long _callsP2p;
    private long _callsGrpc;

    /// <summary>A channel to a peer without a P2P link yet.</summary>
    /// <param name="name">The peer's name, for messages.</param>
    /// <param name="grpc">Calls it over gRPC; null when it does not serve gRPC. Not owned.</param>
    /// <param name="time">The clock of the probation.</param>
    /// <param name="metrics">Where switches are counted, and where the age of the transport is shown until the channel is disposed;
    /// null = nowhere.</param>
    /// <param name="probation">Null = <see cref="TransportChoice.DefaultProbation"/>.</param>
    /// <param name="onSwitch">Told of each switch, under the channel's lock: it must be quick and must not call the channel.</param>
    /// <param name="logger">Gets each switch; null = nothing is logged.</param>
    public PeerChannel(
        string name, IRpcCaller? grpc, TimeProvider time, RpcMetrics? metrics = null, TimeSpan? probation = null,
        Action<TransportSwitch>? onSwitch = null, ILogger<PeerChannel>? logger = null)
    {
        ArgumentNullException.ThrowIfNull(time);
        Name = name;
        _grpc = grpc;
        _time = time;
        _metrics = metrics;
        _logger = logger;
        _onSwitch = onSwitch;
        _choice = new TransportChoice(probation ?? TransportChoice.DefaultProbation);
        _started = time.GetTimestamp();
        _since = time.GetUtcNow();
        metrics?.Show(this);
    }

    /// <summary>The peer's name.</summary>
    public string Name { get; }

    /// <summary>The transport that a call would take now.</summary>
    public RpcTransport Current
    {
        get
        {
            lock (_lock)
            {
                Note(_choice.HandleTime(Now));
                return _choice.Current;
            }
        }
    }

    /// <summary>How the peer is reached now, and since when.</summary>
    public PeerChannelStatus Status
    {
        get
        {
            lock (_lock)
            {
                Note(_choice.HandleTime(Now));
                return new PeerChannelStatus(_choice.Current, _since, Now - _switchedAt, _lastSwitch, _switches.Values.Sum());
            }
        }
    }

    /// <summary>How often the transport changed, and why.</summary>
    public IReadOnlyDictionary<TransportSwitchReason, long> Switches
    {
        get
        {
            lock (_lock)
                return new Dictionary<TransportSwitchReason, long>(_switches);
        }
    }

    /// <summary>Calls that were given to the P2P link, well or not; a call that was tried on both ways counts on both.</summary>
    public long CallsP2p => Interlocked.Read(ref _callsP2p);

    /// <summary>Calls that were given to gRPC, counted as <see cref="CallsP2p"/>.</summary>
    public long CallsGrpc => Interlocked.Read(ref _callsGrpc);

    private TimeSpan Now => _time.GetElapsedTime(_started);

    /// <summary>The P2P link is ready (its hellos were exchanged), or was replaced by a new one.</summary>
    /// <param name="p2p">Calls the peer over it. Not owned.</param>
    /// <param name="probe">Asks the link to find out at once whether it is alive; called, on any thread, when calls or tunnels on it
    /// fail. Null = it cannot be asked.</param>
    public void OnLinkReady(IRpcCaller p2p, Action? probe = null)
    {
        ArgumentNullException.ThrowIfNull(p2p);
        lock (_lock)
        {
            _p2p = p2p;
            _probe = probe;
            Note(_choice.OnLinkReady(Now));
        }
    }

    /// <summary>The P2P link showed life: a ping was answered. The probation counts only between such signs.</summary>
    public void OnLinkAlive()
    {
        lock (_lock)
            Note(_choice.OnLinkAlive(Now));
    }

    /// <summary>The P2P link is lost.</summary>
    /// <param name="reason">Why, for people.</param>
    public void OnLinkLost(string reason)
    {
        lock (_lock)
        {
            _p2p = null;
            _probe = null;
            _linkLostReason = reason;
            Note(_choice.OnLinkLost(Now));
        }
    }

    /// <summary>Shows nothing of this peer on the meters any more. Calls go on to work.</summary>
    public void Dispose() => _metrics?.Forget(this);

    /// <inheritdoc/>
    public async Task<TResponse> CallAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, RpcCallOptions? options = null,
        CancellationToken cancellationToken = default)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        ArgumentNullException.ThrowIfNull(method);
        using var deadline = new CallDeadline(options?.Timeout, _time, cancellationToken);
        PeerRoute route = Choose();
        try
        {
            TResponse response = await route.Caller.CallAsync(method, request, options, cancellationToken).ConfigureAwait(false);
            OnWorked(route);
            return response;
        }
        catch (RpcException e) when (TryReroute(route, method, e, out PeerRoute other))
        {
            return await TryOtherAsync(other, method, request, Left(options, deadline), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<TResponse> StreamAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, RpcCallOptions? options = null,
        CancellationToken cancellationToken = default)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        ArgumentNullException.ThrowIfNull(method);
        return RunAsync(
            method, (caller, left, token) => caller.StreamAsync(method, request, left, token), static () => true, options,
            cancellationToken);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<TResponse> DuplexAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, IAsyncEnumerable<TRequest> requests, RpcCallOptions? options = null,
        CancellationToken cancellationToken = default)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        ArgumentNullException.ThrowIfNull(method);
        // Requests that were given to one transport are gone from their source: the call cannot be made again.
        bool taken = false;
        async IAsyncEnumerable<TRequest> TakeAsync([EnumeratorCancellation] CancellationToken token = default)
        {
            Volatile.Write(ref taken, true);
            await foreach (TRequest request in requests.WithCancellation(token).ConfigureAwait(false))
                yield return request;
        }
        return RunAsync(
            method, (caller, left, token) => caller.DuplexAsync(method, TakeAsync(token), left, token),
            () => !Volatile.Read(ref taken), options, cancellationToken);
    }

    private async Task<TResponse> TryOtherAsync<TRequest, TResponse>(
        PeerRoute other, RpcMethod<TRequest, TResponse> method, TRequest request, RpcCallOptions? options, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        try
        {
            TResponse response = await other.Caller.CallAsync(method, request, options, cancellationToken).ConfigureAwait(false);
            OnWorked(other);
            return response;
        }
        catch (RpcException e) when (e.IsTransportFailure)
        {
            OnFailed(other);
            throw;
        }
    }

    private static RpcCallOptions? Left(RpcCallOptions? options, CallDeadline deadline) =>
        deadline.Remaining is { } left ? options! with { Timeout = left } : options;

    private async IAsyncEnumerable<TResponse> RunAsync<TResponse>(
        RpcMethod method, Func<IRpcCaller, RpcCallOptions?, CancellationToken, IAsyncEnumerable<TResponse>> call,
        Func<bool> isRepeatable, RpcCallOptions? options, [EnumeratorCancellation] CancellationToken cancellationToken)
        where TResponse : class
    {
        using var deadline = new CallDeadline(options?.Timeout, _time, cancellationToken);
        PeerRoute route = Choose();
        IAsyncEnumerator<TResponse> responses = call(route.Caller, options, cancellationToken).GetAsyncEnumerator(cancellationToken);
        try
        {
            bool any;
            try
            {
                any = await responses.MoveNextAsync().ConfigureAwait(false);
            }
            catch (RpcException e) when (TryReroute(route, method, e, out PeerRoute other) && isRepeatable())
            {
                await responses.DisposeAsync().ConfigureAwait(false);
                route = other;
                responses = call(other.Caller, Left(options, deadline), cancellationToken).GetAsyncEnumerator(cancellationToken);
                any = await NextAsync(responses, route).ConfigureAwait(false);
            }
            OnWorked(route);
            while (any)
            {
                yield return responses.Current;
                any = await NextAsync(responses, route).ConfigureAwait(false);
            }
        }
        finally
        {
            await responses.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>The way that a call or tunnel takes now.</summary>
    /// <exception cref="RpcException">UNAVAILABLE: there is none.</exception>
    internal PeerRoute Choose()
    {
        lock (_lock)
        {
            Note(_choice.HandleTime(Now));
            if (_choice.Current == RpcTransport.P2p && _p2p is { } p2p)
                return Count(new PeerRoute(p2p, RpcTransport.P2p));
            if (_grpc is { } grpc)
                return Count(new PeerRoute(grpc, RpcTransport.Grpc));
            // In probation, and there is no other way: better than none.
            if (_p2p is { } doubtful)
                return Count(new PeerRoute(doubtful, RpcTransport.P2p));
            throw new RpcException(
                RpcStatusCode.Unavailable, $"{Name} cannot be reached: {_linkLostReason}; it serves no gRPC", RpcFailureStage.NotSent);
        }
    }

    /// <summary>The other way than one that failed; null if there is none.</summary>
    internal PeerRoute? ChooseOther(PeerRoute failed)
    {
        lock (_lock)
        {
            RpcTransport way = failed.Transport == RpcTransport.P2p ? RpcTransport.Grpc : RpcTransport.P2p;
            return (way == RpcTransport.Grpc ? _grpc : _p2p) is { } other ? Count(new PeerRoute(other, way)) : null;
        }
    }

    /// <summary>A way failed: its transport did, not the peer's answer.</summary>
    /// <param name="route">The way.</param>
    /// <param name="isPulseLost">Whether tunnels on it went silent, and not a call failed.</param>
    internal void OnFailed(PeerRoute route, bool isPulseLost = false)
    {
        Action? probe = null;
        lock (_lock)
        {
            if (route.Transport == RpcTransport.Grpc)
            {
                Note(_choice.OnGrpcFailed(Now));
            }
            else if (ReferenceEquals(route.Caller, _p2p))
            {
                Note(isPulseLost ? _choice.OnPulseLost(Now) : _choice.OnCallFailed(Now));
                probe = _probe;
            }
            // Else the link was replaced meanwhile: this says nothing about the new one.
        }

        // Not under the lock: the link tells this channel what it finds.
        probe?.Invoke();
    }

    /// <summary>A call or tunnel got an answer on a way.</summary>
    internal void OnWorked(PeerRoute route)
    {
        if (route.Transport != RpcTransport.Grpc)
            return;
        lock (_lock)
            _choice.OnGrpcWorked();
    }

    // Under the lock.
    private PeerRoute Count(PeerRoute route)
    {
        if (route.Transport == RpcTransport.P2p)
            _callsP2p++;
        else
            _callsGrpc++;
        return route;
    }

    private async ValueTask<bool> NextAsync<TResponse>(IAsyncEnumerator<TResponse> responses, PeerRoute route)
    {
        try
        {
            return await responses.MoveNextAsync().ConfigureAwait(false);
        }
        catch (RpcException e) when (e.IsTransportFailure)
        {
            OnFailed(route);
            throw;
        }
    }

    private bool TryReroute(PeerRoute failed, RpcMethod method, RpcException e, out PeerRoute other)
    {
        other = default;
        if (!e.IsTransportFailure)
        {
            // An answer, if it was one, came over this way.
            if (e.Stage == RpcFailureStage.Answered)
                OnWorked(failed);
            return false;
        }
        OnFailed(failed);
        bool safe = e.Stage == RpcFailureStage.NotSent || (e.Stage == RpcFailureStage.AwaitingResponse && method.IsIdempotent);
        if (!safe || ChooseOther(failed) is not { } found)
            return false;
        other = found;
        return true;
    }

    // Under the lock.
    private void Note(TransportSwitch? change)
    {
        if (change is not { } made)
            return;
        _switches[made.Reason] = _switches.GetValueOrDefault(made.Reason) + 1;
        (_lastSwitch, _switchedAt, _since) = (made, made.At, _time.GetUtcNow());
        _metrics?.Switched(Name, made.From, made.To, made.Reason.ToString());
        _onSwitch?.Invoke(made);
        if (_logger is { } logger)
            LogSwitch(logger, Name, made.From, made.To, made.Reason);
    }
}
