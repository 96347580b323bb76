using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using Microsoft.Win32.SafeHandles;

namespace Blixard.Rpc.Sockets;

/// <summary>Reads a connected socket through the <see cref="SocketPoller"/>, and writes to it without waiting. One read and one write at
/// a time; nobody else reads the socket. It has a descriptor of its own: whoever closes the socket ends the reading by shutting the
/// connection down, as streams do.</summary>
/// <remarks>
/// The poller tells of each arrival once, whether somebody waits or not:
/// <code>
/// Idle    --something came---------------> Told     (nobody waited; the next wait ends at once)
/// Idle    --the socket was found empty---> Waiting
/// Told    --the socket was found empty---> Idle     (look again)
/// Waiting --something came, cancelled----> Ended --the reader goes on--> Idle (look again)
/// </code>
/// A read that fills less than its buffer has emptied the socket: the next one waits without asking the kernel first, unless the
/// connection has ended, which is told only once.
/// </remarks>
internal sealed partial class PolledSocket : IValueTaskSource, IDisposable
{
    private const int Idle = 0, Told = 1, Waiting = 2, Ended = 3;
    private const int DuplicateCloseOnExec = 1030; // F_DUPFD_CLOEXEC
    private const int DoNotWait = 0x40, NoSignal = 0x4000; // MSG_DONTWAIT, MSG_NOSIGNAL
    private const int Interrupted = 4, WouldBlock = 11;

    private readonly SocketPoller _poller;
    private readonly SafeFileHandle _descriptor;
    private readonly long _number;
    private ManualResetValueTaskSourceCore<bool> _source;
    private CancellationTokenRegistration _registration;
    private int _state;
    private bool _isEmpty;
    private volatile bool _hasEnded;

    /// <summary>Takes the reading of a socket over.</summary>
    /// <exception cref="IOException">There are too many open files.</exception>
    public PolledSocket(SocketPoller poller, Socket socket)
    {
        _poller = poller;
        _descriptor = new SafeFileHandle(Duplicate(socket.SafeHandle, DuplicateCloseOnExec, 0), ownsHandle: true);
        if (_descriptor.IsInvalid)
            throw new IOException($"a socket cannot be duplicated: {Marshal.GetLastPInvokeErrorMessage()}");
        _number = poller.Add(this, _descriptor);
    }

    /// <summary>Reads what is there, at least one byte; 0 at the end. Continues on the poller's thread if it had to wait.</summary>
    /// <exception cref="IOException">The connection broke.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (_isEmpty)
                await WaitAsync(cancellationToken).ConfigureAwait(false);

            int count = Receive(buffer.Span, out int error);
            _isEmpty = count < buffer.Length && !_hasEnded;
            if (count >= 0)
                return count;
            if (error is not (WouldBlock or Interrupted))
                throw Broke(error);
            _isEmpty = error == WouldBlock;
        }
    }

    /// <summary>Writes as much as the socket takes at once.</summary>
    /// <returns>How many bytes it took; 0 when it is full.</returns>
    /// <exception cref="IOException">The connection broke.</exception>
    public unsafe int Write(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            while (true)
            {
                int count = (int)Send(_descriptor, start, (nuint)bytes.Length, DoNotWait | NoSignal);
                if (count >= 0)
                    return count;
                int error = Marshal.GetLastPInvokeError();
                if (error == WouldBlock)
                    return 0;
                if (error != Interrupted)
                    throw Broke(error);
            }
        }
    }

    /// <summary>Something came. Called by the poller.</summary>
    /// <param name="hasEnded">Nothing more comes after what is there.</param>
    public void Continue(bool hasEnded)
    {
        if (hasEnded)
            _hasEnded = true;
        while (true)
        {
            switch (Volatile.Read(ref _state))
            {
                case Waiting when Interlocked.CompareExchange(ref _state, Ended, Waiting) == Waiting:
                    _source.SetResult(true);
                    return;
                case Idle when Interlocked.CompareExchange(ref _state, Told, Idle) == Idle:
                    return;
                case Told or Ended:
                    return;
            }
        }
    }

    /// <summary>Gives the reading up. The socket itself stays open.</summary>
    public void Dispose()
    {
        _poller.Remove(_number, _descriptor);
        _descriptor.Dispose();
    }

    /// <inheritdoc/>
    void IValueTaskSource.GetResult(short token)
    {
        // Waits for a cancellation under way, so that it cannot hit the next wait.
        _registration.Dispose();
        _registration = default;
        try
        {
            _source.GetResult(token);
        }
        finally
        {
            _source.Reset();
            // Before the next arrival is told: what came until then is found by looking.
            _isEmpty = false;
            Volatile.Write(ref _state, Idle);
        }
    }

    /// <inheritdoc/>
    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _source.GetStatus(token);

    /// <inheritdoc/>
    void IValueTaskSource.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _source.OnCompleted(continuation, state, token, flags);

    private ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        short version = _source.Version;
        if (Interlocked.CompareExchange(ref _state, Waiting, Idle) == Told)
        {
            _isEmpty = false;
            Volatile.Write(ref _state, Idle);
            return ValueTask.CompletedTask;
        }

        // The poller may end the wait from here on; the reader goes on when it awaits what is returned, and not before.
        if (cancellationToken.CanBeCanceled)
            _registration = cancellationToken.UnsafeRegister(static (socket, token) => ((PolledSocket)socket!).Cancel(token), this);
        return new ValueTask(this, version);
    }

    private static IOException Broke(int error) => new($"the connection broke: {Marshal.GetPInvokeErrorMessage(error)}");

    private unsafe int Receive(Span<byte> buffer, out int error)
    {
        fixed (byte* start = buffer)
        {
            int count = (int)Receive(_descriptor, start, (nuint)buffer.Length, DoNotWait);
            error = count < 0 ? Marshal.GetLastPInvokeError() : 0;
            return count;
        }
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Duplicate(SafeSocketHandle socket, int command, int least);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static unsafe partial nint Receive(SafeFileHandle socket, byte* buffer, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static unsafe partial nint Send(SafeFileHandle socket, byte* bytes, nuint length, int flags);

    private void Cancel(CancellationToken token)
    {
        if (Interlocked.CompareExchange(ref _state, Ended, Waiting) != Waiting)
            return;
        // Whoever cancels does not run the reader's continuation.
        ThreadPool.UnsafeQueueUserWorkItem(
            static state => state.Socket._source.SetException(new OperationCanceledException(state.Token)), (Socket: this, Token: token), preferLocal: false);
    }
}
