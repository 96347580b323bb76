using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Driving;

/// <summary>
/// The connections of an endpoint in the order of their next timeouts: a binary heap in which each connection has at most one
/// place and knows it, so that moving a deadline takes O(log n) and leaves nothing behind. Thread-safe.
/// </summary>
internal sealed class DeadlineHeap
{
    private readonly Lock _lock = new();
    private Entry[] _heap = new Entry[16];
    private int _count;

    /// <summary>The earliest deadline, <see cref="Instant.Never"/> if there is none.</summary>
    public Instant Earliest
    {
        get
        {
            lock (_lock)
                return _count == 0 ? Instant.Never : _heap[0].Deadline;
        }
    }

    /// <summary>
    /// Makes sure that <paramref name="entry"/> is due at <paramref name="deadline"/> or before. A later deadline than the one set
    /// is not taken over: deadlines move out with almost every packet, and looking once too early is cheaper than moving each time.
    /// </summary>
    /// <returns>Whether this is now the earliest deadline of all, so that the thread that waits for it must wait less.</returns>
    public bool Advance(Entry entry, Instant deadline)
    {
        if (deadline >= entry.Deadline)
            return false;
        lock (_lock)
        {
            if (deadline >= entry.Deadline || entry.Place == Entry.Removed)
                return false;
            entry.Deadline = deadline;
            if (entry.Place == Entry.Absent)
            {
                if (_count == _heap.Length)
                    Array.Resize(ref _heap, _count * 2);
                entry.Place = _count++;
            }

            MoveUp(entry);
            return entry.Place == 0;
        }
    }

    /// <summary>Takes out one entry whose deadline is not after <paramref name="now"/>; null if there is none.</summary>
    public Entry? TakeDue(Instant now)
    {
        lock (_lock)
        {
            if (_count == 0 || _heap[0].Deadline > now)
                return null;
            Entry due = _heap[0];
            TakeOut(due, Entry.Absent);
            return due;
        }
    }

    /// <summary>Takes <paramref name="entry"/> out for good: later deadlines for it are ignored.</summary>
    public void Remove(Entry entry)
    {
        lock (_lock)
            TakeOut(entry, Entry.Removed);
    }

    private void TakeOut(Entry entry, int mark)
    {
        int hole = entry.Place;
        entry.Place = mark;
        entry.Deadline = Instant.Never;
        if (hole < 0)
            return;
        Entry last = _heap[--_count];
        _heap[_count] = null!;
        if (last == entry)
            return;
        last.Place = hole;
        MoveUp(last);
        MoveDown(last);
    }

    private void MoveUp(Entry entry)
    {
        int place = entry.Place;
        while (place > 0 && _heap[(place - 1) / 2].Deadline > entry.Deadline)
        {
            Put(_heap[(place - 1) / 2], place);
            place = (place - 1) / 2;
        }

        Put(entry, place);
    }

    private void MoveDown(Entry entry)
    {
        int place = entry.Place;
        while (true)
        {
            int child = (2 * place) + 1;
            if (child + 1 < _count && _heap[child + 1].Deadline < _heap[child].Deadline)
                child++;
            if (child >= _count || _heap[child].Deadline >= entry.Deadline)
                break;
            Put(_heap[child], place);
            place = child;
        }

        Put(entry, place);
    }

    private void Put(Entry entry, int place)
    {
        _heap[place] = entry;
        entry.Place = place;
    }

    /// <summary>What has a deadline. One heap only.</summary>
    internal abstract class Entry
    {
        internal const int Absent = -1, Removed = -2;

        private long _deadline = Instant.Never.Nanoseconds;

        /// <summary>The deadline in the heap; read without the lock to skip what cannot be earlier.</summary>
        internal Instant Deadline
        {
            get => new(Volatile.Read(ref _deadline));
            set => Volatile.Write(ref _deadline, value.Nanoseconds);
        }

        internal int Place { get; set; } = Absent;
    }
}
