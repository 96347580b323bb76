using System.Buffers;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Sockets;

namespace Blixard.Rpc.Tunnels;

/// <summary>The two directions between a local connection and a stream that carries its bytes as they are; both ends of such a tunnel do
/// the same. Used once.</summary>
/// <remarks>
/// A Raft message passes two nodes, and etcd waits for it: so each passing is one thread that wakes, reads, and writes at once. The
/// poller's thread reads the local socket and hands the bytes to the stream, which sends them there and then; the thread that receives
/// datagrams reads the stream and writes to the local socket. Only where one would have to wait does the thread pool take over.
/// </remarks>
internal sealed class TunnelPipe : IDisposable
{
    private readonly Stream _local;
    private readonly RpcStream _stream;
    private readonly Action<int> _onSent, _onReceived;
    private readonly PolledSocket? _polled;
    private readonly CancellationTokenSource _ended;
    private ExceptionDispatchInfo? _failure;

    /// <param name="local">The local connection; stays the caller's. One that is no socket cannot be half closed and is closed whole.</param>
    /// <param name="stream">The stream; stays the caller's.</param>
    /// <param name="onSent">Told of each piece's length before it goes to the stream.</param>
    /// <param name="onReceived">Told of each piece's length before it goes to the local connection.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    public TunnelPipe(Stream local, RpcStream stream, Action<int> onSent, Action<int> onReceived, CancellationToken cancellationToken)
    {
        (_local, _stream, _onSent, _onReceived) = (local, stream, onSent, onReceived);
        _polled = local is NetworkStream { Socket: { } socket } && SocketPoller.Shared is { } poller ? new PolledSocket(poller, socket) : null;
        _ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    }

    /// <summary>Bytes that went to the stream.</summary>
    public long Sent { get; private set; }

    /// <summary>Bytes that came from the stream.</summary>
    public long Received { get; private set; }

    /// <summary>Passes bytes on until both directions have ended; the failure of one ends the other.</summary>
    /// <exception cref="TunnelLocalException">The local connection broke.</exception>
    /// <exception cref="OperationCanceledException">Given up.</exception>
    /// <exception cref="Exception">The stream's own, if it failed.</exception>
    public async Task RunAsync()
    {
        await Task.WhenAll(GuardAsync(SendAsync()), GuardAsync(ReceiveAsync())).ConfigureAwait(false);
        _failure?.Throw();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _polled?.Dispose();
        _ended.Dispose();
    }

    private async Task GuardAsync(Task direction)
    {
        try
        {
            await direction.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(e), null);
            await _ended.CancelAsync().ConfigureAwait(false);
        }
    }

    private async Task SendAsync()
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(TunnelLimits.DataLengthMax);
        try
        {
            while (true)
            {
                int length;
                try
                {
                    // Here and not in a method of its own: each one that waits is entered anew for each piece.
                    length = _polled is null
                        ? await _local.ReadAsync(buffer, _ended.Token).ConfigureAwait(false)
                        : await _polled.ReadAsync(buffer, _ended.Token).ConfigureAwait(false);
                }
                catch (Exception e) when (e is IOException or ObjectDisposedException)
                {
                    throw new TunnelLocalException(e);
                }

                if (length == 0)
                    break;
                Sent += length;
                _onSent(length);
                await _stream.Stream.WriteAsync(buffer.AsMemory(0, length), _ended.Token).ConfigureAwait(false);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        await _stream.FinishWritingAsync(_ended.Token).ConfigureAwait(false);
    }

    private async Task ReceiveAsync()
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(TunnelLimits.DataLengthMax);
        try
        {
            while (await _stream.Stream.ReadAsync(buffer, _ended.Token).ConfigureAwait(false) is > 0 and int length)
            {
                Received += length;
                _onReceived(length);
                int written = WriteAtOnce(buffer.AsSpan(0, length));
                if (written < length)
                    await WriteLocalAsync(buffer.AsMemory(written, length - written)).ConfigureAwait(false);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        await LocalConnection.HalfCloseAsync(_local).ConfigureAwait(false);
    }

    private int WriteAtOnce(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return _polled?.Write(bytes) ?? 0;
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            throw new TunnelLocalException(e);
        }
    }

    private async ValueTask WriteLocalAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            await _local.WriteAsync(bytes, _ended.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            throw new TunnelLocalException(e);
        }
    }
}
