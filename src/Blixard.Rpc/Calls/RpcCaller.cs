using System.Runtime.CompilerServices;
using Blixard.Rpc.Diagnostics;
using Google.Protobuf;

namespace Blixard.Rpc.Calls;

/// <summary>What callers have in common: a transport only says how one call is made.</summary>
public abstract class RpcCaller : IRpcCaller
{
    private readonly RpcMetrics? _metrics;
    private readonly RpcTransport _transport;

    private protected RpcCaller(RpcTransport transport, TimeProvider time, RpcMetrics? metrics)
    {
        _transport = transport;
        _metrics = metrics;
        Time = time;
    }

    private protected TimeProvider Time { get; }

    /// <inheritdoc/>
    public async Task<TResponse> CallAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, RpcCallOptions? options = null,
        CancellationToken cancellationToken = default)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        Require(method, RpcMethodKind.Unary);
        ArgumentNullException.ThrowIfNull(request);
        long started = Time.GetTimestamp();
        ClientCall call = Create(method, options ?? RpcCallOptions.Default, cancellationToken);
        try
        {
            await call.StartAsync(request, null).ConfigureAwait(false);
            TResponse response = await call.ReadAsync(method.ResponseParser).ConfigureAwait(false)
                ?? throw new RpcException(
                    RpcStatusCode.Internal, $"{method}: the peer ended the call without an answer", RpcFailureStage.DuringResponse);
            if (await call.ReadAsync(method.ResponseParser).ConfigureAwait(false) is not null)
                throw new RpcException(RpcStatusCode.Internal, $"{method}: the peer sent two answers", RpcFailureStage.DuringResponse);
            return response;
        }
        finally
        {
            await EndAsync(call, method, started).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<TResponse> StreamAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, RpcCallOptions? options = null,
        CancellationToken cancellationToken = default)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        Require(method, RpcMethodKind.ServerStreaming);
        ArgumentNullException.ThrowIfNull(request);
        return RunAsync(method, request, null, options ?? RpcCallOptions.Default, cancellationToken);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<TResponse> DuplexAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, IAsyncEnumerable<TRequest> requests, RpcCallOptions? options = null,
        CancellationToken cancellationToken = default)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        Require(method, RpcMethodKind.Duplex);
        ArgumentNullException.ThrowIfNull(requests);
        return RunAsync(method, null, requests, options ?? RpcCallOptions.Default, cancellationToken);
    }

    private protected abstract ClientCall Create(RpcMethod method, RpcCallOptions options, CancellationToken cancellationToken);

    private static void Require(RpcMethod method, RpcMethodKind kind)
    {
        ArgumentNullException.ThrowIfNull(method);
        if (method.Kind != kind)
            throw new ArgumentException($"{method} is {method.Kind}, not {kind}", nameof(method));
    }

    private async IAsyncEnumerable<TResponse> RunAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, IMessage? request, IAsyncEnumerable<IMessage>? requests, RpcCallOptions options,
        [EnumeratorCancellation] CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        long started = Time.GetTimestamp();
        ClientCall call = Create(method, options, cancellationToken);
        try
        {
            await call.StartAsync(request, requests).ConfigureAwait(false);
            while (await call.ReadAsync(method.ResponseParser).ConfigureAwait(false) is { } response)
                yield return response;
        }
        finally
        {
            await EndAsync(call, method, started).ConfigureAwait(false);
        }
    }

    /// <summary>Ends a call, and counts it.</summary>
    private protected async ValueTask EndAsync(ClientCall call, RpcMethod method, long started)
    {
        await call.DisposeAsync().ConfigureAwait(false);
        _metrics?.CallMade(
            method, _transport, call.Ended ?? RpcStatusCode.Unknown, Time.GetElapsedTime(started), call.BytesReceived, call.BytesSent);
    }
}
