using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.NatTraversal;

/// <summary>
/// Keeps the client informed of a server's candidates by ADD_ADDRESS and REMOVE_ADDRESS, and never lets it hold more than it is ready to.
/// <code>
/// wanted --slot free--> Adding --acknowledged--> Added          an ADD_ADDRESS that is lost is sent again
/// Adding, Added --no longer wanted--> Removing --acknowledged--> forgotten, slot free
/// </code>
/// REMOVE_ADDRESS waits for the fate of its ADD_ADDRESS: overtaking that one, it would mean nothing, and the address would stay.
/// </summary>
internal sealed class CandidateAnnouncements
{
    private readonly List<Entry> _entries = [];
    private NetworkAddress[] _wanted = [];
    private int _slots;
    private ulong _nextSequence;

    /// <summary>Whether something has to be sent.</summary>
    public bool HasFrames { get; private set; }

    /// <summary>How many addresses the client holds at most.</summary>
    public void SetLimit(int limit)
    {
        _slots = limit;
        Update();
    }

    /// <summary>The candidates from now on, distinct; the first ones if there are more than the client holds.</summary>
    public void Set(NetworkAddress[] candidates)
    {
        _wanted = candidates;
        Update();
    }

    /// <summary>Writes what is owed, as far as it fits.</summary>
    public void WriteFrames(ref WireWriter writer, SentFrameList frames)
    {
        foreach (Entry entry in _entries)
        {
            if (!entry.IsOwed)
                continue;
            if (entry.IsRemoving)
            {
                var remove = new RemoveAddressFrame(entry.Sequence);
                if (writer.Remaining < remove.EncodedLength)
                    break;
                remove.Write(ref writer);
                frames.Add(new SentFrame(SentFrameKind.RemoveAddress, false, 0, entry.Sequence, 0));
            }
            else
            {
                var add = new AddAddressFrame(entry.Sequence, entry.Address);
                if (writer.Remaining < add.EncodedLength)
                    break;
                add.Write(ref writer);
                frames.Add(new SentFrame(SentFrameKind.AddAddress, false, 0, entry.Sequence, 0));
            }

            entry.OnSent();
        }

        LookForFrames();
    }

    /// <summary>ADD_ADDRESS or REMOVE_ADDRESS was acknowledged.</summary>
    public void OnAcknowledged(in SentFrame frame)
    {
        int index = IndexOf(frame.A);
        if (index < 0)
            return;
        if (frame.Kind == SentFrameKind.AddAddress)
        {
            _entries[index].OnAddSettled(isKnown: true);
        }
        else
        {
            _entries.RemoveAt(index);
            Update();
        }

        LookForFrames();
    }

    /// <summary>ADD_ADDRESS or REMOVE_ADDRESS was lost.</summary>
    public void OnLost(in SentFrame frame)
    {
        int index = IndexOf(frame.A);
        if (index < 0)
            return;
        if (frame.Kind == SentFrameKind.AddAddress)
            _entries[index].OnAddSettled(isKnown: false);
        else
            _entries[index].OnRemoveLost();
        LookForFrames();
    }

    private void Update()
    {
        ReadOnlySpan<NetworkAddress> wanted = _wanted.AsSpan(0, Math.Min(_wanted.Length, _slots));
        for (int i = _entries.Count - 1; i >= 0; i--)
        {
            if (!wanted.Contains(_entries[i].Address) && !_entries[i].Remove())
                _entries.RemoveAt(i); // nobody was told of it
        }

        foreach (NetworkAddress address in wanted)
        {
            if (_entries.Count >= _slots)
                break;
            if (!_entries.Exists(e => e.Address == address && !e.IsRemoving))
                _entries.Add(new Entry(address, _nextSequence++));
        }

        LookForFrames();
    }

    // Asked for with every packet, so kept.
    private void LookForFrames() => HasFrames = _entries.Exists(static entry => entry.IsOwed);

    private int IndexOf(ulong sequence) => _entries.FindIndex(e => e.Sequence == sequence);

    private sealed class Entry(NetworkAddress address, ulong sequence)
    {
        private bool _isAddInFlight;
        private bool _wasSent;

        public NetworkAddress Address { get; } = address;

        public ulong Sequence { get; } = sequence;

        public bool IsRemoving { get; private set; }

        public bool IsOwed { get; private set; } = true;

        public void OnSent()
        {
            IsOwed = false;
            _wasSent = true;
            _isAddInFlight = !IsRemoving;
        }

        public void OnAddSettled(bool isKnown)
        {
            if (!_isAddInFlight)
                return;
            _isAddInFlight = false;
            IsOwed = IsRemoving || !isKnown;
        }

        public void OnRemoveLost() => IsOwed = IsRemoving;

        // False if the client cannot know the address.
        public bool Remove()
        {
            if (!_wasSent)
                return false;
            if (!IsRemoving)
                IsOwed = !_isAddInFlight;
            IsRemoving = true;
            return true;
        }
    }
}
