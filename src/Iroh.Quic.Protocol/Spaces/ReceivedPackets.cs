using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Spaces;

/// <summary>
/// Which packets of one packet number space arrived: what goes into ACK frames, and what recognises duplicates.
/// </summary>
/// <remarks>
/// Below the floor every packet counts as a duplicate, so forgotten ranges can never be accepted again (RFC 9000 §13.2.3);
/// above it the answer is exact.
/// </remarks>
internal sealed class ReceivedPackets
{
    /// <summary>
    /// Most ranges kept, and so the most in an ACK frame: at most 8 bytes each for gap and length in practice, they leave more
    /// than half of a 1200 byte packet free, and 64 holes are more than any reordering that is worth repairing.
    /// </summary>
    public const int RangesMax = 64;

    private readonly PacketNumberRange[] _ranges = new PacketNumberRange[RangesMax];
    private int _count;

    /// <summary>The ranges of received packets, the largest numbers first as in an ACK frame; valid until the next change.</summary>
    public ReadOnlySpan<PacketNumberRange> Ranges => _ranges.AsSpan(0, _count);

    /// <summary>The largest number ever received, none before the first packet. It survives pruning.</summary>
    public PacketNumber? Largest { get; private set; }

    /// <summary>When <see cref="Largest"/> arrived.</summary>
    public Instant LargestReceivedAt { get; private set; }

    /// <summary>The smallest number that is not yet taken for a duplicate unseen.</summary>
    public PacketNumber Floor { get; private set; }

    /// <summary>ECN marks of all packets recorded (RFC 9000 §13.4.1).</summary>
    public EcnCounts EcnCounts { get; private set; }

    /// <summary>Whether <paramref name="number"/> was received before, or is too old to tell.</summary>
    public bool IsDuplicate(PacketNumber number)
    {
        if (number.Value < Floor.Value)
            return true;
        int index = FindAtOrBelow(number);
        return index < _count && _ranges[index].Last.Value >= number.Value;
    }

    /// <summary>Records a packet that was unprotected and is no duplicate.</summary>
    /// <returns>False, and nothing changes, if it is a duplicate.</returns>
    public bool Record(Instant now, PacketNumber number, EcnCodepoint mark)
    {
        if (IsDuplicate(number))
            return false;
        EcnCounts = EcnCounts.Add(mark);
        if (Largest is not { } largest || number.Value > largest.Value)
        {
            Largest = number;
            LargestReceivedAt = now;
        }

        Insert(number);
        return true;
    }

    /// <summary>Drops the numbers up to <paramref name="largest"/>, which from now on count as duplicates.</summary>
    public void ForgetUpTo(PacketNumber largest)
    {
        if (largest.Value < Floor.Value)
            return;
        Floor = largest.Next;
        while (_count > 0 && _ranges[_count - 1].Last.Value <= largest.Value)
            _count--;
        if (_count > 0 && _ranges[_count - 1].First.Value <= largest.Value)
            _ranges[_count - 1] = new PacketNumberRange(largest.Next, _ranges[_count - 1].Last);
    }

    private void Insert(PacketNumber number)
    {
        int below = FindAtOrBelow(number);
        int above = below - 1;
        bool joinsBelow = below < _count && _ranges[below].Last.Value + 1 == number.Value;
        bool joinsAbove = above >= 0 && _ranges[above].First.Value == number.Value + 1;
        if (joinsBelow && joinsAbove)
        {
            _ranges[above] = new PacketNumberRange(_ranges[below].First, _ranges[above].Last);
            Array.Copy(_ranges, below + 1, _ranges, below, _count - below - 1);
            _count--;
        }
        else if (joinsBelow)
        {
            _ranges[below] = new PacketNumberRange(_ranges[below].First, number);
        }
        else if (joinsAbove)
        {
            _ranges[above] = new PacketNumberRange(number, _ranges[above].Last);
        }
        else
        {
            InsertRange(below, number);
        }
    }

    private void InsertRange(int index, PacketNumber number)
    {
        if (_count == RangesMax)
        {
            // The oldest range goes; if the new one would be the oldest, it is the one that goes.
            if (index == _count)
            {
                Floor = number.Next;
                return;
            }

            Floor = _ranges[--_count].Last.Next;
        }

        Array.Copy(_ranges, index, _ranges, index + 1, _count - index);
        _ranges[index] = new PacketNumberRange(number, number);
        _count++;
    }

    /// <summary>Index of the first range that starts at or below <paramref name="number"/>; new packets end the search at once.</summary>
    private int FindAtOrBelow(PacketNumber number)
    {
        int index = 0;
        while (index < _count && _ranges[index].First.Value > number.Value)
            index++;
        return index;
    }
}
