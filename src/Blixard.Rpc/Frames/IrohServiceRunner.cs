using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Blixard.V1;
using Google.Protobuf;
using Microsoft.Extensions.Logging;

namespace Blixard.Rpc.Frames;

/// <summary>Serves the node's services on streams of connections dialled by key. Thread-safe; one per node.</summary>
public sealed partial class IrohServiceRunner
{
    /// <summary>The protocol name negotiated for connections that carry calls.</summary>
    public const string Alpn = "blixard/rpc/1";

    /// <summary>How many streams of one connection are served at a time: watches stay open, so it is more than a busy
    /// peer's short calls need. When it is reached no more streams are accepted, and the connection's stream limit slows the peer.</summary>
    public const int CallsPerConnectionMax = 256;

    /// <summary>How long a stream may take to bring its first frame, so that silent streams do not hold their places: a 10 MiB
    /// request passes in it at 3 Mbit/s.</summary>
    public static readonly TimeSpan FirstFrameTimeout = TimeSpan.FromSeconds(30);

    // A ping's payload comes back: no more than a caller needs to recognise it.
    internal const int PingPayloadMax = 64;

    private readonly RpcDispatcher _dispatcher;
    private readonly ILogger<IrohServiceRunner> _logger;

    /// <summary>A runner for the services of <paramref name="dispatcher"/>.</summary>
    public IrohServiceRunner(RpcDispatcher dispatcher, ILogger<IrohServiceRunner> logger)
    {
        _dispatcher = dispatcher;
        _logger = logger;
    }

