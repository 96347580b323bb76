using System.Buffers;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Blixard.Rpc.Sockets;
using Blixard.V1;
using Google.Protobuf;

namespace Blixard.Rpc.Tunnels;

/// <summary>The two directions between a local connection and the frames of a tunnel; both ends of a tunnel do the same. Where the
/// transport is a stream of its own for each call, <see cref="TunnelPipe"/> takes its place.</summary>
/// <remarks>Nothing is kept back: what can be read is one frame, and the next is read when the transport has taken it. A slow reader
/// at the other end therefore slows the local writer, and a tunnel never holds more than one piece for each direction.</remarks>
internal static class TunnelBytes
{
    private static readonly TunnelFrame s_end = new() { End = new TunnelEnd() };

    /// <summary>What the local connection sends, as frames, to its end.</summary>
    /// <param name="local">Read until its end; stays the caller's.</param>
    /// <param name="onBytes">Told of each piece's length before it goes.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <returns>Data frames, then the end. A frame's bytes are valid until the next is asked for.</returns>
    public static async IAsyncEnumerable<TunnelFrame> ReadAsync(
        Stream local, Action<int> onBytes, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(TunnelLimits.DataLengthMax);
        using PolledSocket? polled = local is NetworkStream { Socket: { } socket } && SocketPoller.Shared is { } poller ? new PolledSocket(poller, socket) : null;
        try
        {
            while (await ReadAsync(local, polled, buffer.AsMemory(0, TunnelLimits.DataLengthMax), cancellationToken).ConfigureAwait(false) is > 0 and int length)
            {
                onBytes(length);
                yield return new TunnelFrame { Data = UnsafeByteOperations.UnsafeWrap(buffer.AsMemory(0, length)) };
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        yield return s_end;
    }

    /// <summary>Gives the frames' bytes to the local connection until the peer's end, and then half closes it.</summary>
    /// <param name="frames">The frames after the first one.</param>
    /// <param name="local">Stays the caller's. A stream that is no socket cannot be half closed and is closed whole.</param>
    /// <param name="onBytes">Told of each piece's length before it is written.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="TunnelProtocolException">The peer's frames are none, or ended without an end.</exception>
    /// <exception cref="TunnelLocalException">The local connection broke.</exception>
    public static async Task WriteAsync(
        IAsyncEnumerator<TunnelFrame> frames, Stream local, Action<int> onBytes, CancellationToken cancellationToken)
    {
        while (await frames.MoveNextAsync().ConfigureAwait(false))
        {
            TunnelFrame frame = frames.Current;
            switch (frame.FrameCase)
            {
                case TunnelFrame.FrameOneofCase.Data when frame.Data.Length is > 0 and <= TunnelLimits.DataLengthMax:
                    onBytes(frame.Data.Length);
                    await WritePieceAsync(local, frame.Data.Memory, cancellationToken).ConfigureAwait(false);
                    break;
                case TunnelFrame.FrameOneofCase.End:
                    await LocalConnection.HalfCloseAsync(local).ConfigureAwait(false);
                    return;
                default:
                    throw new TunnelProtocolException($"a frame has no place here: {frame.FrameCase}, {frame.Data.Length} bytes");
            }
        }

        throw new TunnelProtocolException("the frames stopped without an end");
    }

    private static ValueTask<int> ReadAsync(Stream local, PolledSocket? polled, Memory<byte> buffer, CancellationToken cancellationToken) =>
        polled is null ? local.ReadAsync(buffer, cancellationToken) : polled.ReadAsync(buffer, cancellationToken);

    private static async ValueTask WritePieceAsync(Stream local, ReadOnlyMemory<byte> piece, CancellationToken cancellationToken)
    {
        try
        {
            await local.WriteAsync(piece, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            throw new TunnelLocalException(e);
        }
    }
}

/// <summary>The peer sent frames that are no tunnel's.</summary>
internal sealed class TunnelProtocolException(string message) : Exception(message);
