using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Rpc.Exchanges;

/// <summary>
/// One end of an exchange: a bidirectional stream whose two directions end by themselves, as a QUIC stream's do, carried by a call. Each
/// direction has one user at a time; the two may be different threads.
/// </summary>
public sealed class ExchangeStream : IAsyncDisposable
{
    private static readonly ExchangeFrame s_end = new() { End = new ExchangeEnd() };

    private readonly Pipe _in = NewPipe();
    private readonly Pipe _out = NewPipe();
    private readonly CancellationTokenSource _ended;
    private Task _call = Task.CompletedTask;
    private long _abortCode = -1;

    internal ExchangeStream(CancellationToken cancellationToken)
    {
        _ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Input = _in.Reader.AsStream();
        Output = _out.Writer.AsStream();
    }

    /// <summary>What the peer sends. Reading throws <see cref="ExchangeException"/> when it broke off.</summary>
    public Stream Input { get; }

    /// <summary>What goes to the peer. Writing waits while the peer does not read.</summary>
    public Stream Output { get; }

    /// <summary>Fires when the stream is disposed or its call ends.</summary>
    internal CancellationToken Ended => _ended.Token;

    /// <summary>Opens a stream at a peer. The call is made in the background: what fails shows when the stream is read.</summary>
    /// <param name="caller">The way to the peer.</param>
    /// <param name="protocol">The protocol's ALPN name.</param>
    /// <param name="cancellationToken">Ends the stream, whenever it fires.</param>
    public static ExchangeStream Open(IRpcCaller caller, string protocol, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(caller);
        ArgumentOutOfRangeException.ThrowIfZero(protocol?.Length ?? 0, nameof(protocol));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(protocol!.Length, ExchangeLimits.ProtocolLengthMax, nameof(protocol));
        var stream = new ExchangeStream(cancellationToken);
        stream._call = Task.Run(() => stream.CallAsync(caller, protocol), CancellationToken.None);
        return stream;
    }

    /// <summary>Nothing more goes to the peer: it reads the end after all that was written.</summary>
    public void CompleteWrites() => _out.Writer.Complete();

    /// <summary>Breaks the direction to the peer off.</summary>
    /// <param name="code">The protocol's error code, below 2^62.</param>
    public void Abort(ulong code)
    {
        Interlocked.CompareExchange(ref _abortCode, (long)code, -1);
        _out.Writer.Complete(new ExchangeException(code));
    }

    /// <summary>Ends the call, if it has not ended, and waits for its end.</summary>
    public async ValueTask DisposeAsync()
    {
        await _in.Reader.CompleteAsync().ConfigureAwait(false);
        await _ended.CancelAsync().ConfigureAwait(false);
        await _call.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _out.Writer.CompleteAsync().ConfigureAwait(false);
        _ended.Dispose();
    }

    /// <summary>Lets the call fail instead of ending the direction to the peer.</summary>
    internal void Fail(RpcException failure) => _out.Writer.Complete(failure);

    /// <summary>Lets those who read and write give up.</summary>
    internal Task CancelAsync() => _ended.CancelAsync();

    /// <summary>What goes to the peer, as frames, to the end of this direction.</summary>
    internal async IAsyncEnumerable<ExchangeFrame> FramesAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (true)
        {
            ReadResult read;
            try
            {
                read = await _out.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (ExchangeException)
            {
                break;
            }

            foreach (ReadOnlyMemory<byte> segment in read.Buffer)
            {
                for (ReadOnlyMemory<byte> rest = segment; !rest.IsEmpty; rest = rest[Math.Min(rest.Length, ExchangeLimits.DataLengthMax)..])
                    yield return new ExchangeFrame { Data = UnsafeByteOperations.UnsafeWrap(rest[..Math.Min(rest.Length, ExchangeLimits.DataLengthMax)]) };
            }

            _out.Reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
                break;
        }

        await _out.Reader.CompleteAsync().ConfigureAwait(false);
        yield return Interlocked.Read(ref _abortCode) is >= 0 and long code ? new ExchangeFrame { Abort = new ExchangeAbort { Code = (ulong)code } } : s_end;
    }

    /// <summary>Takes the peer's frames until its direction ends.</summary>
    /// <param name="frames">The frames; behind the open on the answering side.</param>
    /// <exception cref="RpcException">INVALID_ARGUMENT: a frame that has no place.</exception>
    internal async Task TakeAsync(IAsyncEnumerator<ExchangeFrame> frames)
    {
        Exception? failure = null;
        try
        {
            while (true)
            {
                if (!await frames.MoveNextAsync().ConfigureAwait(false))
                    throw new ExchangeException("the peer's call ended in the middle of the exchange");
                ExchangeFrame frame = frames.Current;
                if (frame.FrameCase == ExchangeFrame.FrameOneofCase.End)
                    return;
                if (frame.FrameCase == ExchangeFrame.FrameOneofCase.Abort)
                    throw new ExchangeException(frame.Abort.Code);
                if (frame.FrameCase != ExchangeFrame.FrameOneofCase.Data || frame.Data.Length is 0 or > ExchangeLimits.DataLengthMax)
                    throw new RpcException(RpcStatusCode.InvalidArgument, $"a frame has no place here: {frame.FrameCase}, {frame.Data.Length} bytes");
                FlushResult flushed = await _in.Writer.WriteAsync(frame.Data.Memory, _ended.Token).ConfigureAwait(false);
                // Nobody reads any more: the rest is not wanted.
                if (flushed.IsCompleted)
                    return;
            }
        }
        catch (Exception e)
        {
            failure = e is ExchangeException ? e : new ExchangeException(e is OperationCanceledException ? "the exchange was ended" : e.Message, e);
            throw;
        }
        finally
        {
            await _in.Writer.CompleteAsync(failure).ConfigureAwait(false);
        }
    }

    private static Pipe NewPipe() => new(new PipeOptions(
        pauseWriterThreshold: ExchangeLimits.WindowLength, resumeWriterThreshold: ExchangeLimits.WindowLength / 2,
        minimumSegmentSize: ExchangeLimits.DataLengthMax, useSynchronizationContext: false));

    private async Task CallAsync(IRpcCaller caller, string protocol)
    {
        try
        {
            IAsyncEnumerator<ExchangeFrame> frames = caller.DuplexAsync(ExchangeMethods.Open, RequestsAsync(protocol), null, _ended.Token).GetAsyncEnumerator(_ended.Token);
            await using (frames.ConfigureAwait(false))
            {
                await TakeAsync(frames).ConfigureAwait(false);
                // The call goes on until this direction has ended, too.
                await frames.MoveNextAsync().ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is RpcException or ExchangeException or OperationCanceledException)
        {
            // Whoever reads has been told; whoever writes learns it now.
            await _out.Reader.CompleteAsync(e as ExchangeException ?? new ExchangeException(e.Message, e)).ConfigureAwait(false);
        }
    }

    private async IAsyncEnumerable<ExchangeFrame> RequestsAsync(string protocol, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        yield return new ExchangeFrame { Open = new ExchangeOpen { Protocol = protocol } };
        await foreach (ExchangeFrame frame in FramesAsync(cancellationToken).ConfigureAwait(false))
            yield return frame;
    }
}
