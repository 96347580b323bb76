namespace Iroh.Quic.Protocol.Streams;

/// <summary>
/// Puts the bytes of a stream in order (RFC 9000 §2.2). Each byte is copied once on arrival, to its place in a pooled block, and once
/// when read. Memory follows the offsets, not the frames: however a peer fragments, repeats and overlaps them, the buffer holds at most
/// the blocks that cover the receive window and the table of ranges.
/// </summary>
internal sealed class ReassemblyBuffer
{
    /// <summary>
    /// How many ranges may wait behind gaps: as many as a loss of every second full packet makes in 4 MiB. Without this limit, frames
    /// of one byte could grow the table beyond the window itself and make each insertion move megabytes.
    /// </summary>
    public const int RangesMax = 2048;

    private readonly BlockRing _blocks;

    // Ranges that have arrived above _contiguous, each behind a gap.
    private readonly OffsetRanges _ahead = new();

    // 0 <= _read <= _contiguous: what lies between can be read.
    private ulong _read;
    private ulong _contiguous;

    /// <summary>Starts empty at offset 0, with its memory from <paramref name="pool"/>.</summary>
    public ReassemblyBuffer(BlockPool pool) => _blocks = new BlockRing(pool);

    /// <summary>The offset of the next byte to read.</summary>
    public ulong ReadOffset => _read;

    /// <summary>The first offset that has not arrived.</summary>
    public ulong Contiguous => _contiguous;

    /// <summary>Takes a copy of <paramref name="data"/>. What is known already is skipped or overwritten.</summary>
    /// <param name="offset">Where the data belongs; its end is within the receive window, which the caller has checked.</param>
    /// <param name="data">May be empty, may overlap anything.</param>
    /// <returns>Whether it was taken; false if too many ranges wait already.</returns>
    public bool TryInsert(ulong offset, ReadOnlySpan<byte> data)
    {
        if (offset < _contiguous)
        {
            ulong known = _contiguous - offset;
            if (known >= (uint)data.Length)
                return true;
            data = data[(int)known..];
            offset = _contiguous;
        }

        if (data.IsEmpty)
            return true;
        ulong end = offset + (uint)data.Length;
        if (offset > _contiguous)
        {
            // A range that joins others would not need a new place; refusing it as well keeps the check one comparison.
            if (_ahead.Count >= RangesMax)
                return false;
            _blocks.Write(offset, data);
            _ahead.Add(offset, end);
            return true;
        }

        _blocks.Write(offset, data);
        _contiguous = end;
        while (_ahead.Count > 0 && _ahead.First.Start <= _contiguous)
        {
            OffsetRange first = _ahead.First;
            _contiguous = Math.Max(_contiguous, first.End);
            _ahead.Remove(first.Start, first.End);
        }

        return true;
    }

    /// <summary>Copies as many bytes as there are in order, up to the length of <paramref name="destination"/>, and forgets them.</summary>
    public int Read(Span<byte> destination)
    {
        int count = (int)Math.Min((ulong)destination.Length, _contiguous - _read);
        if (count == 0)
            return 0;
        _blocks.Read(_read, destination[..count]);
        _read += (uint)count;
        if (_read == _contiguous && _ahead.Count == 0)
            _blocks.Clear(_read); // an idle stream holds no block
        else
            _blocks.Release(_read);
        return count;
    }

    /// <summary>Drops all data and gives its memory back.</summary>
    public void Discard()
    {
        _ahead.Clear();
        _blocks.Clear(_contiguous);
        _read = _contiguous;
    }

    /// <summary>Back to the state of a new buffer.</summary>
    public void Reset()
    {
        _ahead.Clear();
        _blocks.Reset();
        _read = 0;
        _contiguous = 0;
    }
}
