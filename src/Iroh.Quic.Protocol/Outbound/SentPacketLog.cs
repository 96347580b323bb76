using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Outbound;

/// <summary>Tells recovery, acknowledgement and the trace of packets that have been sealed.</summary>
internal sealed class SentPacketLog
{
    /// <summary>No 4-tuple: what becomes of packets sent to other addresses touches no path's measurements (RFC 9000 §9.4).</summary>
    private const int NoGeneration = -1;

    private readonly TraceSink? _trace;

    public SentPacketLog(TraceSink? trace) => _trace = trace;

    /// <summary>Packets sealed so far.</summary>
    public ulong PacketsSent { get; private set; }

    /// <summary>A packet that goes out on the path's 4-tuple.</summary>
    public void OnSent(Instant now, in SendPlan plan, OpenPacket packet, int size)
    {
        PathRecovery recovery = plan.Path.Current.Recovery;
        var flags = SentPacketFlags.None;
        if (packet.IsAckEliciting)
            flags |= SentPacketFlags.AckEliciting;
        if (packet.IsAckEliciting || packet.IsPadded)
            flags |= SentPacketFlags.InFlight;
        if (packet.HoldsData)
            flags |= SentPacketFlags.Data;
        if (plan.Kind == SendKind.MtuProbe)
            flags |= SentPacketFlags.MtuProbe;
        if (plan.Ecn == EcnCodepoint.Ect0)
            flags |= SentPacketFlags.EctMarked;
        var sent = new SentPacket(packet.Number, now, size, recovery.Generation, flags);
        plan.Path.Loss.OnPacketSent(packet.Level, sent, packet.Frames.Frames, recovery);
        Note(now, plan, packet, size);
    }

    /// <summary>A packet that goes to another address: it is neither counted in flight nor measured.</summary>
    public void OnOffPathSent(Instant now, in SendPlan plan, OpenPacket packet, int size)
    {
        plan.Path.Space.Sent.Record(new SentPacket(packet.Number, now, size, NoGeneration, SentPacketFlags.None), packet.Frames.Frames);
        Note(now, plan, packet, size);
    }

    /// <summary>A packet with CONNECTION_CLOSE, of which nothing is ever repaired.</summary>
    public void OnCloseSent(Instant now, in SendPlan plan, OpenPacket packet, int size) => Note(now, plan, packet, size);

    private void Note(Instant now, in SendPlan plan, OpenPacket packet, int size)
    {
        PacketsSent++;
        _trace?.PacketSent(now, packet.Level, plan.Path.Id, packet.Number, size);
    }
}
