using System.Buffers;
using System.Runtime.CompilerServices;
using Iroh.Base;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Relay.Protocol;
using Iroh.Relay.WebSockets;

namespace Iroh.Relay.Client;

/// <summary>
/// Frames that wait for one relay, as WebSocket frames ready for the wire: a datagram is copied once, on its way in, and all that wait
/// go out in one write. What does not fit is dropped, as networks do. Pings and pongs have a place of their own in front. Thread-safe;
/// one reader.
/// </summary>
internal sealed class RelaySendQueue : IDisposable
{
    /// <summary>The most datagram frames that wait, as in iroh.</summary>
    public const int FramesMax = 512;

    /// <summary>
    /// The most bytes that wait: at 100 Mbit/s they wait for 20 ms, which a congestion controller takes for a full router's queue.
    /// </summary>
    public const int BytesMax = 256 * 1024;

    /// <summary>Room for two dozen pings and pongs; a relay that asks faster than the network takes the answers gets fewer.</summary>
    private const int ControlBytesMax = 512;

    private const int FirstBufferLength = 4 * 1024;

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _ready = new(0, 1);
    private byte[]? _data;
    private int _dataLength;
    private int _dataFrames;
    private int _dataPackets;
    private readonly byte[] _control = new byte[ControlBytesMax];
    private int _controlLength;
    private bool _isDisposed;

    /// <summary>Appends a datagram, or a batch of them.</summary>
    /// <param name="to">Whom it is for.</param>
    /// <param name="ecn">Its ECN bits.</param>
    /// <param name="payload">1 to <see cref="RelayFrame.PayloadLengthMax"/> bytes.</param>
    /// <param name="segmentSize">Bytes of each datagram but the last; 0 for one datagram.</param>
    /// <returns>False if there is no room.</returns>
    public bool TryAppend(EndpointId to, EcnCodepoint ecn, ReadOnlySpan<byte> payload, ushort segmentSize)
    {
        Span<byte> head = stackalloc byte[RelayFrame.BatchHeaderLength];
        head = head[..RelayFrameWriter.WriteDatagramHeader(head, RelayRole.Client, to, ecn, segmentSize)];
        int frameLength = head.Length + payload.Length;
        int wireLength = WebSocketWriter.HeaderLength(frameLength) + frameLength;
        uint mask = WebSocketWriter.NextMask();
        lock (_lock)
        {
            if (_isDisposed || _dataFrames == FramesMax || _dataLength + wireLength > BytesMax)
                return false;
            Span<byte> wire = Reserve(wireLength);
            wire = wire[WebSocketWriter.WriteHeader(wire, WebSocketOpcode.Binary, frameLength, mask)..];
            WebSocketWriter.CopyMasked(head, wire, mask, 0);
            WebSocketWriter.CopyMasked(payload, wire[head.Length..], mask, head.Length);
            _dataLength += wireLength;
            _dataFrames++;
            _dataPackets += segmentSize == 0 ? 1 : (payload.Length + segmentSize - 1) / segmentSize;
            Signal();
            return true;
        }
    }

    /// <summary>Appends a ping or pong, which goes out before all datagrams.</summary>
    /// <returns>False if there is no room.</returns>
    public bool TryAppendControl(ReadOnlySpan<byte> frame)
    {
        lock (_lock)
        {
            int wireLength = WebSocketWriter.HeaderLength(frame.Length) + frame.Length;
            if (_isDisposed || _controlLength + wireLength > ControlBytesMax)
                return false;
            _controlLength += WebSocketWriter.WriteFrame(_control.AsSpan(_controlLength), WebSocketOpcode.Binary, frame);
            Signal();
            return true;
        }
    }

    /// <summary>Waits for frames and takes all.</summary>
    /// <param name="cancellationToken">Gives up; nothing is taken.</param>
    /// <returns>The frames; to be given back with <see cref="Return"/>.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<RelaySendBatch> TakeAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await _ready.WaitAsync(cancellationToken).ConfigureAwait(false);
            lock (_lock)
            {
                if (_dataLength + _controlLength == 0)
                    continue;
                byte[] buffer = _data ?? ArrayPool<byte>.Shared.Rent(_controlLength);
                int length = _dataLength;
                if (_controlLength > 0)
                {
                    // Rare and small: pings and pongs come every few seconds.
                    byte[] joined = ArrayPool<byte>.Shared.Rent(_controlLength + _dataLength);
                    _control.AsSpan(0, _controlLength).CopyTo(joined);
                    buffer.AsSpan(0, _dataLength).CopyTo(joined.AsSpan(_controlLength));
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = joined;
                    length += _controlLength;
                }

                var batch = new RelaySendBatch(buffer, length, _dataPackets);
                _data = null;
                _dataLength = _dataFrames = _dataPackets = _controlLength = 0;
                return batch;
            }
        }
    }

    /// <summary>Gives a batch's buffer back.</summary>
    public static void Return(RelaySendBatch batch) => ArrayPool<byte>.Shared.Return(batch.Buffer);

    /// <summary>Throws the datagrams away and returns how many they were.</summary>
    public int DropDatagrams()
    {
        lock (_lock)
        {
            int packets = _dataPackets;
            ReleaseData();
            return packets;
        }
    }

    /// <summary>Throws pings and pongs away: they belong to a connection that has ended.</summary>
    public void DropControl()
    {
        lock (_lock)
            _controlLength = 0;
    }

    /// <summary>Gives the buffers back; nothing fits any more.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            ReleaseData();
        }
    }

    private void ReleaseData()
    {
        if (_data is not null)
            ArrayPool<byte>.Shared.Return(_data);
        _data = null;
        _dataLength = _dataFrames = _dataPackets = 0;
    }

    private Span<byte> Reserve(int length)
    {
        if (_data is null || _data.Length - _dataLength < length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(FirstBufferLength, (2 * _dataLength) + length));
            if (_data is not null)
            {
                _data.AsSpan(0, _dataLength).CopyTo(larger);
                ArrayPool<byte>.Shared.Return(_data);
            }

            _data = larger;
        }

        return _data.AsSpan(_dataLength);
    }

    private void Signal()
    {
        if (_ready.CurrentCount == 0)
            _ready.Release();
    }
}

/// <summary>Frames for one write.</summary>
/// <param name="Buffer">From the pool.</param>
/// <param name="Length">How much of it counts.</param>
/// <param name="Packets">Datagrams in it.</param>
internal readonly record struct RelaySendBatch(byte[] Buffer, int Length, int Packets)
{
    /// <summary>What to write.</summary>
    public ReadOnlyMemory<byte> Bytes => Buffer.AsMemory(0, Length);
}