    /// <summary>Serves each stream that a connection accepts, until there are no more or the token fires; then waits for the
    /// calls that still run. An exception of <paramref name="accepted"/> (the connection is lost) ends it quietly.</summary>
    /// <param name="accepted">The bidirectional streams that the peer opens; each is owned by the runner.</param>
    /// <param name="peer">The peer at the other end of the connection.</param>
    /// <param name="cancellationToken">Fires when the node shuts down: running calls are given up.</param>
    public async Task RunAsync(IAsyncEnumerable<RpcStream> accepted, RpcPeer peer, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(accepted);
        using var places = new SemaphoreSlim(CallsPerConnectionMax);
        int free = CallsPerConnectionMax;
        try
        {
            await places.WaitAsync(cancellationToken).ConfigureAwait(false);
            free--;
            await foreach (RpcStream stream in accepted.WithCancellation(cancellationToken).ConfigureAwait(false))
            {
                // The place taken before goes to this stream; it comes back when the stream has been served.
                free++;
                _ = ServeInPlaceAsync(stream, peer, places, cancellationToken);
                await places.WaitAsync(cancellationToken).ConfigureAwait(false);
                free--;
            }
        }
        catch (Exception e)
        {
            LogConnectionEnded(e.Message, peer);
        }
        // All places that are not in our own hand: each running call gives one back.
        for (int i = 0; i < free; i++)
            await places.WaitAsync(CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Serves one stream: a call, or pings until the peer ends it. Never throws; owns the stream.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="peer">Who opened it.</param>
    /// <param name="cancellationToken">Fires when the node shuts down.</param>
    public async Task ServeCallAsync(RpcStream stream, RpcPeer peer, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var writer = new FrameWriter(stream.Stream);
        using var reader = new FrameReader(stream.Stream);
        try
        {
            FrameRead first = await ReadFirstAsync(reader, cancellationToken).ConfigureAwait(false);
            if (first.Kind == FrameReadKind.Frame && first.Header.Type == FrameType.Ping)
                await AnswerPingsAsync(first, reader, writer, cancellationToken).ConfigureAwait(false);
            else if (first.Kind != FrameReadKind.End)
                await ServeAsync(first, stream, reader, writer, peer, cancellationToken).ConfigureAwait(false);
            await stream.FinishWritingAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            stream.Abort(e switch
            {
                _ when cancellationToken.IsCancellationRequested => RpcAbortCode.Shutdown,
                InvalidDataException => RpcAbortCode.ProtocolError,
                _ => RpcAbortCode.Cancelled,
            });
            LogCallBroken(e.Message, peer);
        }
        finally
        {
            await stream.DisposeAsync().ConfigureAwait(false);
        }
    }

    private async Task ServeInPlaceAsync(RpcStream stream, RpcPeer peer, SemaphoreSlim places, CancellationToken cancellationToken)
    {
        try
        {
            await ServeCallAsync(stream, peer, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            places.Release();
        }
    }

    private async ValueTask<FrameRead> ReadFirstAsync(FrameReader reader, CancellationToken cancellationToken)
    {
        using var patience = new CallDeadline(FirstFrameTimeout, _dispatcher.Time, cancellationToken);
        return await reader.ReadAsync(patience.Token).ConfigureAwait(false);
    }

    private async Task ServeAsync(
        FrameRead first, RpcStream stream, FrameReader reader, FrameWriter writer, RpcPeer peer, CancellationToken shutdown)
    {
        if (!TryReadRequest(first, out RpcRequestHead? head, out byte[] message, out RpcStatus refusal))
        {
            await WriteErrorAsync(writer, first.Header.RequestId, refusal, shutdown).ConfigureAwait(false);
            return;
        }

        using var aborted = CancellationTokenSource.CreateLinkedTokenSource(shutdown);
        using var ended = new CancellationTokenSource();
        var exchange = new FrameServerExchange(stream, reader, writer, first.Header, message, aborted);
        // Whoever takes the stream reads it, and nobody else.
        Task readOn = exchange.TakesStream ? Task.CompletedTask : exchange.ReadOnAsync(ended.Token);
        RpcStatus status = await _dispatcher.ServeAsync(head, exchange, peer, aborted.Token).ConfigureAwait(false);
        await ended.CancelAsync().ConfigureAwait(false);
        await readOn.ConfigureAwait(false);

        if (exchange.IsStreamTaken)
        {
            if (status.Code == RpcStatusCode.Aborted)
                stream.Abort(RpcAbortCode.ConnectionBroke);
            else if (status.Code != RpcStatusCode.Ok)
                throw new OperationCanceledException(status.Message);
            return;
        }

        if (exchange is { Violation: { } violation, IsWriteBroken: false })
        {
            await WriteErrorAsync(writer, first.Header.RequestId, new RpcStatus(RpcStatusCode.InvalidArgument, violation), shutdown)
                .ConfigureAwait(false);
            return;
        }
        // Nobody waits for the answer, or it stopped within a frame: the stream can only be reset.
        if (aborted.IsCancellationRequested || exchange.IsWriteBroken)
            throw new OperationCanceledException(status.Message);
        if (status.Code != RpcStatusCode.Ok)
            await WriteErrorAsync(writer, first.Header.RequestId, status, shutdown).ConfigureAwait(false);
        else if (!exchange.IsUnary)
            await writer.WriteAsync(FrameType.StreamEnd, first.Header.RequestId, FrameFlags.None, null, shutdown).ConfigureAwait(false);
    }

    private static bool TryReadRequest(
        in FrameRead first, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out RpcRequestHead? head, out byte[] message,
        out RpcStatus refusal)
    {
        head = null;
        message = [];
        refusal = default;
        if (first.Kind == FrameReadKind.Malformed)
        {
            RpcStatusCode code = first.Error == FrameError.PayloadTooLong ? RpcStatusCode.ResourceExhausted : RpcStatusCode.InvalidArgument;
            refusal = new RpcStatus(code, $"this is no frame: {first.Error}");
            return false;
        }
        if (first.Header.Type != FrameType.Request)
        {
            refusal = new RpcStatus(RpcStatusCode.InvalidArgument, $"a call begins with a Request frame, not with {first.Header.Type}");
            return false;
        }
        try
        {
            RpcRequest request = RpcRequest.Parser.ParseFrom(first.Payload.Span);
            var metadata = new RpcMetadata();
            foreach (RpcMetadataEntry entry in request.Metadata)
            {
                if (!metadata.TryAdd(entry.Key, entry.Value.Memory))
                {
                    refusal = new RpcStatus(RpcStatusCode.InvalidArgument, "the request's metadata is not allowed (name, characters or size)");
                    return false;
                }
            }
            TimeSpan? timeout = request.DeadlineMs == 0 || request.DeadlineMs > RpcCallOptions.TimeoutMax.TotalMilliseconds
                ? null
                : TimeSpan.FromMilliseconds(request.DeadlineMs);
            head = new RpcRequestHead(request.Service, request.Method, timeout, metadata);
            message = request.Message.ToByteArray();
            return true;
        }
        catch (InvalidProtocolBufferException e)
        {
            refusal = new RpcStatus(RpcStatusCode.InvalidArgument, $"the Request frame holds no RpcRequest: {e.Message}");
            return false;
        }
    }

    private static ValueTask WriteErrorAsync(FrameWriter writer, Guid requestId, in RpcStatus status, CancellationToken cancellationToken)
    {
        var error = new RpcError { Code = (uint)status.Code, Message = status.BoundedMessage };
        if (status.Details.Length > 0)
            error.Details = UnsafeByteOperations.UnsafeWrap(status.Details);
        return writer.WriteAsync(FrameType.Error, requestId, FrameFlags.None, error, cancellationToken);
    }

    private static async Task AnswerPingsAsync(
        FrameRead ping, FrameReader reader, FrameWriter writer, CancellationToken cancellationToken)
    {
        while (ping.Kind != FrameReadKind.End)
        {
            if (ping.Kind == FrameReadKind.Malformed || ping.Header.Type != FrameType.Ping || ping.Payload.Length > PingPayloadMax)
                throw new InvalidDataException("something else than a ping on a stream of pings");
            await writer.WriteBytesAsync(FrameType.Pong, ping.Header.RequestId, ping.Payload, cancellationToken).ConfigureAwait(false);
            ping = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    [LoggerMessage(EventId = 4011, EventName = "RpcCallBroken", Level = LogLevel.Debug, Message = "A stream of {Peer} ended early: {Reason}")]
    private partial void LogCallBroken(string reason, RpcPeer peer);

    [LoggerMessage(EventId = 4012, EventName = "RpcConnectionEnded", Level = LogLevel.Debug, Message = "No more streams from {Peer}: {Reason}")]
    private partial void LogConnectionEnded(string reason, RpcPeer peer);
}
