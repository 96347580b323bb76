using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Streams;

/// <summary>
/// Which streams have something to send, and in which order they get into packets: first the small frames that let others go on, then
/// lost data, then new data. Among the streams of one list turns go round.
/// </summary>
internal sealed class StreamOutput
{
    /// <summary>
    /// How many bytes of data a stream sends before it is the next one's turn. A few packets: mixing streams within each packet would
    /// make one loss hold up several of them, and long turns would make small streams wait for large ones.
    /// </summary>
    private const long TurnLength = 4096;

    private readonly LinkedList<SendStream> _fresh = new();
    private readonly LinkedList<SendStream> _repair = new();
    private readonly LinkedList<SendStream> _resets = new();
    private readonly LinkedList<ReceiveStream> _controls = new();
    private SendCredit _credit;
    private long _turnUsed;

    /// <summary>Whether any stream has something to send that flow control allows.</summary>
    public bool HasPending =>
        _repair.Count > 0 || _resets.Count > 0 || _controls.Count > 0 || (_fresh.Count > 0 && _credit.Available > 0);

    /// <summary>Takes over the peer's limit for all streams together; lower ones are old news.</summary>
    public void OnMaxData(ulong limit) => _credit.Raise(limit);

    /// <summary>Puts the stream into the lists that its state asks for, and takes it out of the others.</summary>
    public void Update(SendStream stream)
    {
        SetMember(_fresh, stream.FreshNode, stream.HasFresh);
        SetMember(_repair, stream.RepairNode, stream.HasRepair);
        SetMember(_resets, stream.ResetNode, stream.HasReset);
    }

    /// <summary>The same for the receiving half.</summary>
    public void Update(ReceiveStream stream) => SetMember(_controls, stream.ControlNode, stream.HasControl);

    /// <summary>Takes a stream that is gone out of all lists.</summary>
    public void Remove(SendStream stream)
    {
        SetMember(_fresh, stream.FreshNode, false);
        SetMember(_repair, stream.RepairNode, false);
        SetMember(_resets, stream.ResetNode, false);
    }

    /// <summary>The same for the receiving half.</summary>
    public void Remove(ReceiveStream stream) => SetMember(_controls, stream.ControlNode, false);

    /// <summary>Writes RESET_STREAM, STOP_SENDING and MAX_STREAM_DATA frames as far as they fit.</summary>
    /// <returns>Whether all did.</returns>
    public bool WriteControlFrames(ref WireWriter writer, SentFrameList sent)
    {
        while (_resets.First is { } node)
        {
            if (!node.Value.TryWriteReset(ref writer, out SentFrame frame))
                return false;
            _resets.Remove(node);
            sent.Add(frame);
        }

        while (_controls.First is { } node)
        {
            if (!node.Value.TryWriteControl(ref writer, out SentFrame frame))
                return false;
            _controls.Remove(node);
            sent.Add(frame);
        }

        return true;
    }

    /// <summary>Fills the packet with STREAM frames.</summary>
    public void WriteStreamFrames(ref WireWriter writer, SentFrameList sent)
    {
        if (WriteTurns(ref writer, sent, _repair, repair: true))
            WriteTurns(ref writer, sent, _fresh, repair: false);
    }

    // Lets the streams of one list write in turn. False if one found too little room.
    private bool WriteTurns(ref WireWriter writer, SentFrameList sent, LinkedList<SendStream> list, bool repair)
    {
        // Each round writes a frame of at least one byte of data or takes a stream off the list, so the packet's size bounds the rounds.
        while (list.First is { } node && (repair || _credit.Available > 0))
        {
            SendStream stream = node.Value;
            if (!stream.TryWriteFrame(ref writer, repair, _credit.Available, out SentFrame frame))
                return false;
            sent.Add(frame);
            if (!repair)
                _credit.Use(frame.B);
            _turnUsed += (long)frame.B;
            Update(stream);
            if (node.List is null)
            {
                _turnUsed = 0;
            }
            else if (_turnUsed >= TurnLength)
            {
                _turnUsed = 0;
                list.Remove(node);
                list.AddLast(node);
            }
        }

        return true;
    }

    private static void SetMember<T>(LinkedList<T> list, LinkedListNode<T> node, bool member)
    {
        if (member == (node.List is not null))
            return;
        if (member)
            list.AddLast(node);
        else
            list.Remove(node);
    }
}
