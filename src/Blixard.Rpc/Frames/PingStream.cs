using Blixard.Rpc.Calls;

namespace Blixard.Rpc.Frames;

/// <summary>A stream that stays open for pings: it proves that a link carries calls and measures its round trip. One ping at a
/// time.</summary>
public sealed class PingStream : IAsyncDisposable
{
    private readonly RpcStream _stream;
    private readonly FrameReader _reader;
    private readonly FrameWriter _writer;
    private readonly TimeProvider _time;

    private PingStream(RpcStream stream, TimeProvider time)
    {
        _stream = stream;
        _reader = new FrameReader(stream.Stream);
        _writer = new FrameWriter(stream.Stream);
        _time = time;
    }

    /// <summary>Opens the stream. Nothing travels before the first ping.</summary>
    /// <param name="openStream">Opens a bidirectional stream.</param>
    /// <param name="time">The clock that measures.</param>
    /// <param name="cancellationToken">Gives the opening up.</param>
    public static async ValueTask<PingStream> OpenAsync(
        Func<CancellationToken, ValueTask<RpcStream>> openStream, TimeProvider time, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(openStream);
        return new PingStream(await openStream(cancellationToken).ConfigureAwait(false), time);
    }

    /// <summary>Sends a ping and waits for its pong.</summary>
    /// <param name="timeout">The longest wait, more than zero.</param>
    /// <param name="cancellationToken">Gives the ping up; the stream is then of no use any more.</param>
    /// <returns>The round trip.</returns>
    /// <exception cref="RpcException">UNAVAILABLE: the stream ended or failed. DEADLINE_EXCEEDED: no pong in time. INTERNAL: the
    /// peer sent something else. The stream is then of no use any more.</exception>
    public async ValueTask<TimeSpan> PingAsync(TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        using var deadline = new CallDeadline(timeout, _time, cancellationToken);
        Guid id = Guid.NewGuid();
        long sent = _time.GetTimestamp();
        FrameRead pong;
        try
        {
            await _writer.WriteAsync(FrameType.Ping, id, FrameFlags.None, null, deadline.Token).ConfigureAwait(false);
            pong = await _reader.ReadAsync(deadline.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException || deadline.HasPassed)
        {
            _stream.Abort(RpcAbortCode.Cancelled);
            RpcStatusCode code = deadline.HasPassed ? RpcStatusCode.DeadlineExceeded : RpcStatusCode.Unavailable;
            string what = deadline.HasPassed ? $"no pong within {timeout.TotalSeconds} s" : $"the stream failed: {e.Message}";
            throw new RpcException(code, what, RpcFailureStage.AwaitingResponse, default, e);
        }
        if (pong.Kind == FrameReadKind.End)
            throw new RpcException(RpcStatusCode.Unavailable, "the peer ended the stream of pings", RpcFailureStage.AwaitingResponse);
        if (pong.Kind == FrameReadKind.Malformed || pong.Header.Type != FrameType.Pong || pong.Header.RequestId != id)
        {
            _stream.Abort(RpcAbortCode.ProtocolError);
            throw new RpcException(RpcStatusCode.Internal, "the peer answered a ping with something else", RpcFailureStage.AwaitingResponse);
        }
        return _time.GetElapsedTime(sent);
    }

    /// <summary>Ends the stream.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            await _stream.FinishWritingAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // The link is gone; there is nobody to tell.
        }
        _reader.Dispose();
        await _stream.DisposeAsync().ConfigureAwait(false);
    }
}
