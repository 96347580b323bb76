namespace Iroh.Quic.Protocol.Streams;

/// <summary>
/// The memory of a connection's stream buffers, in blocks of one size. A few blocks are kept for the connection, the rest goes through
/// a pool that all connections of the process share, so that many idle connections hold little.
/// </summary>
internal sealed class BlockPool
{
    /// <summary>16 KiB: a dozen packets, so changing blocks is rare, yet a stream with a few bytes in flight does not cost much.</summary>
    public const int BlockLength = 1 << 14;

    /// <summary>Free blocks kept for this connection: 256 KiB, what one round trip of a fast local network acknowledges at once.</summary>
    private const int FreeBlocksMax = 16;

    /// <summary>
    /// Free blocks kept for all connections: 64 MiB, the windows of a few dozen busy streams. The class library's pools do not fit: the
    /// shared one keeps some 32 arrays of one size a core, and a single stream's window has more; a created one counts what is out, and
    /// connections that end with data in their streams never return it.
    /// </summary>
    private const int SharedBlocksMax = 4096;

    private static readonly Lock SharedLock = new();
    private static readonly byte[][] Shared = new byte[SharedBlocksMax][];
    private static int _sharedCount;

    private readonly byte[][] _free;
    private int _freeCount;

    /// <summary>Starts with no blocks.</summary>
    /// <param name="keepsFreeBlocks">False for an owner that is done with its blocks soon: all go back to the others.</param>
    public BlockPool(bool keepsFreeBlocks = true) => _free = keepsFreeBlocks ? new byte[FreeBlocksMax][] : [];

    /// <summary>How many blocks are out.</summary>
    public int Rented { get; private set; }

    /// <summary>A block of <see cref="BlockLength"/> bytes with any content, to be returned exactly once.</summary>
    public byte[] Rent()
    {
        Rented++;
        return _freeCount > 0 ? _free[--_freeCount] : RentShared();
    }

    /// <summary>Takes a block back; the caller keeps no reference to it.</summary>
    public void Return(byte[] block)
    {
        Rented--;
        if (_freeCount < _free.Length)
            _free[_freeCount++] = block;
        else
            ReturnShared(block);
    }

    private static byte[] RentShared()
    {
        lock (SharedLock)
        {
            if (_sharedCount > 0)
            {
                ref byte[] slot = ref Shared[--_sharedCount];
                byte[] block = slot;
                slot = null!;
                return block;
            }
        }

        return GC.AllocateUninitializedArray<byte>(BlockLength);
    }

    private static void ReturnShared(byte[] block)
    {
        lock (SharedLock)
        {
            if (_sharedCount < SharedBlocksMax)
                Shared[_sharedCount++] = block;
        }
    }
}
