using System.Diagnostics;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Iroh.Quic.Driving;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Streams;
using Iroh.Quic.Streams;

namespace Iroh.Quic;

/// <summary>
/// A stream of a <see cref="QuicConnection"/>: ordered and reliable bytes in one or both directions. One read and one write may be
/// under way at a time; everything else may be called from any thread.
/// </summary>
/// <remarks>
/// <para>Writes are complete when the bytes are in the send buffer, and are sent without a flush. <see cref="CompleteWrites"/> tells the
/// peer that no more follow; reads at the peer then return 0. <see cref="WritesFinished"/> tells when it has everything.</para>
/// <para>Disposal completes the writes if they were not completed or aborted, and stops the reads with code 0 if their end was not
/// seen. It does not wait for the peer and loses nothing that was written, as long as the connection lives. If the last write was
/// cancelled or is under way, disposal aborts the writes with code 0 instead, so that the peer does not take a part for the whole.</para>
/// <para>The synchronous <see cref="Read(Span{byte})"/> and <see cref="Write(ReadOnlySpan{byte})"/> block the calling thread.</para>
/// </remarks>
public sealed class QuicStream : Stream
{
    private static readonly Func<Exception> WritesAborted =
        static () => new OperationCanceledException("The writes were aborted by this end.");

    private readonly QuicConnection _connection;
    private readonly ConnectionDriver _driver;
    private readonly AsyncSignal _readable = new();
    private readonly AsyncSignal _writable = new();
    private readonly bool _canRead;
    private readonly bool _canWrite;
    private TaskCompletionSource? _writesFinished;
    private PipeReader? _input;
    private PipeWriter? _output;
    private Func<Exception>? _readFailure;
    private Func<Exception>? _writeFailure;
    private bool _readsEnded;
    private bool _writesCompleted;
    private bool _writesSettled;
    private bool _disposed;
    private bool _reading;
    private bool _writing;
    private bool _writeWasCut;

    internal QuicStream(QuicConnection connection, StreamId id, bool canRead, bool canWrite)
    {
        (_connection, _driver, StreamId) = (connection, connection.Driver, id);
        (_canRead, _canWrite) = (canRead, canWrite);
    }

    /// <summary>The stream's id on the wire (RFC 9000 §2.1), the same at both ends.</summary>
    public ulong Id => StreamId.Value;

    /// <summary>Whether the peer sends on the stream, and this end has not disposed it.</summary>
    public override bool CanRead => _canRead && !_disposed;

    /// <summary>Whether this end sends on the stream, and has not disposed it.</summary>
    public override bool CanWrite => _canWrite && !_disposed;

    /// <summary>False.</summary>
    public override bool CanSeek => false;

    /// <summary>Not supported.</summary>
    public override long Length => throw new NotSupportedException();

    /// <summary>Not supported.</summary>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>
    /// Completes when the peer has acknowledged everything written and the end of it. Fails with <see cref="QuicStreamException"/> if it
    /// stopped reading before, with <see cref="QuicConnectionException"/> if the connection ended before; is cancelled if this end aborted.
    /// </summary>
    /// <exception cref="NotSupportedException">This end does not send on the stream.</exception>
    public Task WritesFinished
    {
        get
        {
            if (!_canWrite)
                throw new NotSupportedException("This end does not send on the stream.");
            lock (_driver.Lock)
            {
                if (_writesFinished is null)
                {
                    _writesFinished = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                    if (_writesSettled)
                        SettleTask();
                }

                return _writesFinished.Task;
            }
        }
    }

    /// <summary>
    /// The receiving side as a pipe, made at the first use; do not mix it with reads. Completing it stops the reads with code 0 if the
    /// end was not seen.
    /// </summary>
    public PipeReader Input => _input ??= new PipeInput(this);

    /// <summary>
    /// The sending side as a pipe, made at the first use; do not mix it with writes. Completing it completes the writes; completing it
    /// with an exception aborts them with code 0.
    /// </summary>
    public PipeWriter Output => _output ??= new PipeOutput(this);

    /// <summary>
    /// Whether whoever awaits a read continues on the thread that receives the endpoint's datagrams, instead of on the thread pool.
    /// It saves the change of threads, some ten microseconds, for readers that do little with what they read, never block and never
    /// wait for the same endpoint without awaiting: all else that arrives waits for them. False by default; to be set while
    /// nobody reads.
    /// </summary>
    public bool ContinuesReadsInline
    {
        get => _readable.RunsInline;
        set => _readable.RunsInline = value;
    }

    internal StreamId StreamId { get; }

