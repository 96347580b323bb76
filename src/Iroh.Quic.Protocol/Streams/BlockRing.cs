using System.Numerics;

namespace Iroh.Quic.Protocol.Streams;

/// <summary>
/// A window of a byte stream held in pooled blocks that are addressed by stream offset. Blocks appear when first written to and go
/// back when the window has moved past them. The owner bounds how far ahead of the released offset it writes.
/// </summary>
internal sealed class BlockRing
{
    private const int BlockLength = BlockPool.BlockLength;
    private const int RingLengthMin = 4;

    private static readonly int BlockShift = BitOperations.Log2(BlockLength);

    private readonly BlockPool _pool;

    // Block i of the stream is at i modulo the length (a power of two) while _first <= i < _first + length. There are none at or
    // above _end, so giving all back looks at no more slots than were used.
    private byte[]?[] _ring = new byte[]?[RingLengthMin];
    private ulong _first;
    private ulong _end;

    /// <summary>Starts empty, with nothing released.</summary>
    public BlockRing(BlockPool pool) => _pool = pool;

    /// <summary>Copies <paramref name="data"/> in at <paramref name="offset"/>, which is not below the released offset's block.</summary>
    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            int at = (int)offset & (BlockLength - 1);
            int count = Math.Min(data.Length, BlockLength - at);
            data[..count].CopyTo(BlockForWriting(offset >> BlockShift).AsSpan(at, count));
            data = data[count..];
            offset += (uint)count;
        }
    }

    /// <summary>Copies bytes out that were written before and not released since.</summary>
    public void Read(ulong offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int at = (int)offset & (BlockLength - 1);
            int count = Math.Min(destination.Length, BlockLength - at);
            byte[] block = _ring[(int)(offset >> BlockShift) & (_ring.Length - 1)]!;
            block.AsSpan(at, count).CopyTo(destination);
            destination = destination[count..];
            offset += (uint)count;
        }
    }

    /// <summary>Returns the blocks that lie wholly below <paramref name="offset"/>.</summary>
    public void Release(ulong offset)
    {
        ulong first = offset >> BlockShift;
        if (first == _first)
            return;
        ReturnBelow(first);
        _first = first;
        _end = Math.Max(_end, first);
    }

    /// <summary>Returns all blocks; the next write is at or above <paramref name="offset"/>.</summary>
    public void Clear(ulong offset)
    {
        ReturnBelow(_end);
        _first = offset >> BlockShift;
        _end = _first;
    }

    /// <summary>As <see cref="Clear"/>, and a ring that has grown large is given up, so that recycled objects stay small.</summary>
    public void Reset()
    {
        Clear(0);
        if (_ring.Length > RingLengthMin * 16)
            _ring = new byte[]?[RingLengthMin];
    }

    private byte[] BlockForWriting(ulong index)
    {
        if (index - _first >= (ulong)_ring.Length)
            Grow(index);
        _end = Math.Max(_end, index + 1);
        ref byte[]? slot = ref _ring[(int)index & (_ring.Length - 1)];
        return slot ??= _pool.Rent();
    }

    private void Grow(ulong index)
    {
        var ring = new byte[]?[(int)BitOperations.RoundUpToPowerOf2((uint)(index - _first + 1))];
        for (int i = 0; i < _ring.Length; i++)
        {
            int block = (int)(_first + (uint)i);
            ring[block & (ring.Length - 1)] = _ring[block & (_ring.Length - 1)];
        }

        _ring = ring;
    }

    private void ReturnBelow(ulong index)
    {
        for (ulong i = _first; i < Math.Min(index, _end); i++)
        {
            ref byte[]? slot = ref _ring[(int)i & (_ring.Length - 1)];
            if (slot is not { } block)
                continue;
            slot = null;
            _pool.Return(block);
        }
    }
}
