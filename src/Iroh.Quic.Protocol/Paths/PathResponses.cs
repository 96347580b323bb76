using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>
/// PATH_CHALLENGEs that still have to be answered, each on the 4-tuple it came on (RFC 9000 §8.2.2). The newest of an address replaces
/// the one before: its sender would accept either.
/// </summary>
internal sealed class PathResponses
{
    /// <summary>
    /// Answers waiting at once. They leave with the next datagrams, so a few are enough for an honest peer; a flood of challenges from
    /// made-up addresses pushes out its own.
    /// </summary>
    public const int CountMax = 8;

    private readonly (FourTuple Address, ulong Data, int SizeMax)[] _pending = new (FourTuple, ulong, int)[CountMax];

    /// <summary>Number of answers waiting.</summary>
    public int Count { get; private set; }

    /// <summary>A PATH_CHALLENGE came.</summary>
    /// <param name="address">The 4-tuple it came on.</param>
    /// <param name="data">Its 8 bytes.</param>
    /// <param name="sizeMax">The largest datagram that may answer it, in bytes: three times what came (RFC 9000 §8.2.2), or more.</param>
    public void Add(FourTuple address, ulong data, int sizeMax)
    {
        for (int i = 0; i < Count; i++)
        {
            if (_pending[i].Address != address)
                continue;
            _pending[i] = (address, data, sizeMax);
            return;
        }

        if (Count == CountMax)
            RemoveAt(0);
        _pending[Count++] = (address, data, sizeMax);
    }

    /// <summary>Takes the answer that is owed on this 4-tuple.</summary>
    public bool TryTake(FourTuple address, out ulong data)
    {
        for (int i = 0; i < Count; i++)
        {
            if (_pending[i].Address != address)
                continue;
            data = _pending[i].Data;
            RemoveAt(i);
            return true;
        }

        data = 0;
        return false;
    }

    /// <summary>Whether an answer is owed on this 4-tuple.</summary>
    public bool IsOwedOn(FourTuple address)
    {
        for (int i = 0; i < Count; i++)
        {
            if (_pending[i].Address == address)
                return true;
        }

        return false;
    }

    /// <summary>Finds the oldest answer that is owed on another 4-tuple than the given one.</summary>
    public bool TryPeekElsewhere(FourTuple current, out FourTuple address, out int sizeMax)
    {
        for (int i = 0; i < Count; i++)
        {
            (address, _, sizeMax) = _pending[i];
            if (address != current)
                return true;
        }

        (address, sizeMax) = (default, 0);
        return false;
    }

    /// <summary>Nothing is answered any more: the path was given up.</summary>
    public void Clear() => Count = 0;

    private void RemoveAt(int index)
    {
        Array.Copy(_pending, index + 1, _pending, index, Count - index - 1);
        Count--;
    }
}
