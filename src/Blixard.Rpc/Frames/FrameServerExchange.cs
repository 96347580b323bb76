using System.Threading.Channels;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Google.Protobuf;

namespace Blixard.Rpc.Frames;

/// <summary>The messages of one call in frames, on the serving side. Reads on beside the handler, so that a caller which gives
/// up is noticed while the handler works.</summary>
internal sealed class FrameServerExchange : ServerExchange
{
    // Request messages that wait for the handler: enough to keep a stream moving, at most 4 x 10 MiB in memory.
    private const int RequestsWaitingMax = 4;

    // A handler that waits goes on where the frame was read, without a hop to another thread: tunnels carry a message each way for
    // every write to the store.
    private readonly Channel<byte[]> _requests = Channel.CreateBounded<byte[]>(
        new BoundedChannelOptions(RequestsWaitingMax) { SingleReader = true, SingleWriter = true, AllowSynchronousContinuations = true });
    private readonly RpcStream _stream;
    private readonly FrameReader _reader;
    private readonly FrameWriter _writer;
    private readonly FrameHeader _request;
    private readonly CancellationTokenSource _aborted;
    private bool _requestsEnded;

    /// <param name="stream">The call's stream.</param>
    /// <param name="reader">The stream's reader, at the end of the Request frame.</param>
    /// <param name="writer">The stream's writer.</param>
    /// <param name="request">The Request frame's header.</param>
    /// <param name="first">The request message, if the caller sends only one.</param>
    /// <param name="aborted">Cancelled here when the caller gives up or breaks the protocol.</param>
    public FrameServerExchange(
        RpcStream stream, FrameReader reader, FrameWriter writer, in FrameHeader request, byte[] first, CancellationTokenSource aborted)
    {
        _stream = stream;
        _reader = reader;
        _writer = writer;
        _request = request;
        _aborted = aborted;
        if (request.Flags.HasFlag(FrameFlags.RequestsFollow))
            return;
        _requests.Writer.TryWrite(first);
        _requests.Writer.Complete();
        _requestsEnded = true;
    }

    /// <summary>What the caller did that the protocol does not allow; null when nothing.</summary>
    public string? Violation { get; private set; }

    /// <summary>Whether the answer is one Response frame, which ends the call.</summary>
    public bool IsUnary { get; private set; }

    /// <summary>True when a write was given up or failed, perhaps within a frame: nothing more may be written.</summary>
    public bool IsWriteBroken { get; private set; }

    /// <summary>Whether the handler has taken the stream: no frame may be written any more.</summary>
    public bool IsStreamTaken { get; private set; }

    public override bool TakesStream => _request.Flags.HasFlag(FrameFlags.BytesFollow);

    public override RpcStream TakeStream()
    {
        if (!TakesStream)
            return base.TakeStream();
        IsStreamTaken = true;
        _stream.ContinueInline();
        return _stream;
    }

    public override void Begin(RpcMethod method)
    {
        IsUnary = method.Kind == RpcMethodKind.Unary;
        if (TakesStream)
            return;
        bool follow = _request.Flags.HasFlag(FrameFlags.RequestsFollow);
        if (follow != (method.Kind == RpcMethodKind.Duplex))
            throw new RpcException(RpcStatusCode.InvalidArgument, $"{method} is {method.Kind}; the request's flags say otherwise");
    }

    /// <summary>Reads what comes after the Request frame until the caller ends its side, gives up, or <paramref name="ended"/>
    /// fires because the call has ended. Never throws.</summary>
    public async Task ReadOnAsync(CancellationToken ended)
    {
        try
        {
            while (await ReadFrameAsync(ended).ConfigureAwait(false))
            {
            }
            _requests.Writer.TryComplete();
        }
        catch (Exception e)
        {
            // In this order: a handler that reads on must not take the caller's end for a failure of its own.
            if (!ended.IsCancellationRequested)
                await _aborted.CancelAsync().ConfigureAwait(false);
            _requests.Writer.TryComplete(e);
        }
    }

    protected override async ValueTask<ReadOnlyMemory<byte>?> ReadMessageAsync(CancellationToken cancellationToken)
    {
        while (await _requests.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
            if (_requests.Reader.TryRead(out byte[]? message))
                return message;
        return null;
    }

    protected override async ValueTask WriteMessageAsync(IMessage message, int length, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        FrameType type = IsUnary ? FrameType.Response : FrameType.StreamData;
        IsWriteBroken = true;
        try
        {
            await _writer.WriteAsync(type, _request.RequestId, FrameFlags.None, message, cancellationToken).ConfigureAwait(false);
        }
        catch (IOException)
        {
            // The caller's stream broke; that is no failure of the handler whose answer it was.
            await _aborted.CancelAsync().ConfigureAwait(false);
            throw;
        }

        IsWriteBroken = false;
    }

    private async ValueTask<bool> ReadFrameAsync(CancellationToken ended)
    {
        FrameRead read = await _reader.ReadAsync(ended).ConfigureAwait(false);
        switch (read.Kind)
        {
            case FrameReadKind.End when _requestsEnded:
                return false;
            case FrameReadKind.End:
                throw Broke("ended its stream within its requests");
            case FrameReadKind.Malformed:
                throw Broke($"sent no frame ({read.Error})");
        }
        if (read.Header.RequestId != _request.RequestId)
            throw Broke("began another call on the same stream");
        if (_requestsEnded || read.Header.Type is not (FrameType.StreamData or FrameType.StreamEnd))
            throw Broke($"sent a {read.Header.Type} frame, which has no place here");
        if (read.Header.Type == FrameType.StreamData)
        {
            await _requests.Writer.WriteAsync(read.Payload.ToArray(), ended).ConfigureAwait(false);
            return true;
        }
        if (read.Header.PayloadLength != 0)
            throw Broke("sent a StreamEnd frame with a payload");
        _requestsEnded = true;
        _requests.Writer.TryComplete();
        return true;
    }

    private InvalidDataException Broke(string what)
    {
        Violation = $"the caller {what}";
        return new InvalidDataException(Violation);
    }
}
