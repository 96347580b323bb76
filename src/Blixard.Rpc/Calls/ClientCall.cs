using Google.Protobuf;

namespace Blixard.Rpc.Calls;

/// <summary>One call on the calling side; each transport has its own. Owned by one caller; disposed at its end, which gives the
/// call up if it has not ended.</summary>
internal abstract class ClientCall : IAsyncDisposable
{
    private readonly CancellationToken _cancelled;

    protected ClientCall(RpcMethod method, RpcCallOptions options, TimeProvider time, CancellationToken cancelled)
    {
        Method = method;
        Options = options;
        _cancelled = cancelled;
        Deadline = new CallDeadline(options.Timeout, time, cancelled);
    }

    /// <summary>Encoded message bytes that came.</summary>
    public long BytesReceived { get; private set; }

    /// <summary>Encoded message bytes that went, or were given to the transport.</summary>
    public long BytesSent { get; protected set; }

    /// <summary>How the call ended; null while it runs.</summary>
    public RpcStatusCode? Ended { get; private set; }

    protected RpcMethod Method { get; }

    protected RpcCallOptions Options { get; }

    protected CallDeadline Deadline { get; }

    /// <summary>How far the transport has come; derived calls move it on.</summary>
    protected RpcFailureStage Stage { get; set; } = RpcFailureStage.NotSent;

    /// <summary>Why the requests of a duplex call ended early; null while they go on or when they ended well.</summary>
    protected Exception? RequestsFailure { get; set; }

    /// <summary>Sends the request, or begins to send the requests.</summary>
    public async ValueTask StartAsync(IMessage? request, IAsyncEnumerable<IMessage>? requests)
    {
        if (request is not null && request.CalculateSize() is var length && length > RpcLimits.MessageLengthMax)
            throw End(TooLong(length));
        try
        {
            Deadline.Token.ThrowIfCancellationRequested();
            await StartCoreAsync(request, requests).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            throw End(e);
        }
    }

    /// <summary>The next response; null when the call has ended well.</summary>
    public async ValueTask<TResponse?> ReadAsync<TResponse>(MessageParser<TResponse> parser)
        where TResponse : class, IMessage<TResponse>
    {
        try
        {
            ReadOnlyMemory<byte>? bytes = await ReadCoreAsync(Deadline.Token).ConfigureAwait(false);
            if (bytes is not { } message)
            {
                Ended ??= RpcStatusCode.Ok;
                return null;
            }
            Stage = RpcFailureStage.DuringResponse;
            BytesReceived += message.Length;
            return parser.ParseFrom(message.Span);
        }
        catch (Exception e)
        {
            throw End(e);
        }
    }

    /// <summary>Counts bytes that were no messages.</summary>
    public void Count(long received, long sent)
    {
        BytesReceived += received;
        BytesSent += sent;
    }

    /// <summary>The call has ended well, as whoever took its stream knows.</summary>
    public void Complete() => Ended ??= RpcStatusCode.Ok;

    /// <summary>The call has failed, as whoever took its stream knows.</summary>
    /// <returns>What is to be thrown.</returns>
    public Exception Fail(Exception e) => End(e);

    public async ValueTask DisposeAsync()
    {
        if (Ended is null)
        {
            Ended = RpcStatusCode.Cancelled;
            Abort();
        }
        await DisposeCoreAsync().ConfigureAwait(false);
        Deadline.Dispose();
    }

    protected static RpcException TooLong(int length) =>
        new(RpcStatusCode.ResourceExhausted, $"the request has {length} bytes; at most {RpcLimits.MessageLengthMax} can be sent", RpcFailureStage.Local);

    /// <summary>The peer's own word that the call failed.</summary>
    protected static RpcException Answered(RpcStatusCode code, string message, ReadOnlyMemory<byte> details) =>
        code == RpcStatusCode.Ok
            ? new RpcException(RpcStatusCode.Internal, "the peer sent an error that says OK", RpcFailureStage.DuringResponse)
            : new RpcException(code, new RpcStatus(code, message).BoundedMessage, RpcFailureStage.Answered, details);

    /// <summary>The peer broke the transport's protocol.</summary>
    protected RpcException Violation(string what) => new(RpcStatusCode.Internal, $"{Method}: the peer {what}", StageOfFailure);

    protected abstract Task StartCoreAsync(IMessage? request, IAsyncEnumerable<IMessage>? requests);

    /// <summary>The next response's bytes, valid until the next read; null when the call has ended well. Throws
    /// <see cref="RpcException"/> for a status that came back, anything else for a failure of the transport.</summary>
    protected abstract ValueTask<ReadOnlyMemory<byte>?> ReadCoreAsync(CancellationToken cancellationToken);

    /// <summary>Tells the peer that nobody waits any more. Does not throw and does not wait.</summary>
    protected abstract void Abort();

    protected abstract ValueTask DisposeCoreAsync();

    /// <summary>A failure of the transport as a status; derived calls know more about their own exceptions.</summary>
    protected virtual RpcException ToTransportFailure(Exception e) =>
        new(RpcStatusCode.Unavailable, $"{Method}: {e.Message}", StageOfFailure, default, e);

    protected RpcFailureStage StageOfFailure => Stage;

    private Exception End(Exception e)
    {
        Exception ended;
        if (RequestsFailure is { } own)
            ended = own;
        else if (e is RpcException { Stage: RpcFailureStage.Answered or RpcFailureStage.Local })
            ended = e;
        else if (Deadline.HasPassed)
            ended = new RpcException(RpcStatusCode.DeadlineExceeded, $"{Method}: no answer in time", RpcFailureStage.Local, default, e);
        else if (_cancelled.IsCancellationRequested)
            ended = new OperationCanceledException($"{Method} was given up", e, _cancelled);
        else if (e is RpcException)
            ended = e;
        else if (e is InvalidProtocolBufferException)
            ended = Violation($"sent something that is no {Method.Descriptor.OutputType.FullName}: {e.Message}");
        else
            ended = ToTransportFailure(e);

        bool first = Ended is null;
        Ended ??= (ended as RpcException)?.StatusCode ?? RpcStatusCode.Cancelled;
        if (first && ended is not RpcException { Stage: RpcFailureStage.Answered })
            Abort();
        return ended;
    }
}
