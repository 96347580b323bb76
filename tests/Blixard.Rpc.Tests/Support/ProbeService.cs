using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Services;
using Google.Protobuf;
using Microsoft.Extensions.Logging.Abstractions;

namespace Blixard.Rpc.Tests.Support;

internal static class ProbeMethods
{
    public static readonly RpcMethod<EchoRequest, EchoResponse> Echo =
        RpcMethod.Unary<EchoRequest, EchoResponse>(ProbeReflection.Descriptor, "Probe", "Echo");

    public static readonly RpcMethod<FailRequest, EchoResponse> Fail =
        RpcMethod.Unary<FailRequest, EchoResponse>(ProbeReflection.Descriptor, "Probe", "Fail");

    public static readonly RpcMethod<EchoRequest, EchoResponse> Hang =
        RpcMethod.Unary<EchoRequest, EchoResponse>(ProbeReflection.Descriptor, "Probe", "Hang");

    public static readonly RpcMethod<CountRequest, CountResponse> Count =
        RpcMethod.ServerStreaming<CountRequest, CountResponse>(ProbeReflection.Descriptor, "Probe", "Count");

    public static readonly RpcMethod<EchoRequest, EchoResponse> Shout =
        RpcMethod.Duplex<EchoRequest, EchoResponse>(ProbeReflection.Descriptor, "Probe", "Shout");
}

/// <summary>The probe's handlers, with what they saw.</summary>
internal sealed class ProbeService : IDisposable
{
    private int _counted;

    public ProbeService(TimeProvider? time = null, RpcAuthorizer? authorizer = null)
    {
        Table = new RpcServiceTable([Bind()]);
        Dispatcher = new RpcDispatcher(
            Table, authorizer ?? (static _ => ValueTask.FromResult(RpcDecision.Allow)), time ?? TimeProvider.System, Metrics,
            NullLogger<RpcDispatcher>.Instance);
    }

    public RpcServiceTable Table { get; }

    public RpcMetrics Metrics { get; } = new();

    public RpcDispatcher Dispatcher { get; }

    /// <summary>Completes when Hang was entered.</summary>
    public TaskCompletionSource<RpcContext> Hanging { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// Completes when Hang or Count was stopped before its end: by its token, or by a write that failed, whichever the cancelling
    /// of the caller reaches first.
    /// </summary>
    public TaskCompletionSource GivenUp { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>How many messages Count has made.</summary>
    public int Counted => Volatile.Read(ref _counted);

    public RpcService Bind() => new RpcService(ProbeReflection.Descriptor, "Probe")
        .Unary(ProbeMethods.Echo, EchoAsync)
        .Unary(ProbeMethods.Fail, (request, _) => request.Code == 99
            ? throw new InvalidOperationException("secret of the handler")
            : throw new RpcException((RpcStatusCode)request.Code, request.Message, details: request.Details.Memory))
        .Unary(ProbeMethods.Hang, HangAsync)
        .ServerStreaming(ProbeMethods.Count, (request, context) => CountAsync(request, context, context.CancellationToken))
        .Duplex(ProbeMethods.Shout, (requests, context) => ShoutAsync(requests, context.CancellationToken));

    public void Dispose() => Metrics.Dispose();

    private static Task<EchoResponse> EchoAsync(EchoRequest request, RpcContext context) => Task.FromResult(new EchoResponse
    {
        Text = request.Text,
        Caller = context.Peer.EndpointId is { } id ? Convert.ToHexStringLower(id.Span) : "",
        Transport = context.Peer.Transport.ToString(),
        Tag = context.Metadata.Get("tag") ?? "",
        TagBin = ByteString.CopyFrom((context.Metadata.GetBinary("tag-bin") ?? default).Span),
        HasDeadline = context.Deadline is not null,
    });

    private async Task<EchoResponse> HangAsync(EchoRequest request, RpcContext context)
    {
        try
        {
            Hanging.TrySetResult(context);
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
            return new EchoResponse();
        }
        finally
        {
            GivenUp.TrySetResult();
        }
    }

    private async IAsyncEnumerable<CountResponse> CountAsync(
        CountRequest request, RpcContext context, [EnumeratorCancellation] CancellationToken token)
    {
        bool complete = false;
        try
        {
            var filling = ByteString.CopyFrom(new byte[request.Size]);
            for (uint i = 0; i < request.Count; i++)
            {
                token.ThrowIfCancellationRequested();
                Interlocked.Increment(ref _counted);
                yield return new CountResponse { Number = i, Filling = filling };
            }
            await Task.Yield();
            complete = true;
        }
        finally
        {
            if (!complete)
                GivenUp.TrySetResult();
        }
        if (request.FailCode != 0)
            throw new RpcException((RpcStatusCode)request.FailCode, "after the last");
    }

    private static async IAsyncEnumerable<EchoResponse> ShoutAsync(
        IAsyncEnumerable<EchoRequest> requests, [EnumeratorCancellation] CancellationToken token)
    {
        await foreach (EchoRequest request in requests.WithCancellation(token))
            yield return new EchoResponse { Text = request.Text.ToUpperInvariant() };
    }
}
