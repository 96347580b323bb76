using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Outbound;

/// <summary>What a built datagram means to the connection.</summary>
/// <param name="Length">Its bytes; 0 if there was nothing to send after all.</param>
/// <param name="IsAckEliciting">Whether one of its packets asks for an acknowledgement.</param>
/// <param name="HasHandshakePacket">Whether one of its packets is of the Handshake level.</param>
/// <param name="IsOneRttOnly">Whether it is one 1-RTT packet, which may share a batch with others of its size.</param>
internal readonly record struct BuiltDatagram(int Length, bool IsAckEliciting, bool HasHandshakePacket, bool IsOneRttOnly);

/// <summary>
/// Puts packets into a datagram: one of each level that has something to say, in the order of the levels (RFC 9000 §12.2), padded where
/// the RFC demands it.
/// </summary>
/// <remarks>
/// Only when the next level turned out to have nothing is it known which packet is the last and takes the padding. So a packet stays open
/// until the next one is filled.
/// </remarks>
internal sealed class DatagramBuilder
{
    private readonly Side _side;
    private readonly ConnectionKeys _keys;
    private readonly PacketSpaces _spaces;
    private readonly PacketBuilder _packets;
    private readonly FrameFiller _filler;
    private readonly HolePunching _punching;
    private readonly SentPacketLog _log;
    private OpenPacket _open = new();
    private OpenPacket _next = new();

    public DatagramBuilder(
        Side side,
        ConnectionKeys keys,
        PacketSpaces spaces,
        PacketBuilder packets,
        FrameFiller filler,
        HolePunching punching,
        SentPacketLog log)
    {
        _punching = punching;
        _side = side;
        _keys = keys;
        _spaces = spaces;
        _packets = packets;
        _filler = filler;
        _log = log;
    }

    /// <summary>Builds the datagram of a plan.</summary>
    /// <param name="now">The time of sending.</param>
    /// <param name="plan">Says what for; not of kind Nothing.</param>
    /// <param name="buffer">At least <see cref="SendPlan.SizeMax"/> bytes.</param>
    /// <param name="state">Says what a CONNECTION_CLOSE contains.</param>
    public BuiltDatagram Build(Instant now, in SendPlan plan, Span<byte> buffer, ConnectionState state)
    {
        Span<byte> datagram = buffer[..plan.SizeMax];
        return plan.Kind switch
        {
            SendKind.Close => BuildClose(now, plan, datagram, state),
            SendKind.OffPath => BuildOffPath(now, plan, datagram),
            SendKind.OffPathProbe => BuildOffPathProbe(now, plan, datagram),
            SendKind.MtuProbe => BuildMtuProbe(now, plan, datagram),
            _ => BuildPackets(now, plan, datagram),
        };
    }

    private BuiltDatagram BuildPackets(Instant now, in SendPlan plan, Span<byte> datagram)
    {
        bool isAckEliciting = false, hasHandshake = false, mustExpand = false, isOpen = false;
        int start = 0, count = 0;
        for (EncryptionLevel level = EncryptionLevel.Initial; level <= EncryptionLevel.Application; level++)
        {
            if (!_keys.Has(level) || _spaces.Find(level, plan.Path) is not { } space || !TryFill(now, plan, datagram, start, level, space))
                continue;
            if (isOpen)
                Seal(now, plan, datagram);
            (_open, _next) = (_next, _open);
            isOpen = true;
            start = _open.PayloadEnd + PacketBuilder.TagLength;
            count++;
            isAckEliciting |= _open.IsAckEliciting;
            hasHandshake |= level == EncryptionLevel.Handshake;

            // RFC 9000 §14.1, §8.2.1. A request for a port search is paid for in bytes.
            mustExpand |= level == EncryptionLevel.Initial && (_side == Side.Client || _open.IsAckEliciting);
            mustExpand |= MustExpand(_open.Frames.Frames);
        }

        if (!isOpen)
            return default;
        if (mustExpand)
            PacketBuilder.PadTo(datagram, _open, Math.Min(MtuDiscovery.BaseSize, datagram.Length));
        bool isOneRttOnly = count == 1 && _open.Level == EncryptionLevel.Application;
        return new BuiltDatagram(Seal(now, plan, datagram), isAckEliciting, hasHandshake, isOneRttOnly);
    }

    // Fills _next. False if the level has nothing to send now.
    private bool TryFill(
        Instant now, in SendPlan plan, Span<byte> datagram, int start, EncryptionLevel level, PacketNumberSpace space)
    {
        bool withData = plan.WithData || space.ProbesPending > 0;
        if (!IsAckDue(now, plan.Path, level, space) && space.ProbesPending == 0 && !(withData && _filler.HasData(level, plan.Path)))
            return false;
        ConnectionId destination = plan.Path.RemoteIds.Active;
        if (!_packets.TryBegin(datagram, start, level, space, destination, _next))
            return false;
        var writer = new WireWriter(datagram[_next.PayloadStart..^PacketBuilder.TagLength]);
        _filler.Fill(now, ref writer, _next, plan.Path, space, withData);
        _next.PayloadEnd += writer.Position;
        return _next.IsAckEliciting || _next.ContainsAck;
    }

    private bool IsAckDue(Instant now, Path path, EncryptionLevel level, PacketNumberSpace space) =>
        space.Acks.IsAckDue(now)
        || (level == EncryptionLevel.Application && path.CarriesControl && _filler.IsAckDueElsewhere(now, path));