    /// <summary>Reads what has arrived, at least one byte.</summary>
    /// <param name="buffer">Filled from the front.</param>
    /// <param name="cancellationToken">Ends the wait; no byte is lost by it.</param>
    /// <returns>The number of bytes; 0 at the end of what the peer sends.</returns>
    /// <exception cref="QuicStreamException">The peer reset the stream.</exception>
    /// <exception cref="QuicConnectionException">The connection has ended.</exception>
    /// <exception cref="OperationCanceledException">Cancelled, or this end aborted the reads.</exception>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<int>(cancellationToken);
        Enter(ref _reading, _canRead, "read");
        try
        {
            if (!TryRead(buffer.Span, out int count))
                return ReadLaterAsync(buffer, cancellationToken);
            Volatile.Write(ref _reading, false);
            return new ValueTask<int>(count);
        }
        catch (Exception failure)
        {
            Volatile.Write(ref _reading, false);
            return ValueTask.FromException<int>(failure);
        }
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    /// <summary>As <see cref="ReadAsync(Memory{byte}, CancellationToken)"/>; blocks the thread until a byte is there.</summary>
    public override int Read(Span<byte> buffer)
    {
        Enter(ref _reading, _canRead, "read");
        try
        {
            int count;
            while (!TryRead(buffer, out count))
                _readable.WaitAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
            return count;
        }
        finally
        {
            Volatile.Write(ref _reading, false);
        }
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        return Read(buffer.AsSpan(offset, count));
    }

