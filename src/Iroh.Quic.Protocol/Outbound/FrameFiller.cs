using Iroh.Cryptography;
using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Datagrams;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Quic.Protocol.Streams;
using Iroh.Quic.Protocol.TransportParameters;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Outbound;

/// <summary>
/// Fills a packet with what the rooms have to say, always in the same order: ACK, CRYPTO, control frames, datagrams, streams. The order
/// is that of how much the peer waits for it.
/// </summary>
internal sealed class FrameFiller
{
    private readonly CryptoStreams _crypto;
    private readonly StreamTable _streams;
    private readonly DatagramQueue _datagrams;
    private readonly PendingFrames _pending;
    private readonly ObservedAddresses _observed;
    private readonly PathTable _paths;
    private readonly PathIdSupply _supply;
    private readonly PathFrames _pathFrames;
    private readonly HolePunching _punching;
    private readonly RandomSource _random;

    public FrameFiller(
        CryptoStreams crypto,
        StreamTable streams,
        DatagramQueue datagrams,
        PendingFrames pending,
        ObservedAddresses observed,
        PathTable paths,
        PathIdSupply supply,
        PathFrames pathFrames,
        HolePunching punching,
        RandomSource random)
    {
        (_paths, _supply, _pathFrames, _punching) = (paths, supply, pathFrames, punching);
        _crypto = crypto;
        _streams = streams;
        _datagrams = datagrams;
        _pending = pending;
        _observed = observed;
        _random = random;
    }

    /// <summary>Whether anything but acknowledgements waits at this level, on this path.</summary>
    public bool HasData(EncryptionLevel level, Path path)
    {
        if (level != EncryptionLevel.Application)
            return _crypto.HasDataToSend(level);
        return (path.CarriesData && (_streams.HasPendingFrames || HasDatagram(path)))
            || (path.CarriesControl && HasSharedControl())
            || HasControl(path);
    }

    /// <summary>Bytes of frames that a full 1-RTT packet on the path has room for, whatever its packet number.</summary>
    public static int PacketSpace(Path path) => path.Current.Recovery.Mtu.Current
        - ShortHeader.EncodedLength(path.RemoteIds.Active.Length, PacketNumberCodec.LengthMax) - PacketBuilder.TagLength;

    /// <summary>Writes what waits at the level.</summary>
    /// <param name="now">The time of sending.</param>
    /// <param name="writer">The packet's payload, empty; ends where the payload must end.</param>
    /// <param name="packet">Gets what was written.</param>
    /// <param name="path">The path the packet goes out on.</param>
    /// <param name="space">Its packet number space.</param>
    /// <param name="withData">Whether congestion control allows more than acknowledgements.</param>
    public void Fill(Instant now, ref WireWriter writer, OpenPacket packet, Path path, PacketNumberSpace space, bool withData)
    {
        WriteAcks(now, ref writer, packet, path, space);
        if (!withData)
            return;
        int before = packet.Frames.Count;
        if (packet.Level != EncryptionLevel.Application)
        {
            _crypto.WriteFrames(packet.Level, ref writer, packet.Frames);
        }
        else
        {
            WriteControl(ref writer, packet.Frames, path);
            int ofPath = packet.Frames.Count;
            WriteShared(ref writer, packet, path);
            packet.HoldsData = packet.Frames.Count > ofPath;
        }

        // RFC 9002 §6.2.4: a probe is ack-eliciting; what it repeats was queued before, and if there was nothing, PING will do.
        if (packet.Frames.Count == before && (space.ProbesPending > 0 || (path.WantsPing && packet.Level == EncryptionLevel.Application)))
            WritePing(ref writer, packet.Frames);
        packet.IsAckEliciting = packet.Frames.Count > before;
        if (packet.IsAckEliciting && packet.Level == EncryptionLevel.Application)
            path.WantsPing = false;
    }

    /// <summary>Writes PING: the content of an MTU probe.</summary>
    public static void WritePing(ref WireWriter writer, SentFrameList frames)
    {
        if (writer.Remaining < 1)
            return;
        writer.WriteVarInt(FrameType.Ping);
        frames.Add(new SentFrame(SentFrameKind.Ping, false, 0, 0, 0));
    }