    private BuiltDatagram BuildMtuProbe(Instant now, in SendPlan plan, Span<byte> datagram)
    {
        if (!TryBeginOneRtt(plan, datagram))
            return default;
        var writer = new WireWriter(datagram[_open.PayloadStart..^PacketBuilder.TagLength]);
        FrameFiller.WritePing(ref writer, _open.Frames);
        _open.IsAckEliciting = true;
        _open.PayloadEnd += writer.Position;
        PacketBuilder.PadTo(datagram, _open, datagram.Length);
        return new BuiltDatagram(Seal(now, plan, datagram), true, false, IsOneRttOnly: false);
    }

    private BuiltDatagram BuildOffPath(Instant now, in SendPlan plan, Span<byte> datagram)
    {
        if (!TryBeginOneRtt(plan, datagram))
            return default;
        var writer = new WireWriter(datagram[_open.PayloadStart..^PacketBuilder.TagLength]);
        _filler.WritePathValidation(ref writer, _open.Frames, plan.Path, plan.Network, plan.Address);
        if (_open.Frames.Count == 0)
            return default;
        if (plan.Network is null)
            _filler.WriteChallengeInAnswer(now, ref writer, _open.Frames, plan.Path, plan.Address);
        _open.IsAckEliciting = true;
        _open.PayloadEnd += writer.Position;

        // RFC 9000 §8.2.1, §8.2.2: expanded, as far as amplification allows, which has set the size.
        PacketBuilder.PadTo(datagram, _open, Math.Min(MtuDiscovery.BaseSize, datagram.Length));
        int length = _packets.Finish(datagram, _open, plan.Path, plan.Path.Space);
        _log.OnOffPathSent(now, plan, _open, length);
        return new BuiltDatagram(length, false, false, IsOneRttOnly: false);
    }

    private BuiltDatagram BuildOffPathProbe(Instant now, in SendPlan plan, Span<byte> datagram)
    {
        if (!TryBeginOneRtt(plan, datagram))
            return default;
        var writer = new WireWriter(datagram[_open.PayloadStart..^PacketBuilder.TagLength]);
        ulong challenge = _filler.WriteProbe(ref writer, _open.Frames, plan.Path);
        _open.IsAckEliciting = true;
        _open.PayloadEnd += writer.Position;
        int length = _packets.Finish(datagram, _open, plan.Path, plan.Path.Space);
        _log.OnOffPathSent(now, plan, _open, length);
        _punching.OnProbeSent(plan.Address, new SentProbe(challenge, now), length);
        return new BuiltDatagram(length, false, false, IsOneRttOnly: false);
    }

    private BuiltDatagram BuildClose(Instant now, in SendPlan plan, Span<byte> datagram, ConnectionState state)
    {
        int start = 0;
        bool hasInitial = false;
        for (EncryptionLevel level = EncryptionLevel.Initial; level <= EncryptionLevel.Application; level++)
        {
            // RFC 9000 §10.2.3: at every level the peer may have keys for; once the handshake is confirmed that is the last one.
            if (!_keys.Has(level) || (state.IsConfirmed && level != EncryptionLevel.Application)
                || _spaces.Find(level, plan.Path) is not { } space
                || !_packets.TryBegin(datagram, start, level, space, plan.Path.RemoteIds.Active, _open))
                continue;
            if (datagram.Length - _open.PayloadStart - PacketBuilder.TagLength < CloseLengthMin)
                break;
            WireWriter writer = new(datagram[_open.PayloadStart..^PacketBuilder.TagLength]);
            _filler.WriteAcks(now, ref writer, _open, plan.Path, space);
            FrameFiller.WriteClose(ref writer, level, state.CloseToSend!);
            _open.PayloadEnd += writer.Position;
            hasInitial |= level == EncryptionLevel.Initial;
            bool isLast = level == EncryptionLevel.Application || !HasLaterKeys(level);
            if (isLast && hasInitial && _side == Side.Client)
                PacketBuilder.PadTo(datagram, _open, Math.Min(MtuDiscovery.BaseSize, datagram.Length));
            start = _packets.Finish(datagram, _open, plan.Path, space);
            _log.OnCloseSent(now, plan, _open, start - _open.Start);
        }

        return new BuiltDatagram(start, false, false, IsOneRttOnly: false);
    }

    /// <summary>Room for a CONNECTION_CLOSE without a reason (26 bytes at most) behind a short ACK.</summary>
    private const int CloseLengthMin = 64;

    private bool HasLaterKeys(EncryptionLevel level) =>
        _keys.Has(EncryptionLevel.Application) || (level == EncryptionLevel.Initial && _keys.Has(EncryptionLevel.Handshake));

    private bool TryBeginOneRtt(in SendPlan plan, Span<byte> datagram) =>
        _packets.TryBegin(datagram, 0, EncryptionLevel.Application, plan.Path.Space, plan.Path.RemoteIds.Active, _open);

    private int Seal(Instant now, in SendPlan plan, Span<byte> datagram)
    {
        int end = _packets.Finish(datagram, _open, plan.Path, _spaces.Find(_open.Level, plan.Path)!);
        _log.OnSent(now, plan, _open, end - _open.Start);
        return end;
    }

    private static bool MustExpand(ReadOnlySpan<SentFrame> frames)
    {
        foreach (ref readonly SentFrame frame in frames)
        {
            if (frame.Kind is SentFrameKind.PathChallenge or SentFrameKind.PathResponse or SentFrameKind.PortSearch)
                return true;
        }

        return false;
    }
}