    /// <summary>Writes all of <paramref name="buffer"/> to the send buffer, waiting for the peer to make room where needed.</summary>
    /// <param name="buffer">The caller's again when the task has completed.</param>
    /// <param name="cancellationToken">
    /// Ends the wait. Some bytes from the front may have been written then; the stream goes on, and whoever has nothing more to say about
    /// it aborts or disposes it.
    /// </param>
    /// <exception cref="QuicStreamException">The peer stopped reading.</exception>
    /// <exception cref="QuicConnectionException">The connection has ended.</exception>
    /// <exception cref="OperationCanceledException">Cancelled, or this end aborted the writes.</exception>
    /// <exception cref="InvalidOperationException">The writes were completed.</exception>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        Enter(ref _writing, _canWrite, "write");
        try
        {
            if (!TryWrite(buffer.Span, out int accepted))
                return WriteLaterAsync(buffer[accepted..], cancellationToken);
            _writeWasCut = false;
            Volatile.Write(ref _writing, false);
            return ValueTask.CompletedTask;
        }
        catch (Exception failure)
        {
            Volatile.Write(ref _writing, false);
            return ValueTask.FromException(failure);
        }
    }

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    /// <summary>As <see cref="WriteAsync(ReadOnlyMemory{byte}, CancellationToken)"/>; blocks the thread until all is written.</summary>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        Enter(ref _writing, _canWrite, "write");
        try
        {
            while (!TryWrite(buffer, out int accepted))
            {
                buffer = buffer[accepted..];
                _writable.WaitAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
            }
        }
        finally
        {
            Volatile.Write(ref _writing, false);
        }
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        Write(buffer.AsSpan(offset, count));
    }

    /// <summary>Does nothing: what is written is sent as soon as the network allows.</summary>
    public override void Flush()
    {
    }

    /// <summary>Does nothing: what is written is sent as soon as the network allows.</summary>
    public override Task FlushAsync(CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested ? Task.FromCanceled(cancellationToken) : Task.CompletedTask;

    /// <summary>Tells the peer that nothing follows what was written. Without effect if the writes have ended in any way.</summary>
    /// <exception cref="InvalidOperationException">A write is under way.</exception>
    public void CompleteWrites()
    {
        if (Volatile.Read(ref _writing))
            throw new InvalidOperationException("A write of this stream is under way.");
        lock (_driver.Lock)
        {
            if (!_canWrite || _writesCompleted || _writesSettled)
                return;
            _writesCompleted = true;
            _driver.Core.Finish(StreamId);
            _driver.PassOnEvents();
        }

        _driver.Flush();
    }

    /// <summary>
    /// Gives one or both directions up: unread data is dropped and the peer told to stop sending; what was not yet delivered is dropped
    /// and the peer told that no more comes. Reads and writes under way and to come fail. Without effect on a direction that has ended.
    /// </summary>
    /// <param name="sides">Which directions.</param>
    /// <param name="code">Told to the peer, 0 to 2^62-1; its meaning is the application's.</param>
    public void Abort(QuicStreamSides sides, ulong code = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(code, VarInt.Max);
        lock (_driver.Lock)
        {
            if ((sides & QuicStreamSides.Read) != 0)
                StopReads(code);
            if ((sides & QuicStreamSides.Write) != 0 && _canWrite && !_writesSettled)
            {
                _driver.Core.Reset(StreamId, code);
                Settle(WritesAborted);
            }

            _driver.PassOnEvents();
        }

        _driver.Flush();
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>Takes an event of the core. Under the driver's lock.</summary>
    internal void OnEvent(in ConnectionEvent e)
    {
        switch (e.Kind)
        {
            case ConnectionEventKind.StreamReadable:
                _readable.Signal();
                break;
            case ConnectionEventKind.StreamWritable:
                _writable.Signal();
                break;
            case ConnectionEventKind.StreamFinished:
                Settle(null);
                break;
            case ConnectionEventKind.StreamStopped:
                OnStopped(e.Code);
                break;
        }
    }

    /// <summary>The connection has ended. Under the driver's lock.</summary>
    internal void OnConnectionClosed(QuicCloseReason reason)
    {
        Settle(() => new QuicConnectionException(reason));
        _readable.Signal();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            if (Volatile.Read(ref _writing) || _writeWasCut)
                Abort(QuicStreamSides.Write);
            else
                CompleteWrites();
            lock (_driver.Lock)
            {
                if (!_disposed)
                {
                    _disposed = true;
                    StopReads(0);
                    ForgetIfDone();
                }
            }

            _driver.Flush();
        }

        base.Dispose(disposing);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> ReadLaterAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            int count;
            do
            {
                await _readable.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            while (!TryRead(buffer.Span, out count));
            return count;
        }
        finally
        {
            Volatile.Write(ref _reading, false);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteLaterAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await _writable.WaitAsync(cancellationToken).ConfigureAwait(false);
                if (TryWrite(buffer.Span, out int accepted))
                    return;
                buffer = buffer[accepted..];
            }
        }
        catch (OperationCanceledException)
        {
            _writeWasCut = true;
            throw;
        }
        finally
        {
            Volatile.Write(ref _writing, false);
        }
    }

    /// <summary>Reads if there is something to read or the end; otherwise arms the signal and returns false.</summary>
    private bool TryRead(Span<byte> buffer, out int count)
    {
        count = 0;
        bool credit;
        lock (_driver.Lock)
        {
            if (_readFailure is not null)
                throw _readFailure();
            if (_readsEnded || buffer.IsEmpty)
                return true;
            StreamRead read = _driver.Core.Read(StreamId, buffer);
            switch (read.Status)
            {
                case StreamStatus.Ok:
                    count = read.Count;
                    break;
                case StreamStatus.Finished:
                    EndReads(null);
                    return true;
                case StreamStatus.Reset:
                    EndReads(() => new QuicStreamException(QuicStreamFailure.Reset, read.Code));
                    throw _readFailure!();
                default:
                    // What arrived before the connection ended has been read by now.
                    _connection.ThrowIfClosed();
                    Debug.Assert(read.Status == StreamStatus.Blocked, "The core gave up the receiving half before its end was read.");
                    _readable.Arm();
                    return false;
            }

            credit = _driver.Core.HasStreamFrames;
        }

        // Reading may have made room that the peer should know of.
        if (credit)
            _driver.Flush();
        return true;
    }

    /// <summary>Writes; if not everything was taken, arms the signal and returns false.</summary>
    private bool TryWrite(ReadOnlySpan<byte> buffer, out int accepted)
    {
        bool all;
        lock (_driver.Lock)
        {
            if (_writeFailure is not null)
                throw _writeFailure();
            if (_writesCompleted)
                throw new InvalidOperationException("The writes of this stream were completed.");
            _connection.ThrowIfClosed();
            StreamWrite write = _driver.Core.Write(StreamId, buffer);
            accepted = write.Accepted;
            switch (write.Status)
            {
                case StreamStatus.Ok:
                    all = true;
                    break;
                case StreamStatus.Stopped:
                    OnStopped(write.Code);
                    throw _writeFailure!();
                default:
                    all = false;
                    _writable.Arm();
                    break;
            }
        }

        if (accepted > 0)
            _driver.Flush();
        return all;
    }

    private void Enter(ref bool busy, bool possible, string verb)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!possible)
            throw new NotSupportedException($"This end cannot {verb} on the stream.");
        if (Interlocked.Exchange(ref busy, true))
            throw new InvalidOperationException($"Another {verb} of this stream is under way.");
    }

    private void StopReads(ulong code)
    {
        if (!_canRead || _readsEnded)
            return;
        _driver.Core.StopSending(StreamId, code);
        EndReads(static () => new OperationCanceledException("The reads were aborted by this end."));
        _readable.Signal();
    }

    private void OnStopped(ulong code) => Settle(() => new QuicStreamException(QuicStreamFailure.Stopped, code));

    private void EndReads(Func<Exception>? failure)
    {
        _readsEnded = true;
        _readFailure = failure;
        ForgetIfDone();
    }

    /// <summary>The writes have ended: all acknowledged, or with a failure.</summary>
    private void Settle(Func<Exception>? failure)
    {
        if (_writesSettled || !_canWrite)
            return;
        _writesSettled = true;
        _writeFailure = failure;
        _writable.Signal();
        if (_writesFinished is not null)
            SettleTask();
        ForgetIfDone();
    }

    private void SettleTask()
    {
        if (_writeFailure is null)
        {
            _writesFinished!.SetResult();
        }
        else if (_writeFailure == WritesAborted)
        {
            _writesFinished!.SetCanceled();
        }
        else
        {
            _writesFinished!.SetException(_writeFailure());

            // Whoever wants to know awaits the task; nobody has to.
            _ = _writesFinished.Task.Exception;
        }
    }

    private void ForgetIfDone()
    {
        if ((_readsEnded || !_canRead) && (_writesSettled || !_canWrite))
            _connection.Forget(this);
    }
}