    /// <summary>Whether a path other than this one waits for an ACK that cannot leave there.</summary>
    public bool IsAckDueElsewhere(Instant now, Path than)
    {
        for (int i = 0; i < _paths.Count; i++)
        {
            if (_paths[i] != than && _paths[i].IsMute && _paths[i].Space.Acks.IsAckDue(now))
                return true;
        }

        return false;
    }

    /// <summary>
    /// Writes an ACK of everything received, if there is anything that is not yet acknowledged; with those of paths that cannot send
    /// theirs, unless this one cannot be relied on itself.
    /// </summary>
    public void WriteAcks(Instant now, ref WireWriter writer, OpenPacket packet, Path path, PacketNumberSpace space)
    {
        if (packet.Level != EncryptionLevel.Application || _paths.Count == 1)
        {
            WriteAck(now, ref writer, packet, path, space);
            return;
        }

        if (path.CarriesControl || !path.IsMute)
            WriteAck(now, ref writer, packet, path, space);
        for (int i = 0; i < _paths.Count && path.CarriesControl; i++)
        {
            if (_paths[i] != path && _paths[i].IsMute)
                WriteAck(now, ref writer, packet, _paths[i], _paths[i].Space);
        }
    }

    private void WriteAck(Instant now, ref WireWriter writer, OpenPacket packet, Path path, PacketNumberSpace space)
    {
        ReceivedPackets received = space.Received;
        if ((!space.Acks.ShouldBundle && !space.Acks.IsAckDue(now)) || received.Ranges.IsEmpty)
            return;
        ReadOnlySpan<PacketNumberRange> ranges = received.Ranges;
        EcnCounts counts = received.EcnCounts;
        ulong delay = AckFrame.EncodeDelay(now - received.LargestReceivedAt, TransportParameterSet.DefaultAckDelayExponent);
        EcnCounts? ecn = counts == default ? null : counts;
        bool isOfPath = packet.Level == EncryptionLevel.Application && _supply.IsMultipath;
        if (!(isOfPath
            ? PathAckFrame.TryWrite(ref writer, path.Id, ranges, delay, ecn, out _)
            : AckFrame.TryWrite(ref writer, ranges, delay, ecn, out _)))
            return;
        space.Acks.OnAckSent();
        packet.ContainsAck = true;
        packet.Frames.Add(new SentFrame(SentFrameKind.Ack, false, (ulong)packet.Level, ranges[0].Last.Value, path.Id.Value));
    }

    /// <summary>Writes CONNECTION_CLOSE as the level allows it, its reason cut to what fits.</summary>
    public static void WriteClose(ref WireWriter writer, EncryptionLevel level, CloseReason reason)
    {
        bool isApplication = reason.Cause == CloseCause.LocalApplication;
        ConnectionCloseFrame frame;
        if (!isApplication)
            frame = ConnectionCloseFrame.Transport(reason.Code, reason.FrameType, reason.Reason.Span);
        else if (level == EncryptionLevel.Application)
            frame = ConnectionCloseFrame.Application(reason.Code, reason.Reason.Span);
        else
            frame = ConnectionCloseFrame.Transport(TransportErrorCode.ApplicationError, 0, default); // RFC 9000 §10.2.3: tells nothing of the application
        frame.TruncateTo(writer.Remaining).Write(ref writer);
    }

    /// <summary>Writes PATH_RESPONSE and PATH_CHALLENGE for a 4-tuple, as far as they are owed there (RFC 9000 §8.2).</summary>
    public void WritePathValidation(ref WireWriter writer, SentFrameList frames, Path path, NetworkPath? network, FourTuple address)
    {
        if (writer.Remaining >= PathFrameLength && path.Responses.TryTake(address, out ulong response))
        {
            new PathResponseFrame(response).Write(ref writer);
            frames.Add(new SentFrame(SentFrameKind.PathResponse, false, path.Id.Value, 0, 0));
        }

        if (network is null || !network.Validator.WantsChallenge || writer.Remaining < PathFrameLength)
            return;
        ulong challenge = _random.NextUInt64();
        new PathChallengeFrame(challenge).Write(ref writer);
        network.Validator.OnChallengeSent(challenge, isExpanded: network.Recovery.Amplification.Budget >= MtuDiscovery.BaseSize);
        frames.Add(new SentFrame(SentFrameKind.PathChallenge, false, path.Id.Value, 0, 0));
    }

