using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using Microsoft.Win32.SafeHandles;

namespace Blixard.Rpc.Sockets;

/// <summary>Reads a connected socket through the <see cref="SocketPoller"/>. One read at a time; nobody else reads the socket. It has
/// a descriptor of its own: whoever closes the socket ends the reading by shutting the connection down, as streams do.</summary>
internal sealed partial class PolledSocket : IValueTaskSource, IDisposable
{
    private const int Idle = 0, Waiting = 1, Ended = 2;
    private const int DuplicateCloseOnExec = 1030; // F_DUPFD_CLOEXEC
    private const int DoNotWait = 0x40; // MSG_DONTWAIT
    private const int Interrupted = 4, WouldBlock = 11;

    private readonly SocketPoller _poller;
    private readonly SafeFileHandle _descriptor;
    private readonly long _number;
    private ManualResetValueTaskSourceCore<bool> _source;
    private CancellationTokenRegistration _registration;
    private int _state;

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
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            int count = Receive(buffer.Span, out int error);
            if (count >= 0)
                return count;
            if (error is not (WouldBlock or Interrupted))
                throw new IOException($"the connection broke: {Marshal.GetPInvokeErrorMessage(error)}");
            if (error == WouldBlock)
                await WaitAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>There may be something to read. Called by the poller.</summary>
    public void Continue()
    {
        if (Interlocked.CompareExchange(ref _state, Ended, Waiting) == Waiting)
            _source.SetResult(true);
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
        Volatile.Write(ref _state, Waiting);
        if (cancellationToken.CanBeCanceled)
            _registration = cancellationToken.UnsafeRegister(static (socket, token) => ((PolledSocket)socket!).Cancel(token), this);
        // After the registration: the poller may continue the reader at once, on its own thread.
        if (!_poller.TryAwait(_number, _descriptor) && Interlocked.CompareExchange(ref _state, Ended, Waiting) == Waiting)
            _source.SetException(new IOException("the connection cannot be waited for"));
        return new ValueTask(this, version);
    }

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

    private void Cancel(CancellationToken token)
    {
        if (Interlocked.CompareExchange(ref _state, Ended, Waiting) != Waiting)
            return;
        // Whoever cancels does not run the reader's continuation.
        ThreadPool.UnsafeQueueUserWorkItem(
            static state => state.Socket._source.SetException(new OperationCanceledException(state.Token)), (Socket: this, Token: token), preferLocal: false);
    }
}
