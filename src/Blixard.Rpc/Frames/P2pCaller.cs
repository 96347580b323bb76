using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Rpc.Frames;

/// <summary>Calls a peer with the frame protocol: one bidirectional stream a call. Thread-safe.</summary>
public sealed class P2pCaller : RpcCaller
{
    private static readonly RpcCallOptions s_takesStream = new() { ContinuesInline = true, TakesStream = true };

    private readonly Func<CancellationToken, ValueTask<RpcStream>> _openStream;

    /// <summary>A caller over a connection.</summary>
    /// <param name="openStream">Opens a bidirectional stream; the caller owns it. Its exceptions mean that the request surely was
    /// not sent.</param>
    /// <param name="time">The clock for deadlines.</param>
    /// <param name="metrics">Where calls are counted; null = nowhere.</param>
    public P2pCaller(Func<CancellationToken, ValueTask<RpcStream>> openStream, TimeProvider time, RpcMetrics? metrics = null)
        : base(RpcTransport.P2p, time, metrics) => _openStream = openStream;

    /// <summary>Calls a duplex method whose server passes bytes on: after one request and one response the stream carries bytes as they
    /// are.</summary>
    /// <exception cref="RpcException">As for any call.</exception>
    /// <exception cref="OperationCanceledException">The token fired; it may fire until the call is disposed.</exception>
    internal async Task<ByteCall<TResponse>> OpenBytesAsync<TRequest, TResponse>(
        RpcMethod<TRequest, TResponse> method, TRequest request, CancellationToken cancellationToken)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new()
    {
        long started = Time.GetTimestamp();
        var call = new FrameClientCall(_openStream, method, s_takesStream, Time, cancellationToken);
        try
        {
            await call.StartAsync(request, null).ConfigureAwait(false);
            TResponse response = await call.ReadAsync(method.ResponseParser).ConfigureAwait(false)
                ?? throw new RpcException(RpcStatusCode.Internal, $"{method}: the peer ended the call without an answer", RpcFailureStage.DuringResponse);
            return new ByteCall<TResponse>(call, response, () => EndAsync(call, method, started));
        }
        catch (Exception)
        {
            await EndAsync(call, method, started).ConfigureAwait(false);
            throw;
        }
    }

    private protected override ClientCall Create(RpcMethod method, RpcCallOptions options, CancellationToken cancellationToken) =>
        new FrameClientCall(_openStream, method, options, Time, cancellationToken);
}

