using System.Diagnostics;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Spaces;

/// <summary>
/// The packets of one packet number space whose fate is unknown, oldest first, each with the frames it contained.
/// </summary>
/// <remarks>
/// Both are rings that keep their size, so the steady state allocates nothing. Packets are visited by position: positions grow
/// by one with every recorded packet and stay valid until <see cref="TrimFront"/> passes them. The packet threshold of loss
/// detection (RFC 9002 §6.1.1) leaves at most two unresolved packets below the largest acknowledged one, so a walk from
/// <see cref="First"/> up to that number costs what it resolves and no more, however many packets are in flight behind it.
/// </remarks>
internal sealed class SentPackets
{
    /// <summary>
    /// How many packets with nothing but ACKs are remembered. A pure receiver sends only those, and a peer may leave them
    /// unacknowledged for ever (RFC 9000 §13.2.4); forgetting one only delays the pruning of received ranges.
    /// </summary>
    public const int AckOnlyMax = 1024;

    private Entry[] _entries = new Entry[16];
    private SentFrame[] _frames = new SentFrame[32];
    private long _first;
    private long _end;
    private long _framesEnd;
    private int _ackOnly;

    private enum State : byte
    {
        Outstanding,
        Acknowledged,
        Lost,
    }

    /// <summary>Position of the oldest packet that is still remembered.</summary>
    public long First => _first;

    /// <summary>Position after the newest packet.</summary>
    public long End => _end;

    /// <summary>Packets neither acknowledged nor lost.</summary>
    public int Outstanding { get; private set; }

    /// <summary>Ack-eliciting packets neither acknowledged nor lost; while there are any, a probe timeout runs.</summary>
    public int AckElicitingOutstanding { get; private set; }

    /// <summary>Packets with data neither acknowledged nor lost.</summary>
    public int DataOutstanding { get; private set; }

    /// <summary>When <see cref="DataOutstanding"/> last rose from zero; undefined before.</summary>
    public Instant DataOutstandingSince { get; private set; }

    /// <summary>When the last ack-eliciting packet was sent (<c>time_of_last_ack_eliciting_packet</c>); undefined before the first.</summary>
    public Instant LastAckElicitingSentAt { get; private set; }

    /// <summary>Packets ever recorded with ECT(0): more than this the peer cannot have counted (RFC 9000 §13.4.2.1).</summary>
    public ulong EctMarkedTotal { get; private set; }

    /// <summary>Remembers a packet that is being sent.</summary>
    /// <param name="packet">Its number is larger than all recorded before.</param>
    /// <param name="frames">What it contained; copied.</param>
    public void Record(in SentPacket packet, ReadOnlySpan<SentFrame> frames)
    {
        Debug.Assert(_first == _end || Slot(_end - 1).Packet.Number.Value < packet.Number.Value, "Packet numbers must grow.");
        if (packet.IsEctMarked)
            EctMarkedTotal++;
        if (packet.IsAckEliciting)
        {
            AckElicitingOutstanding++;
            LastAckElicitingSentAt = packet.SentAt;
            if (packet.HoldsData && DataOutstanding++ == 0)
                DataOutstandingSince = packet.SentAt;
        }
        else if (!packet.IsInFlight && !MakeRoomForAckOnly())
        {
            return;
        }

        if (_end - _first == _entries.Length)
            GrowEntries();
        long framesFirst = _first == _end ? _framesEnd : Slot(_first).FramesStart;
        while (_framesEnd + frames.Length - framesFirst > _frames.Length)
            GrowFrames(framesFirst);

        Slot(_end++) = new Entry(packet, _framesEnd, frames.Length, State.Outstanding);
        foreach (ref readonly SentFrame frame in frames)
            _frames[_framesEnd++ & (_frames.Length - 1)] = frame;
        Outstanding++;
    }

    /// <summary>The packet at <paramref name="position"/>, in [<see cref="First"/>, <see cref="End"/>).</summary>
    public ref readonly SentPacket At(long position) => ref Slot(position).Packet;

    /// <summary>Whether the packet at <paramref name="position"/> is neither acknowledged nor lost.</summary>
    public bool IsOutstanding(long position) => Slot(position).State == State.Outstanding;

    /// <summary>Whether the packet at <paramref name="position"/> was acknowledged.</summary>
    public bool IsAcknowledged(long position) => Slot(position).State == State.Acknowledged;

