namespace Iroh.Quic.Protocol.Streams;

/// <summary>
/// The bytes of a stream from the moment they are written until they are acknowledged, and which of them go out next: lost ones first
/// (RFC 9000 §13.3), then new ones in order.
/// </summary>
internal sealed class SendBuffer
{
    private readonly BlockRing _blocks;

    // Acknowledged ranges above _acknowledged, and ranges to send again. Both hold parts of frames that were in flight, so the send
    // window bounds their number.
    private readonly OffsetRanges _acknowledgedAhead = new();
    private readonly OffsetRanges _lost = new();

    // 0 <= _acknowledged <= _sent <= _end.
    private ulong _acknowledged;
    private ulong _sent;
    private ulong _end;

    /// <summary>Starts empty at offset 0, with its memory from <paramref name="pool"/>.</summary>
    public SendBuffer(BlockPool pool) => _blocks = new BlockRing(pool);

    /// <summary>The number of bytes ever written: the offset after the last one.</summary>
    public ulong End => _end;

    /// <summary>The highest offset ever sent, which is what counts against flow control.</summary>
    public ulong Sent => _sent;

    /// <summary>Bytes held: all from the first one that is not acknowledged.</summary>
    public long Buffered => (long)(_end - _acknowledged);

    /// <summary>Whether lost data waits to be sent again.</summary>
    public bool HasLost => _lost.Count > 0;

    /// <summary>Copies <paramref name="data"/> to the end.</summary>
    public void Append(ReadOnlySpan<byte> data)
    {
        _blocks.Write(_end, data);
        _end += (uint)data.Length;
    }

    /// <summary>The lowest lost range. There is one (<see cref="HasLost"/>).</summary>
    public OffsetRange FirstLost => _lost.First;

    /// <summary>Copies out bytes that are to be sent and counts them as in flight.</summary>
    /// <param name="offset">The start of <see cref="FirstLost"/>, or <see cref="Sent"/>.</param>
    /// <param name="destination">Takes as many bytes as it is long; the range has so many.</param>
    public void Send(ulong offset, Span<byte> destination)
    {
        _blocks.Read(offset, destination);
        ulong end = offset + (uint)destination.Length;
        if (offset == _sent)
            _sent = end;
        else
            _lost.Remove(offset, end);
    }

    /// <summary>Notes that a sent range has arrived. Returns how many bytes that freed at the front of the buffer.</summary>
    public long Acknowledge(ulong offset, ulong length)
    {
        ulong end = offset + length;
        if (end <= _acknowledged)
            return 0;
        if (_lost.Count > 0)
            _lost.Remove(offset, end); // declared lost too early
        if (offset > _acknowledged)
        {
            _acknowledgedAhead.Add(offset, end);
            return 0;
        }

        ulong before = _acknowledged;
        _acknowledged = end;
        if (_acknowledgedAhead.Count > 0)
            JoinAcknowledged();
        if (_acknowledged == _end)
            _blocks.Clear(_end); // an idle stream holds no block
        else
            _blocks.Release(_acknowledged);
        return (long)(_acknowledged - before);
    }

    /// <summary>Queues a sent range to be sent again, except for what has arrived in the meantime by another packet.</summary>
    public void MarkLost(ulong offset, ulong length)
    {
        ulong end = offset + length;
        offset = Math.Max(offset, _acknowledged);
        if (offset >= end)
            return;
        _lost.Add(offset, end);
        _lost.RemoveAllIn(_acknowledgedAhead, offset, end);
    }

    /// <summary>Drops all data, sent or not; <see cref="Sent"/> keeps its value for the final size. Returns how many bytes that freed.</summary>
    public long Discard()
    {
        long freed = Buffered;
        _end = _sent;
        _acknowledged = _sent;
        _lost.Clear();
        _acknowledgedAhead.Clear();
        _blocks.Clear(_end);
        return freed;
    }

    /// <summary>Back to the state of a new buffer.</summary>
    public void Reset()
    {
        Discard();
        _blocks.Reset();
        _acknowledged = 0;
        _sent = 0;
        _end = 0;
    }

    private void JoinAcknowledged()
    {
        while (_acknowledgedAhead.Count > 0 && _acknowledgedAhead.First.Start <= _acknowledged)
        {
            OffsetRange first = _acknowledgedAhead.First;
            _acknowledged = Math.Max(_acknowledged, first.End);
            _acknowledgedAhead.Remove(first.Start, first.End);
        }
    }
}
