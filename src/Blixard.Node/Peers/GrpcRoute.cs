using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Grpc;
using Blixard.Rpc.Identity;
using Blixard.V1;

namespace Blixard.Node.Peers;

/// <summary>gRPC to one peer, at whatever address its record says now. Knows whether the last call reached it. Thread-safe.</summary>
internal sealed class GrpcRoute(
    string name, ReadOnlyMemory<byte> endpointId, Func<NodeCertificateSource?> certificate, TimeProvider time, RpcMetrics metrics)
    : IRpcCaller, IDisposable
{
    private readonly Lock _lock = new();
    private GrpcCaller? _caller;
    private string _address = "";
    private GrpcState _state = GrpcState.Unknown;
    private string _reason = "";

    /// <summary>What is known, for a status.</summary>
    public GrpcStatus Status
    {
        get
        {
            lock (_lock)
                return new GrpcStatus { Address = _address, State = _state, Reason = _reason };
        }
    }

    /// <summary>The peer answers there from now on; "" if nowhere.</summary>
    public void SetAddress(string address)
    {
        GrpcCaller? old;
        lock (_lock)
        {
            if (address == _address)
                return;
            _address = address;
            _state = GrpcState.Unknown;
            _reason = "";
            (old, _caller) = (_caller, null);
        }

        old?.Dispose();
    }

    public void Dispose()
    {
        lock (_lock)
            _caller?.Dispose();
    }

    public async Task<TResponse> CallAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, RpcCallOptions? options, CancellationToken cancellationToken)
        where TRequest : class, Google.Protobuf.IMessage<TRequest>, new()
        where TResponse : class, Google.Protobuf.IMessage<TResponse>, new()
    {
        GrpcCaller caller = Caller();
        try
        {
            TResponse response = await caller.CallAsync(method, request, options, cancellationToken).ConfigureAwait(false);
            Note(caller, null);
            return response;
        }
        catch (RpcException e)
        {
            Note(caller, e);
            throw;
        }
    }

    public IAsyncEnumerable<TResponse> StreamAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, RpcCallOptions? options, CancellationToken cancellationToken)
        where TRequest : class, Google.Protobuf.IMessage<TRequest>, new()
        where TResponse : class, Google.Protobuf.IMessage<TResponse>, new() =>
        FollowAsync(caller => caller.StreamAsync(method, request, options, cancellationToken), cancellationToken);

    public IAsyncEnumerable<TResponse> DuplexAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, IAsyncEnumerable<TRequest> requests, RpcCallOptions? options, CancellationToken cancellationToken)
        where TRequest : class, Google.Protobuf.IMessage<TRequest>, new()
        where TResponse : class, Google.Protobuf.IMessage<TResponse>, new() =>
        FollowAsync(caller => caller.DuplexAsync(method, requests, options, cancellationToken), cancellationToken);

    private async IAsyncEnumerable<TResponse> FollowAsync<TResponse>(
        Func<GrpcCaller, IAsyncEnumerable<TResponse>> call, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        GrpcCaller caller = Caller();
        await using IAsyncEnumerator<TResponse> responses = call(caller).GetAsyncEnumerator(cancellationToken);
        bool isFirst = true;
        while (true)
        {
            try
            {
                if (!await responses.MoveNextAsync().ConfigureAwait(false))
                    break;
            }
            catch (RpcException e)
            {
                Note(caller, e);
                throw;
            }

            if (isFirst)
                Note(caller, null);
            isFirst = false;
            yield return responses.Current;
        }
    }

    private GrpcCaller Caller()
    {
        lock (_lock)
        {
            if (_caller is { } caller)
                return caller;
            if (_address.Length == 0)
                throw new RpcException(RpcStatusCode.Unavailable, $"{name} serves no gRPC", RpcFailureStage.NotSent);
            NodeCertificateSource own = certificate()
                ?? throw new RpcException(RpcStatusCode.Unavailable, "this node's key cannot be read, so it cannot show who it is", RpcFailureStage.NotSent);
            var options = new GrpcCallerOptions { Address = _address, ExpectedEndpointId = endpointId, Certificate = own };
            return _caller = new GrpcCaller(options, time, metrics);
        }
    }

    // An answer that says no is an answer: the peer was reached.
    private void Note(GrpcCaller caller, RpcException? failure)
    {
        lock (_lock)
        {
            if (!ReferenceEquals(caller, _caller))
                return;
            bool isReached = failure is null or { Stage: RpcFailureStage.Answered };
            _state = isReached ? GrpcState.Reachable : GrpcState.Unreachable;
            _reason = isReached ? "" : failure!.Message;
        }
    }
}