    /// <summary>Appends the frames of the packet at <paramref name="position"/> to <paramref name="destination"/>.</summary>
    public void CopyFrames(long position, SentFrameList destination)
    {
        ref Entry entry = ref Slot(position);
        for (int i = 0; i < entry.FrameCount; i++)
            destination.Add(_frames[(entry.FramesStart + i) & (_frames.Length - 1)]);
    }

    /// <summary>
    /// Appends the frames of the oldest outstanding ack-eliciting packets, for a probe that repeats them (RFC 9002 §6.2.4).
    /// The packets stay in flight. Those that only asked for a sign of life are passed by: behind them may be what the peer needs to answer.
    /// </summary>
    /// <returns>How many packets were copied, at most <paramref name="packetsMax"/>.</returns>
    public int CopyOldestFrames(int packetsMax, SentFrameList destination)
    {
        int copied = 0;
        for (long position = _first; position < _end && copied < packetsMax; position++)
        {
            ref Entry entry = ref Slot(position);
            if (entry.State != State.Outstanding || !entry.Packet.IsAckEliciting || entry.Packet.IsMtuProbe || !IsWorthRepeating(entry))
                continue;
            CopyFrames(position, destination);
            copied++;
        }

        return copied;
    }

    /// <summary>Resolves an outstanding packet as acknowledged.</summary>
    public void MarkAcknowledged(long position) => Resolve(position, State.Acknowledged);

    /// <summary>Resolves an outstanding packet as lost.</summary>
    public void MarkLost(long position) => Resolve(position, State.Lost);

    /// <summary>Forgets resolved packets at the front; their positions become invalid.</summary>
    public void TrimFront()
    {
        while (_first < _end && Slot(_first).State != State.Outstanding)
            _first++;
    }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        _first = _end;
        Outstanding = AckElicitingOutstanding = DataOutstanding = _ackOnly = 0;
    }

    /// <summary>Bytes of outstanding in-flight packets of one 4-tuple. Walks all of them: for rare occasions only.</summary>
    public long SumBytesInFlight(int pathGeneration)
    {
        long sum = 0;
        for (long position = _first; position < _end; position++)
        {
            ref Entry entry = ref Slot(position);
            if (entry.State == State.Outstanding && entry.Packet.IsInFlight && entry.Packet.PathGeneration == pathGeneration)
                sum += entry.Packet.Size;
        }

        return sum;
    }

    private ref Entry Slot(long position) => ref _entries[position & (_entries.Length - 1)];

    private void Resolve(long position, State state)
    {
        ref Entry entry = ref Slot(position);
        Debug.Assert(entry.State == State.Outstanding, "A packet is resolved once.");
        entry.State = state;
        Outstanding--;
        if (entry.Packet.IsAckEliciting)
        {
            AckElicitingOutstanding--;
            DataOutstanding -= entry.Packet.HoldsData ? 1 : 0;
        }
        else if (!entry.Packet.IsInFlight)
        {
            _ackOnly--;
        }
    }

    /// <summary>Counts one more ACK-only packet, forgetting the oldest if there are too many; false if the new one is to be forgotten.</summary>
    private bool MakeRoomForAckOnly()
    {
        if (_ackOnly == AckOnlyMax)
        {
            TrimFront();
            ref Entry oldest = ref Slot(_first);
            if (oldest.Packet.IsInFlight)
                return false;
            MarkLost(_first);
            TrimFront();
        }

        _ackOnly++;
        return true;
    }

    private bool IsWorthRepeating(in Entry entry)
    {
        for (int i = 0; i < entry.FrameCount; i++)
        {
            SentFrameKind kind = _frames[(entry.FramesStart + i) & (_frames.Length - 1)].Kind;
            if (kind is not (SentFrameKind.Ping or SentFrameKind.Ack or SentFrameKind.PathChallenge or SentFrameKind.PathResponse
                or SentFrameKind.Datagram))
                return true;
        }

        return false;
    }

    private void GrowEntries()
    {
        Entry[] larger = new Entry[_entries.Length * 2];
        for (long position = _first; position < _end; position++)
            larger[position & (larger.Length - 1)] = Slot(position);
        _entries = larger;
    }

    private void GrowFrames(long first)
    {
        SentFrame[] larger = new SentFrame[_frames.Length * 2];
        for (long i = first; i < _framesEnd; i++)
            larger[i & (larger.Length - 1)] = _frames[i & (_frames.Length - 1)];
        _frames = larger;
    }

    private struct Entry(SentPacket packet, long framesStart, int frameCount, State state)
    {
        public readonly SentPacket Packet = packet;
        public readonly long FramesStart = framesStart;
        public readonly int FrameCount = frameCount;
        public State State = state;
    }
}
