using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Google.Protobuf;

namespace Blixard.Rpc.Peers;

/// <summary>Calls one peer on the best way there is: P2P when the link is ready, gRPC when not, and back after a probation
/// (<see cref="TransportChoice"/>). Thread-safe.</summary>
/// <remarks>A call whose transport fails before anything came back is tried once more on the other transport, if that is safe:
/// the method is idempotent, or the request surely did not reach the peer.</remarks>
public sealed class PeerChannel : IRpcCaller
{
    private readonly Lock _lock = new();
    private readonly TransportChoice _choice;
    private readonly IRpcCaller? _grpc;
    private readonly TimeProvider _time;
    private readonly RpcMetrics? _metrics;
    private readonly Action<TransportSwitch>? _onSwitch;
    private readonly long _started;
    private readonly Dictionary<TransportSwitchReason, long> _switches = [];
    private IRpcCaller? _p2p;
    private string _linkLostReason = "no P2P link yet";
    private long _callsP2p;
    private long _callsGrpc;

    /// <summary>A channel to a peer without a P2P link yet.</summary>
    /// <param name="name">The peer's name, for messages.</param>
    /// <param name="grpc">Calls it over gRPC; null when it does not serve gRPC. Not owned.</param>
    /// <param name="time">The clock of the probation.</param>
    /// <param name="metrics">Where switches are counted; null = nowhere.</param>
    /// <param name="probation">Null = <see cref="TransportChoice.DefaultProbation"/>.</param>
    /// <param name="onSwitch">Told of each switch, under the channel's lock: it must be quick and must not call the channel.</param>
    public PeerChannel(
        string name, IRpcCaller? grpc, TimeProvider time, RpcMetrics? metrics = null, TimeSpan? probation = null,
        Action<TransportSwitch>? onSwitch = null)
    {
        ArgumentNullException.ThrowIfNull(time);
        Name = name;
        _grpc = grpc;
        _time = time;
        _metrics = metrics;
        _onSwitch = onSwitch;
        _choice = new TransportChoice(probation ?? TransportChoice.DefaultProbation);
        _started = time.GetTimestamp();
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

    /// <summary>The P2P link is ready (its first ping was answered), or was replaced by a new one.</summary>
    /// <param name="p2p">Calls the peer over it. Not owned.</param>
    public void OnLinkReady(IRpcCaller p2p)
    {
        ArgumentNullException.ThrowIfNull(p2p);
        lock (_lock)
        {
            _p2p = p2p;
            Note(_choice.OnLinkReady(Now));
        }
    }

    /// <summary>The P2P link is lost.</summary>
    /// <param name="reason">Why, for people.</param>
    public void OnLinkLost(string reason)
    {
        lock (_lock)
        {
            _p2p = null;
            _linkLostReason = reason;
            Note(_choice.OnLinkLost(Now));
        }
    }

    /// <inheritdoc/>
    public async Task<TResponse> CallAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, RpcCallOptions? options = null,
        CancellationToken cancellationToken = default)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        ArgumentNullException.ThrowIfNull(method);
        using var deadline = new CallDeadline(options?.Timeout, _time, cancellationToken);
        Route route = Choose();
        try
        {
            return await route.Caller.CallAsync(method, request, options, cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException e) when (TryReroute(route, method, e, out IRpcCaller? other))
        {
            return await other.CallAsync(method, request, Left(options, deadline), cancellationToken).ConfigureAwait(false);
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

    private static RpcCallOptions? Left(RpcCallOptions? options, CallDeadline deadline) =>
        deadline.Remaining is { } left ? options! with { Timeout = left } : options;

    private async IAsyncEnumerable<TResponse> RunAsync<TResponse>(
        RpcMethod method, Func<IRpcCaller, RpcCallOptions?, CancellationToken, IAsyncEnumerable<TResponse>> call,
        Func<bool> isRepeatable, RpcCallOptions? options, [EnumeratorCancellation] CancellationToken cancellationToken)
        where TResponse : class
    {
        using var deadline = new CallDeadline(options?.Timeout, _time, cancellationToken);
        Route route = Choose();
        IAsyncEnumerator<TResponse> responses = call(route.Caller, options, cancellationToken).GetAsyncEnumerator(cancellationToken);
        try
        {
            bool any;
            try
            {
                any = await responses.MoveNextAsync().ConfigureAwait(false);
            }
            catch (RpcException e) when (TryReroute(route, method, e, out IRpcCaller? other) && isRepeatable())
            {
                await responses.DisposeAsync().ConfigureAwait(false);
                route = new Route(other, null);
                responses = call(other, Left(options, deadline), cancellationToken).GetAsyncEnumerator(cancellationToken);
                any = await responses.MoveNextAsync().ConfigureAwait(false);
            }
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

    private async ValueTask<bool> NextAsync<TResponse>(IAsyncEnumerator<TResponse> responses, Route route)
    {
        try
        {
            return await responses.MoveNextAsync().ConfigureAwait(false);
        }
        catch (RpcException e) when (e.IsTransportFailure)
        {
            NoteFailure(route);
            throw;
        }
    }

    private Route Choose()
    {
        lock (_lock)
        {
            Note(_choice.HandleTime(Now));
            if (_choice.Current == RpcTransport.P2p && _p2p is { } p2p)
                return Count(new Route(p2p, RpcTransport.P2p));
            if (_grpc is { } grpc)
                return Count(new Route(grpc, RpcTransport.Grpc));
            // In probation, and there is no other way: better than none.
            if (_p2p is { } doubtful)
                return Count(new Route(doubtful, RpcTransport.P2p));
            throw new RpcException(
                RpcStatusCode.Unavailable, $"{Name} cannot be reached: {_linkLostReason}; it serves no gRPC", RpcFailureStage.NotSent);
        }
    }

    // Under the lock.
    private Route Count(Route route)
    {
        if (route.Transport == RpcTransport.P2p)
            _callsP2p++;
        else
            _callsGrpc++;
        return route;
    }

    private bool TryReroute(
        Route failed, RpcMethod method, RpcException e, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out IRpcCaller? other)
    {
        other = null;
        if (!e.IsTransportFailure)
            return false;
        NoteFailure(failed);
        bool safe = e.Stage == RpcFailureStage.NotSent || (e.Stage == RpcFailureStage.AwaitingResponse && method.IsIdempotent);
        if (!safe)
            return false;
        lock (_lock)
        {
            RpcTransport way = failed.Transport == RpcTransport.P2p ? RpcTransport.Grpc : RpcTransport.P2p;
            other = way == RpcTransport.Grpc ? _grpc : _p2p;
            if (other is not null)
                Count(new Route(other, way));
        }

        return other is not null;
    }

    private void NoteFailure(Route failed)
    {
        lock (_lock)
        {
            // A call on a link that was replaced meanwhile says nothing about the new one.
            if (failed.Transport == RpcTransport.P2p && ReferenceEquals(failed.Caller, _p2p))
                Note(_choice.OnCallFailed(Now));
        }
    }

    private void Note(TransportSwitch? change)
    {
        if (change is not { } made)
            return;
        _switches[made.Reason] = _switches.GetValueOrDefault(made.Reason) + 1;
        _metrics?.Switched(made.From, made.To, made.Reason.ToString());
        _onSwitch?.Invoke(made);
    }

    // The caller that a call took; the transport is null for the second try, whose failure is only reported.
    private readonly record struct Route(IRpcCaller Caller, RpcTransport? Transport);
}
