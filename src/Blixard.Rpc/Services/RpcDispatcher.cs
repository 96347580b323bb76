using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Blixard.Rpc.Services;

/// <summary>Serves calls whatever they came on: finds the handler, asks the authorizer, keeps the deadline, turns failures into
/// statuses, counts. Thread-safe; one per node.</summary>
public sealed partial class RpcDispatcher
{
    private readonly RpcServiceTable _services;
    private readonly RpcAuthorizer _authorizer;
    private readonly ILogger<RpcDispatcher> _logger;

    /// <summary>A dispatcher.</summary>
    /// <param name="services">The services.</param>
    /// <param name="authorizer">Decides about each call.</param>
    /// <param name="time">The clock for deadlines.</param>
    /// <param name="metrics">Where calls are counted.</param>
    /// <param name="logger">Gets the faults of handlers, which callers only see as INTERNAL.</param>
    public RpcDispatcher(
        RpcServiceTable services, RpcAuthorizer authorizer, TimeProvider time, RpcMetrics metrics, ILogger<RpcDispatcher> logger)
    {
        _services = services;
        _authorizer = authorizer;
        Time = time;
        Metrics = metrics;
        _logger = logger;
    }

    internal TimeProvider Time { get; }

    internal RpcMetrics Metrics { get; }

    /// <summary>Serves one call. Never throws.</summary>
    /// <param name="head">What is called.</param>
    /// <param name="exchange">Its messages.</param>
    /// <param name="peer">Who calls.</param>
    /// <param name="aborted">Fires when the caller gave up or is gone, or the node shuts down.</param>
    /// <returns>The status that the transport sends.</returns>
    internal async Task<RpcStatus> ServeAsync(RpcRequestHead head, ServerExchange exchange, RpcPeer peer, CancellationToken aborted)
    {
        long started = Time.GetTimestamp();
        if (!_services.TryFind(head.Service, head.Method, out BoundMethod? bound, out string? missing))
        {
            Metrics.CallServed(null, peer.Transport, RpcStatusCode.Unimplemented, Time.GetElapsedTime(started), 0, 0);
            return new RpcStatus(RpcStatusCode.Unimplemented, missing);
        }

        using var deadline = new CallDeadline(head.Timeout, Time, aborted);
        RpcStatus status = await RunAsync(bound, head, exchange, peer, deadline, aborted).ConfigureAwait(false);
        Metrics.CallServed(
            bound.Method, peer.Transport, status.Code, Time.GetElapsedTime(started), exchange.BytesReceived, exchange.BytesSent);
        return status;
    }

    private async Task<RpcStatus> RunAsync(
        BoundMethod bound, RpcRequestHead head, ServerExchange exchange, RpcPeer peer, CallDeadline deadline, CancellationToken aborted)
    {
        try
        {
            exchange.Begin(bound.Method);
            if (exchange.TakesStream && bound.ServeBytesAsync is null)
                throw new RpcException(RpcStatusCode.InvalidArgument, $"{bound.Method} has messages; the request's flags say otherwise");
            var context = new RpcContext(peer, bound.Method, head.Metadata, head.Timeout, Time, deadline.Token);
            RpcDecision decision = await _authorizer(context).ConfigureAwait(false);
            if (!decision.IsAllowed)
                return new RpcStatus(RpcStatusCode.PermissionDenied, decision.Reason);
            await (exchange.TakesStream ? bound.ServeBytesAsync! : bound.ServeAsync)(exchange, context).ConfigureAwait(false);
            return RpcStatus.Ok;
        }
        catch (Exception) when (deadline.HasPassed)
        {
            return CallDeadline.Status;
        }
        catch (Exception) when (aborted.IsCancellationRequested)
        {
            return new RpcStatus(RpcStatusCode.Cancelled, "the call was given up");
        }
        catch (RpcException e)
        {
            return e.ToStatus();
        }
        catch (Exception e)
        {
            LogHandlerFailed(e, bound.Method.Path, peer.ToString());
            return new RpcStatus(RpcStatusCode.Internal, $"{bound.Method} failed; this node's log says why");
        }
    }

    [LoggerMessage(EventId = 4001, EventName = "RpcHandlerFailed", Level = LogLevel.Error, Message = "{Method} failed, called by {Peer}")]
    private partial void LogHandlerFailed(Exception exception, string method, string peer);
}

/// <summary>What a call says of itself before its first message.</summary>
/// <param name="Service">The service's full name.</param>
/// <param name="Method">The method's name.</param>
/// <param name="Timeout">The time that is left, or null.</param>
/// <param name="Metadata">What came beside the request.</param>
internal sealed record RpcRequestHead(string Service, string Method, TimeSpan? Timeout, RpcMetadata Metadata);
