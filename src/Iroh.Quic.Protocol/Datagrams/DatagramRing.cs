using System.Buffers;
using System.Buffers.Binary;

namespace Iroh.Quic.Protocol.Datagrams;

/// <summary>
/// A first-in, first-out queue of byte strings in one circular buffer, bounded in bytes. The buffer comes from the shared pool, doubles
/// as needed, and goes back when the queue is empty and it was large.
/// </summary>
internal sealed class DatagramRing
{
    /// <summary>What each entry costs beside its bytes: its length. It counts against the bound, so empty entries are bounded too.</summary>
    public const int EntryOverhead = sizeof(int);

    private const int BufferLengthMin = 4096;

    /// <summary>A buffer above 64 KiB is given back when it becomes empty, so that a burst does not hold memory for ever.</summary>
    private const int IdleBufferLengthMax = 1 << 16;

    private readonly int _bytesMax;
    private byte[] _buffer = [];
    private int _head;
    private int _used;

    /// <summary>Starts empty.</summary>
    /// <param name="bytesMax">How many bytes all entries may take together, with <see cref="EntryOverhead"/> for each. At most 2^30.</param>
    public DatagramRing(int bytesMax)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytesMax);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytesMax, 1 << 30);
        _bytesMax = bytesMax;
    }

    /// <summary>Number of entries.</summary>
    public int Count { get; private set; }

    /// <summary>The length of the first entry. There is one.</summary>
    public int FirstLength
    {
        get
        {
            Span<byte> length = stackalloc byte[EntryOverhead];
            CopyOut(_head, length);
            return BinaryPrimitives.ReadInt32LittleEndian(length);
        }
    }

    /// <summary>Whether an entry of this length fits now.</summary>
    public bool HasRoom(int length) => length + EntryOverhead <= _bytesMax - _used;

    /// <summary>Whether an entry of this length would fit into an empty queue.</summary>
    public bool CanEverHold(int length) => length <= _bytesMax - EntryOverhead;

    /// <summary>Appends a copy of <paramref name="data"/>, for which there is room.</summary>
    public void Enqueue(ReadOnlySpan<byte> data)
    {
        int total = data.Length + EntryOverhead;
        if (_used + total > _buffer.Length)
            Grow(_used + total);
        Span<byte> length = stackalloc byte[EntryOverhead];
        BinaryPrimitives.WriteInt32LittleEndian(length, data.Length);
        CopyIn(_head + _used, length);
        CopyIn(_head + _used + EntryOverhead, data);
        _used += total;
        Count++;
    }

    /// <summary>Copies the first entry out and removes it.</summary>
    /// <param name="destination">Exactly <see cref="FirstLength"/> bytes.</param>
    public void Dequeue(Span<byte> destination)
    {
        CopyOut(_head + EntryOverhead, destination);
        Drop();
    }

    /// <summary>Removes the first entry. There is one.</summary>
    public void Drop()
    {
        int total = FirstLength + EntryOverhead;
        _head = Wrap(_head + total);
        _used -= total;
        Count--;
        if (Count > 0 || _buffer.Length <= IdleBufferLengthMax)
            return;
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _head = 0;
    }

    private int Wrap(int position) => position >= _buffer.Length ? position - _buffer.Length : position;

    private void CopyIn(int position, ReadOnlySpan<byte> data)
    {
        position = Wrap(position);
        int first = Math.Min(data.Length, _buffer.Length - position);
        data[..first].CopyTo(_buffer.AsSpan(position));
        data[first..].CopyTo(_buffer);
    }

    private void CopyOut(int position, Span<byte> destination)
    {
        position = Wrap(position);
        int first = Math.Min(destination.Length, _buffer.Length - position);
        _buffer.AsSpan(position, first).CopyTo(destination);
        _buffer.AsSpan(0, destination.Length - first).CopyTo(destination[first..]);
    }

    private void Grow(int needed)
    {
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(Math.Max(needed, BufferLengthMin), (int)Math.Min(2L * _used, _bytesMax)));
        CopyOut(_head, larger.AsSpan(0, _used));
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
        _head = 0;
    }
}
