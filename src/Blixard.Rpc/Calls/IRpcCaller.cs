using Google.Protobuf;

namespace Blixard.Rpc.Calls;

/// <summary>Calls the services of one peer. Thread-safe; calls run side by side.</summary>
/// <remarks>Failures are <see cref="RpcException"/>; the caller's own token ends a call with
/// <see cref="OperationCanceledException"/> and tells the peer.</remarks>
public interface IRpcCaller
{
    /// <summary>Calls a <see cref="RpcMethodKind.Unary"/> method.</summary>
    Task<TResponse> CallAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, RpcCallOptions? options = null,
        CancellationToken cancellationToken = default)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new();

    /// <summary>Calls a <see cref="RpcMethodKind.ServerStreaming"/> method. The call begins with the enumeration and is given
    /// up when the enumeration is left early. Messages are fetched as they are asked for: a slow reader slows the peer.</summary>
    IAsyncEnumerable<TResponse> StreamAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, RpcCallOptions? options = null,
        CancellationToken cancellationToken = default)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new();

    /// <summary>Calls a <see cref="RpcMethodKind.Duplex"/> method. <paramref name="requests"/> is enumerated once the call has
    /// a stream, beside the responses; its end is the end of the requests, its exception ends the call.</summary>
    IAsyncEnumerable<TResponse> DuplexAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, IAsyncEnumerable<TRequest> requests, RpcCallOptions? options = null,
        CancellationToken cancellationToken = default)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new();
}