/// <summary>A call in frames.</summary>
internal sealed class FrameClientCall(
    Func<CancellationToken, ValueTask<RpcStream>> openStream, RpcMethod method, RpcCallOptions options, TimeProvider time,
    CancellationToken cancelled)
    : ClientCall(method, options, time, cancelled)
{
    private readonly Guid _id = Guid.NewGuid();
    private readonly CancellationTokenSource _pumpStop = new();
    private RpcStream? _stream;
    private FrameReader? _reader;
    private Task _pump = Task.CompletedTask;
    private bool _responsesEnded;

    /// <summary>The call's stream, once it has one.</summary>
    public RpcStream Stream => _stream!;

    protected override async Task StartCoreAsync(IMessage? request, IAsyncEnumerable<IMessage>? requests)
    {
        RpcRequest head = Head(request);
        int length = head.CalculateSize();
        if (length > RpcLimits.MessageLengthMax)
            throw TooLong(length);

        _stream = await openStream(Deadline.Token).ConfigureAwait(false);
        if (Options.ContinuesInline)
            _stream.ContinueInline();
        _reader = new FrameReader(_stream.Stream);
        var writer = new FrameWriter(_stream.Stream);
        Stage = RpcFailureStage.AwaitingResponse;
        FrameFlags flags = Options.TakesStream ? FrameFlags.BytesFollow : requests is null ? FrameFlags.None : FrameFlags.RequestsFollow;
        await writer.WriteAsync(FrameType.Request, _id, flags, head, Deadline.Token).ConfigureAwait(false);
        BytesSent += head.Message.Length;
        if (requests is not null)
            _pump = PumpRequestsAsync(writer, requests);
    }

    protected override async ValueTask<ReadOnlyMemory<byte>?> ReadCoreAsync(CancellationToken cancellationToken)
    {
        if (_responsesEnded)
            return null;
        FrameRead read = await _reader!.ReadAsync(cancellationToken).ConfigureAwait(false);
        if (read.Kind == FrameReadKind.End)
            throw new EndOfStreamException("the peer's stream ended before its answer did");
        if (read.Kind == FrameReadKind.Malformed)
            throw Violation($"sent no frame ({read.Error})");
        if (read.Header.RequestId != _id)
            throw Violation("answered another call");

        bool unary = Method.Kind == RpcMethodKind.Unary;
        switch (read.Header.Type)
        {
            case FrameType.Response when unary:
                _responsesEnded = true;
                return read.Payload;
            case FrameType.StreamData when !unary:
                return read.Payload;
            case FrameType.StreamEnd when !unary && read.Header.PayloadLength == 0:
                _responsesEnded = true;
                return null;
            case FrameType.Error:
                _responsesEnded = true;
                RpcError error = RpcError.Parser.ParseFrom(read.Payload.Span);
                throw Answered(RpcStatus.CodeOf(error.Code), error.Message, error.Details.Memory);
            default:
                throw Violation($"sent a {read.Header.Type} frame, which has no place here");
        }
    }

    protected override RpcException ToTransportFailure(Exception e) =>
        _stream?.CodeOf(e) == RpcAbortCode.ConnectionBroke
            ? Answered(RpcStatusCode.Aborted, "the connection at the peer broke", default)
            : base.ToTransportFailure(e);

    protected override void Abort() => _stream?.Abort(RpcAbortCode.Cancelled);

    protected override async ValueTask DisposeCoreAsync()
    {
        await _pumpStop.CancelAsync().ConfigureAwait(false);
        await _pump.ConfigureAwait(false);
        _pumpStop.Dispose();
        _reader?.Dispose();
        if (_stream is null)
            return;
        if (_responsesEnded)
        {
            try
            {
                await _stream.FinishWritingAsync(CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception)
            {
                // The answer is here; that the peer no longer takes our FIN changes nothing.
            }
        }
        await _stream.DisposeAsync().ConfigureAwait(false);
    }

    private RpcRequest Head(IMessage? request)
    {
        var head = new RpcRequest { Service = Method.Service, Method = Method.Name };
        if (Deadline.Remaining is { } left)
            head.DeadlineMs = (ulong)Math.Max(1, Math.Ceiling(left.TotalMilliseconds));
        foreach (KeyValuePair<string, ReadOnlyMemory<byte>> entry in Options.Metadata)
            head.Metadata.Add(new RpcMetadataEntry { Key = entry.Key, Value = UnsafeByteOperations.UnsafeWrap(entry.Value) });
        if (request is not null)
            head.Message = UnsafeByteOperations.UnsafeWrap(request.ToByteArray());
        return head;
    }

    private async Task PumpRequestsAsync(FrameWriter writer, IAsyncEnumerable<IMessage> requests)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Deadline.Token, _pumpStop.Token);
        IAsyncEnumerator<IMessage> source = requests.GetAsyncEnumerator(stop.Token);
        try
        {
            while (await NextAsync(source).ConfigureAwait(false) is { } message)
            {
                int length = message.CalculateSize();
                await writer.WriteAsync(FrameType.StreamData, _id, FrameFlags.None, message, stop.Token).ConfigureAwait(false);
                BytesSent += length;
            }
            if (RequestsFailure is null)
                await writer.WriteAsync(FrameType.StreamEnd, _id, FrameFlags.None, null, stop.Token).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // The stream is gone or the call has ended: whoever reads the responses learns why.
        }
        finally
        {
            await source.DisposeAsync().ConfigureAwait(false);
        }
    }

    // The caller's own enumeration is kept apart from the stream's writes: its failure ends the call with that exception.
    private async ValueTask<IMessage?> NextAsync(IAsyncEnumerator<IMessage> source)
    {
        try
        {
            if (!await source.MoveNextAsync().ConfigureAwait(false))
                return null;
            int length = source.Current.CalculateSize();
            return length <= RpcLimits.MessageLengthMax ? source.Current : throw TooLong(length);
        }
        catch (Exception e) when (!Deadline.Token.IsCancellationRequested && !_pumpStop.IsCancellationRequested)
        {
            RequestsFailure = e;
            Abort();
            return null;
        }
    }
}