    /// <summary>Writes the PATH_CHALLENGE of a probe that NAT traversal owes.</summary>
    /// <returns>Its data.</returns>
    public ulong WriteProbe(ref WireWriter writer, SentFrameList frames, Path path)
    {
        ulong challenge = _random.NextUInt64();
        new PathChallengeFrame(challenge).Write(ref writer);
        frames.Add(new SentFrame(SentFrameKind.PathChallenge, false, path.Id.Value, 0, 0));
        return challenge;
    }

    /// <summary>Adds a challenge to the answer that goes to where a probe came from, if this end may open a path there.</summary>
    public void WriteChallengeInAnswer(Instant now, ref WireWriter writer, SentFrameList frames, Path path, FourTuple address)
    {
        if (_punching.WantsChallengeInAnswer && writer.Remaining >= PathFrameLength && !_paths.HasValidated(address))
            _punching.OnChallengeInAnswerSent(address, new SentProbe(WriteProbe(ref writer, frames, path), now));
    }

    private const int PathFrameLength = 9;

    // What concerns this path alone.
    private bool HasControl(Path path) =>
        !path.IsAbandoned
        && (path.WantsPing || path.Current.Validator.WantsChallenge || path.Responses.IsOwedOn(path.Current.Address)
            || _observed.IsReportOwed(path.Observations, path.Current.Address.Remote));

    // What may go out on any path.
    private bool HasSharedControl() =>
        _pending.HandshakeDone || _crypto.HasDataToSend(EncryptionLevel.Application) || _pathFrames.HasPending || _punching.HasFrames;

    private void WriteControl(ref WireWriter writer, SentFrameList frames, Path path)
    {
        if (path.IsAbandoned)
            return;
        WritePathValidation(ref writer, frames, path, path.Current, path.Current.Address);
        WriteReport(ref writer, frames, path);
    }

    private void WriteShared(ref WireWriter writer, OpenPacket packet, Path path)
    {
        if (path.CarriesControl)
        {
            _crypto.WriteFrames(EncryptionLevel.Application, ref writer, packet.Frames);
            if (_pending.HandshakeDone && writer.Remaining >= 1)
            {
                writer.WriteVarInt(FrameType.HandshakeDone);
                _pending.HandshakeDone = false;
                packet.Frames.Add(new SentFrame(SentFrameKind.HandshakeDone, false, 0, 0, 0));
            }

            _pathFrames.Write(ref writer, packet.Frames);
            _punching.WriteFrames(ref writer, packet.Frames);
        }

        if (!path.CarriesData)
            return;
        _datagrams.WriteFrames(ref writer, LargestPacketSpace(), packet.Frames);
        _streams.WriteFrames(ref writer, packet.Frames);
    }

    private bool HasDatagram(Path path) =>
        _datagrams.HasPendingFrames
        && (_paths.Count == 1 || _datagrams.NextFrameLength <= PacketSpace(path) || _datagrams.NextFrameLength > LargestPacketSpace());

    // A datagram that is too large for this path may still fit another that carries data.
    private int LargestPacketSpace()
    {
        int largest = 0;
        for (int i = 0; i < _paths.Count; i++)
        {
            if (_paths[i].CarriesData)
                largest = Math.Max(largest, PacketSpace(_paths[i]));
        }

        return largest;
    }

    private void WriteReport(ref WireWriter writer, SentFrameList frames, Path path)
    {
        if (!_observed.TryGetReport(path.Observations, path.Current.Address.Remote, out ObservedAddressFrame report)
            || writer.Remaining < report.EncodedLength)
            return;
        report.Write(ref writer);
        _observed.OnReportSent(path.Observations, report);
        frames.Add(new SentFrame(SentFrameKind.ObservedAddress, false, path.Id.Value, report.SequenceNumber, 0));
    }
}
