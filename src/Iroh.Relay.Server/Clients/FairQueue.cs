namespace Iroh.Relay.Server.Clients;

/// <summary>
/// What waits to be sent to one client, in order for each source and in turn between sources, by bytes (deficit round robin). When it is
/// full, the source that has most in it loses: its oldest packet to another's, or the one that it adds. So one that floods a client takes
/// nothing from the others.
/// Not thread-safe. The queue owns the packets in it.
/// </summary>
internal sealed class FairQueue
{
    /// <summary>Packets that wait at most, as iroh's relay has it.</summary>
    public const int PacketsMax = 512;

    /// <summary>
    /// Bytes that wait at most: a second at 32 Mbit/s; more than that would only arrive too late. Above the 512 datagrams of a QUIC
    /// packet's size, below the 32 MiB that 512 of the longest frames would be.
    /// </summary>
    public const int BytesMax = 4 * 1024 * 1024;

    // What a source may send before the next one's turn: one full batch of a real client.
    private const int Quantum = 16 * 1024;

    private readonly Dictionary<object, Flow> _flows = new(ReferenceEqualityComparer.Instance);
    private readonly Queue<Flow> _turns = new();
    private Flow? _spare;
    private Flow? _last;

    /// <summary>How many packets wait.</summary>
    public int Count { get; private set; }

    /// <summary>How many bytes wait.</summary>
    public int Bytes { get; private set; }

    /// <summary>Adds a packet behind those of the same source.</summary>
    /// <param name="source">Whom it comes from; told apart by reference.</param>
    /// <param name="packet">The packet, which is the queue's from now on.</param>
    /// <param name="dropped">How many packets were dropped for it, or with it.</param>
    /// <returns>False if it was itself dropped.</returns>
    public bool Enqueue(object source, OutgoingPacket packet, out int dropped)
    {
        dropped = 0;
        while (Count >= PacketsMax || Bytes > BytesMax - packet.Length)
        {
            Flow longest = Longest();
            dropped++;
            if (ReferenceEquals(longest.Source, source))
            {
                packet.Return();
                return false;
            }

            Take(longest).Return();
        }

        Flow flow = Find(source);
        flow.Packets.Enqueue(packet);
        flow.Bytes += packet.Length;
        Count++;
        Bytes += packet.Length;
        if (!flow.HasTurn)
        {
            flow.HasTurn = true;
            _turns.Enqueue(flow);
        }

        return true;
    }

    /// <summary>Takes the packet whose turn it is; it is the caller's from then on.</summary>
    public bool TryDequeue(out OutgoingPacket packet)
    {
        packet = default;
        while (_turns.TryPeek(out Flow? flow))
        {
            if (flow.Packets.Count == 0)
            {
                _turns.Dequeue();
                Forget(flow);
                continue;
            }

            int length = flow.Packets.Peek().Length;
            if (length <= flow.Credit || _turns.Count == 1)
            {
                flow.Credit = Math.Max(0, flow.Credit - length);
                packet = Take(flow);
                return true;
            }

            // At most five rounds lead to the longest message.
            flow.Credit += Quantum;
            _turns.Enqueue(_turns.Dequeue());
        }

        return false;
    }

    /// <summary>Drops all.</summary>
    public void Clear()
    {
        while (TryDequeue(out OutgoingPacket packet))
            packet.Return();
    }

    private OutgoingPacket Take(Flow flow)
    {
        OutgoingPacket packet = flow.Packets.Dequeue();
        flow.Bytes -= packet.Length;
        Count--;
        Bytes -= packet.Length;
        return packet;
    }

    private Flow Longest()
    {
        Flow longest = _turns.Peek();
        foreach (Flow flow in _turns)
        {
            if (flow.Bytes > longest.Bytes)
                longest = flow;
        }

        return longest;
    }

    private Flow Find(object source)
    {
        if (_last is { } last && ReferenceEquals(last.Source, source))
            return last;
        if (!_flows.TryGetValue(source, out Flow? flow))
        {
            flow = _spare ?? new Flow();
            _spare = null;
            flow.Source = source;
            _flows[source] = flow;
        }

        return _last = flow;
    }

    private void Forget(Flow flow)
    {
        _flows.Remove(flow.Source!);
        if (ReferenceEquals(_last, flow))
            _last = null;
        flow.Source = null;
        flow.HasTurn = false;
        flow.Credit = 0;
        _spare = flow;
    }

    private sealed class Flow
    {
        public object? Source { get; set; }

        public Queue<OutgoingPacket> Packets { get; } = new();

        public int Bytes { get; set; }

        public int Credit { get; set; }

        public bool HasTurn { get; set; }
    }
}
