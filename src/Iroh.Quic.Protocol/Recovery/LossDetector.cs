using System.Diagnostics;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Recovery;

/// <summary>
/// Loss detection of one path id over its packet number spaces (RFC 9002 §6, §A). The spaces survive a migration; the
/// <see cref="PathRecovery"/> given to each call is that of the 4-tuple in use, and packets sent on another do not touch it.
/// </summary>
internal sealed class LossDetector
{
    /// <summary>A packet is lost when one sent this many numbers later was acknowledged (<c>kPacketThreshold</c>, RFC 9002 §6.1.1).</summary>
    public const int PacketThreshold = 3;

    /// <summary>How many probe timeouts without any delivery are persistent congestion (RFC 9002 §7.6.1).</summary>
    public const int PersistentCongestionThreshold = 3;

    private readonly Side _side;
    private readonly PacketNumberSpace?[] _spaces = new PacketNumberSpace?[3];
    private bool _hasHandshakeKeys;
    private bool _isHandshakeConfirmed;
    private bool _hasHandshakeAcknowledgement;
    private Instant _lastEventAt = Instant.Never;

    /// <summary>For path 0, whose packets begin with the handshake.</summary>
    public LossDetector(Side side, PacketNumberSpace initial, PacketNumberSpace handshake, PacketNumberSpace application)
    {
        _side = side;
        _spaces[(int)EncryptionLevel.Initial] = initial;
        _spaces[(int)EncryptionLevel.Handshake] = handshake;
        _spaces[(int)EncryptionLevel.Application] = application;
    }

    /// <summary>For a path that is opened after the handshake was confirmed.</summary>
    public LossDetector(Side side, PacketNumberSpace application)
    {
        _side = side;
        _spaces[(int)EncryptionLevel.Application] = application;
        _hasHandshakeKeys = _isHandshakeConfirmed = true;
    }

    /// <summary>The backoff.</summary>
    public ProbeTimeout ProbeTimeout { get; } = new();

    /// <summary>The peer's max_ack_delay; the default until its transport parameters are known (RFC 9000 §18.2).</summary>
    public TimeSpan PeerMaxAckDelay { get; set; } = TimeSpan.FromMilliseconds(25);

    /// <summary>Handshake keys can be used: from now on an anti-deadlock probe is a Handshake packet (RFC 9002 §6.2.2.1).</summary>
    public void OnHandshakeKeysInstalled() => _hasHandshakeKeys = true;

    /// <summary>The handshake is confirmed (RFC 9001 §4.1.2): application data may be probed for.</summary>
    public void OnHandshakeConfirmed() => _isHandshakeConfirmed = true;

    /// <summary>
    /// The probe timeout of application data without backoff: what closing, draining and validation periods are multiples of
    /// (RFC 9000 §10.2, §8.2.4).
    /// </summary>
    public TimeSpan ProbeTimeoutPeriod(PathRecovery path) => path.Rtt.ProbeTimeoutBase + PeerMaxAckDelay;

    /// <summary>Records a packet that is being sent.</summary>
    /// <param name="level">Its space, whose keys are still there.</param>
    /// <param name="packet">Generation and ECN flag are those of <paramref name="path"/>.</param>
    /// <param name="frames">What it contained; copied.</param>
    /// <param name="path">The 4-tuple it leaves on.</param>
    public void OnPacketSent(EncryptionLevel level, in SentPacket packet, ReadOnlySpan<SentFrame> frames, PathRecovery path)
    {
        Debug.Assert(packet.PathGeneration == path.Generation, "The packet leaves on another 4-tuple.");
        PacketNumberSpace space = Space(level);
        space.Sent.Record(packet, frames);
        if (packet.IsEctMarked)
            path.Ecn.OnMarkedPacketSent();
        if (!packet.IsInFlight)
            return;

        path.Congestion.OnPacketSent(packet.Size);
        path.Pacer.OnPacketSent(packet.Size);
        _lastEventAt = packet.SentAt;
        if (packet.IsMtuProbe)
            path.Mtu.OnProbeSent();
        else if (packet.IsAckEliciting && space.ProbesPending > 0)
            space.ProbesPending--;
    }

    /// <summary>Takes an ACK frame into account (<c>OnAckReceived</c>, RFC 9002 §A.7).</summary>
    /// <param name="now">When it arrived.</param>
    /// <param name="level">The space that it acknowledges packets of.</param>
    /// <param name="ranges">Its ranges as in the frame: the largest numbers first, not empty, not overlapping.</param>
    /// <param name="ackDelay">The ACK Delay field decoded: how long the peer says it held the ACK back.</param>
    /// <param name="ecn">Its ECN counts, null if it is of the type without.</param>
    /// <param name="path">The 4-tuple in use.</param>
    /// <param name="outcome">Receives the frames that arrived and those that were lost.</param>
    /// <returns>PROTOCOL_VIOLATION if it acknowledges what was never sent.</returns>
    public TransportError? OnAckReceived(
        Instant now,
        EncryptionLevel level,
        ReadOnlySpan<PacketNumberRange> ranges,
        TimeSpan ackDelay,
        EcnCounts? ecn,
        PathRecovery path,
        RecoveryOutcome outcome)
    {
        outcome.Clear();
        PacketNumberSpace space = Space(level);
        if (space.CheckAcknowledged(ranges) is { } error)
            return error;

        bool isLargest = space.RaiseLargestAcknowledged(ranges[0].Last);
        Acknowledged acknowledged = AcknowledgeRanges(now, space, ranges, path, outcome);
        if (outcome.PacketsAcknowledged == 0)
            return null;

        _lastEventAt = now;
        _hasHandshakeAcknowledgement |= level == EncryptionLevel.Handshake;

        // §5.1: a sample only if the largest acknowledged is new and some ack-eliciting packet is; §9.4 of RFC 9000: of this path.
        if (acknowledged.Largest.Number == ranges[0].Last && acknowledged.HasAckEliciting && IsOf(path, acknowledged.Largest))
        {
            // §5.3: Initial packets are acknowledged without delay, and max_ack_delay binds the peer once the handshake is confirmed.
            TimeSpan delay = level == EncryptionLevel.Initial ? TimeSpan.Zero : ackDelay;
            TimeSpan delayMax = _isHandshakeConfirmed ? PeerMaxAckDelay : TimeSpan.MaxValue;
            path.Rtt.AddSample(now, now - acknowledged.Largest.SentAt, delay, delayMax);
            outcome.IsRttUpdated = true;
        }

        // RFC 9000 §13.4.2.1: only an ACK that raises the largest acknowledged number is validated.
        if (isLargest)
            ValidateEcn(now, space, ecn, acknowledged, path);
        DetectLost(now, space, path, outcome);
        path.Congestion.OnAckEnd(now, path.Rtt.Smoothed);

        // §6.2.1: a client keeps its backoff while the server may be blocked by the amplification limit.
        if (HasPeerCompletedAddressValidation)
            ProbeTimeout.Reset();
        return null;
    }

    /// <summary>
    /// When <see cref="OnTimeout"/> is to be called (<c>SetLossDetectionTimer</c>, RFC 9002 §A.8): ask after every input and
    /// everything sent. May lie in the past, after a datagram lifted the amplification limit.
    /// </summary>
    public Instant Deadline(PathRecovery path)
    {
        Instant lossTime = EarliestLossTime();
        if (lossTime != Instant.Never)
            return lossTime;

        // §6.2.2.1: nothing could be sent when it expired.
        return path.Amplification.IsExhausted ? Instant.Never : EarliestProbe(path).At;
    }

    /// <summary>Handles the timer (<c>OnLossDetectionTimeout</c>, RFC 9002 §A.9); nothing happens if it was called too early.</summary>
    /// <param name="now">The present.</param>
    /// <param name="path">The 4-tuple in use.</param>
    /// <param name="outcome">Receives the frames that were lost.</param>
    /// <returns>
    /// The level at which <see cref="PacketNumberSpace.ProbesPending"/> was raised: the owner fills those packets with new data,
    /// with what <see cref="SentPackets.CopyOldestFrames"/> names, or with a PING. Null if losses were detected instead.
    /// </returns>
    public EncryptionLevel? OnTimeout(Instant now, PathRecovery path, RecoveryOutcome outcome)
    {
        outcome.Clear();
        if (Deadline(path) > now)
            return null;
        if (EarliestLossTime() != Instant.Never)
        {
            foreach (PacketNumberSpace? space in _spaces)
            {
                if (space is not null && space.LossTime <= now)
                    DetectLost(now, space, path, outcome);
            }

            return null;
        }

        EncryptionLevel level = EarliestProbe(path).Level;
        _lastEventAt = now;
        ProbeTimeout.OnExpired();
        Space(level).ProbesPending = ProbeTimeout.Probes;

        // §6.2.4: other spaces with data in flight are probed along with it, in coalesced packets.
        foreach (PacketNumberSpace? space in _spaces)
        {
            if (space is { Sent.AckElicitingOutstanding: > 0, ProbesPending: 0 } && IsProbeAllowed(space))
                space.ProbesPending = 1;
        }

        return level;
    }

    /// <summary>Keys of a level are gone: its packets leave the count without a sign of congestion (RFC 9002 §6.4, §A.11).</summary>
    public void OnKeysDiscarded(Instant now, EncryptionLevel level, PathRecovery path)
    {
        Debug.Assert(level != EncryptionLevel.Application, "1-RTT packets have keys as long as there is a connection.");
        if (_spaces[(int)level] is not { } space)
            return;
        for (long position = space.Sent.First; position < space.Sent.End; position++)
            Discard(space.Sent, position, path);
        space.Sent.Clear();
        space.LossTime = Instant.Never;
        space.ProbesPending = 0;
        _spaces[(int)level] = null;
        _lastEventAt = now;
        ProbeTimeout.Reset();
    }

    /// <summary>
    /// Declares everything outstanding in a space lost without a sign of congestion: a client's Initial packets when a Retry
    /// arrives (RFC 9002 §6.3), or all packets of a path that is abandoned.
    /// </summary>
    public void DeclareAllLost(EncryptionLevel level, PathRecovery path, RecoveryOutcome outcome)
    {
        outcome.Clear();
        PacketNumberSpace space = Space(level);
        for (long position = space.Sent.First; position < space.Sent.End; position++)
        {
            if (!space.Sent.IsOutstanding(position))
                continue;
            Discard(space.Sent, position, path);
            ReportLost(space.Sent, position, outcome);
        }

        space.Sent.TrimFront();
        space.LossTime = Instant.Never;
        ProbeTimeout.Reset();
    }

    /// <summary>
    /// Takes up a 4-tuple that was in use before: what became of its packets meanwhile went unnoticed, so its bytes in flight
    /// are counted anew. Walks all outstanding packets.
    /// </summary>
    public void Resume(PathRecovery path)
    {
        long sum = 0;
        foreach (PacketNumberSpace? space in _spaces)
            sum += space?.Sent.SumBytesInFlight(path.Generation) ?? 0;
        path.Congestion.RestoreBytesInFlight(sum);
        path.Mtu.OnProbeForgotten();
    }

    /// <summary>RFC 9002 §A.8: clients prove themselves with their Handshake packets; a server shows by acknowledging those that it saw the proof.</summary>
    private bool HasPeerCompletedAddressValidation =>
        _side == Side.Server || _hasHandshakeAcknowledgement || _isHandshakeConfirmed;

    private static bool IsOf(PathRecovery path, in SentPacket packet) => packet.PathGeneration == path.Generation;

    private PacketNumberSpace Space(EncryptionLevel level) =>
        _spaces[(int)level] ?? throw new InvalidOperationException($"The keys of {level} were discarded.");

    private static Acknowledged AcknowledgeRanges(
        Instant now, PacketNumberSpace space, ReadOnlySpan<PacketNumberRange> ranges, PathRecovery path, RecoveryOutcome outcome)
    {
        SentPackets sent = space.Sent;
        Acknowledged result = default;
        int range = ranges.Length - 1;
        for (long position = sent.First; position < sent.End; position++)
        {
            ref readonly SentPacket packet = ref sent.At(position);
            while (range >= 0 && ranges[range].Last.Value < packet.Number.Value)
                range--;
            if (range < 0)
                break;
            if (packet.Number.Value < ranges[range].First.Value || !sent.IsOutstanding(position))
                continue;

            sent.MarkAcknowledged(position);
            sent.CopyFrames(position, outcome.Acknowledged);
            outcome.PacketsAcknowledged++;
            result.Largest = packet;
            result.HasAckEliciting |= packet.IsAckEliciting;
            if (packet.IsEctMarked)
                result.EctMarked++;
            if (!IsOf(path, packet))
                continue;

            result.IsOfPath = true;
            if (packet.IsInFlight)
                path.Congestion.OnPacketAcknowledged(packet.SentAt, packet.Size);
            if (!packet.IsMtuProbe)
                path.Mtu.OnPacketAcknowledged(packet.Size);
            else if (path.Mtu.OnProbeAcknowledged(now, packet.Size))
                OnMtuChanged(path, outcome);
        }

        return result;
    }

    private static void ValidateEcn(
        Instant now, PacketNumberSpace space, EcnCounts? ecn, in Acknowledged acknowledged, PathRecovery path)
    {
        EcnCounts previous = space.PeerEcnCounts;
        space.PeerEcnCounts = ecn ?? previous;

        // §7.1: more CE marks are a congestion event. What older packets of another 4-tuple met says nothing of this one.
        if (acknowledged.IsOfPath && path.Ecn.OnAck(ecn, previous, acknowledged.EctMarked, space.Sent.EctMarkedTotal))
            path.Congestion.OnCongestionEvent(now, acknowledged.Largest.SentAt);
    }

    /// <summary><c>DetectAndRemoveLostPackets</c> (RFC 9002 §A.10) and <c>OnPacketsLost</c> (§B.8).</summary>
    private void DetectLost(Instant now, PacketNumberSpace space, PathRecovery path, RecoveryOutcome outcome)
    {
        SentPackets sent = space.Sent;
        space.LossTime = Instant.Never;
        if (space.LargestAcknowledged is not { } largest)
            return;

        TimeSpan lossDelay = path.Rtt.LossDelay;
        LostPackets lost = new(path.Rtt.FirstSampleAt);
        for (long position = sent.First; position < sent.End; position++)
        {
            ref readonly SentPacket packet = ref sent.At(position);
            if (packet.Number.Value > largest.Value)
                break;
            if (!sent.IsOutstanding(position))
            {
                // §7.6.2: a packet that arrived in between ends a span of persistent congestion.
                if (sent.IsAcknowledged(position))
                    lost.EndSpan();
                continue;
            }

            Instant lostAt = packet.SentAt + lossDelay;
            if (lostAt > now && largest.Value < packet.Number.Value + PacketThreshold)
            {
                space.LossTime = Instant.Min(space.LossTime, lostAt);
                continue;
            }

            ReportLost(sent, position, outcome);
            if (IsOf(path, packet))
                OnLostOnPath(now, packet, path, ref lost);
        }

        sent.TrimFront();
        ConcludeLosses(now, lost, path, outcome);
    }

    private static void OnLostOnPath(Instant now, in SentPacket packet, PathRecovery path, ref LostPackets lost)
    {
        if (packet.IsEctMarked)
            path.Ecn.OnMarkedPacketLost();
        if (!packet.IsInFlight)
            return;
        path.Congestion.OnPacketLost(packet.Size);

        // RFC 9000 §14.4: the loss of an MTU probe is no sign of congestion.
        if (packet.IsMtuProbe)
            path.Mtu.OnProbeLost(now, packet.Size);
        else
            lost.Add(packet);
    }

    private void ConcludeLosses(Instant now, in LostPackets lost, PathRecovery path, RecoveryOutcome outcome)
    {
        if (!lost.IsAny)
            return;
        path.Congestion.OnCongestionEvent(now, lost.NewestSentAt);

        // §7.6.1, §7.6.2.
        if (lost.LongestSpan > ProbeTimeoutPeriod(path) * PersistentCongestionThreshold)
        {
            path.Congestion.OnPersistentCongestion();
            path.Rtt.OnPersistentCongestion();
            outcome.IsPersistentCongestion = true;
        }

        if (path.Mtu.OnPacketsLost(now, lost.SmallestSize))
            OnMtuChanged(path, outcome);
    }

    private static void OnMtuChanged(PathRecovery path, RecoveryOutcome outcome)
    {
        path.Congestion.SetMaxDatagramSize(path.Mtu.Current);
        outcome.IsMtuChanged = true;
    }

    private static void ReportLost(SentPackets sent, long position, RecoveryOutcome outcome)
    {
        sent.CopyFrames(position, outcome.Lost);

        // A probe to an address that no path uses says nothing about a path when nobody answers it.
        if (sent.At(position).PathGeneration >= 0)
        {
            outcome.PacketsLost++;
            outcome.BytesLost += sent.At(position).Size;
        }

        sent.MarkLost(position);
    }

    private static void Discard(SentPackets sent, long position, PathRecovery path)
    {
        ref readonly SentPacket packet = ref sent.At(position);
        if (!sent.IsOutstanding(position) || !packet.IsInFlight || !IsOf(path, packet))
            return;
        path.Congestion.OnPacketDiscarded(packet.Size);
        if (packet.IsMtuProbe)
            path.Mtu.OnProbeForgotten();
    }

    private Instant EarliestLossTime()
    {
        Instant earliest = Instant.Never;
        foreach (PacketNumberSpace? space in _spaces)
        {
            if (space is not null)
                earliest = Instant.Min(earliest, space.LossTime);
        }

        return earliest;
    }

    /// <summary><c>GetPtoTimeAndSpace</c> (RFC 9002 §A.8).</summary>
    private (Instant At, EncryptionLevel Level) EarliestProbe(PathRecovery path)
    {
        Instant earliest = Instant.Never;
        EncryptionLevel level = EncryptionLevel.Application;
        bool isAnyInFlight = false;
        foreach (PacketNumberSpace? space in _spaces)
        {
            if (space is null || space.Sent.AckElicitingOutstanding == 0)
                continue;
            isAnyInFlight = true;
            if (!IsProbeAllowed(space))
                continue;
            TimeSpan maxAckDelay = space.Level == EncryptionLevel.Application ? PeerMaxAckDelay : TimeSpan.Zero;
            Instant at = space.Sent.LastAckElicitingSentAt + ProbeTimeout.Interval(path.Rtt, maxAckDelay);
            if (at < earliest)
                (earliest, level) = (at, space.Level);
        }

        if (isAnyInFlight || HasPeerCompletedAddressValidation)
            return (earliest, level);

        // §6.2.2.1: with nothing in flight a client still probes, since the server may wait for more bytes before it can send.
        level = _hasHandshakeKeys ? EncryptionLevel.Handshake : EncryptionLevel.Initial;
        return (_lastEventAt + ProbeTimeout.Interval(path.Rtt, TimeSpan.Zero), level);
    }

    /// <summary>§6.2.1: no probe timeout for application data until the handshake is confirmed.</summary>
    private bool IsProbeAllowed(PacketNumberSpace space) => space.Level != EncryptionLevel.Application || _isHandshakeConfirmed;

    private struct Acknowledged
    {
        public SentPacket Largest;
        public bool HasAckEliciting;
        public bool IsOfPath;
        public ulong EctMarked;
    }

    /// <summary>The packets of one 4-tuple that were declared lost together, MTU probes apart.</summary>
    private struct LostPackets(Instant firstRttSampleAt)
    {
        private Instant _spanStart = Instant.Never;

        public Instant NewestSentAt = new(long.MinValue);
        public int SmallestSize = int.MaxValue;
        public TimeSpan LongestSpan;

        public readonly bool IsAny => SmallestSize != int.MaxValue;

        public void Add(in SentPacket packet)
        {
            NewestSentAt = Instant.Max(NewestSentAt, packet.SentAt);
            SmallestSize = Math.Min(SmallestSize, packet.Size);

            // §7.6.2: both ends of the span are ack-eliciting, and were sent after the first RTT sample.
            if (!packet.IsAckEliciting || packet.SentAt <= firstRttSampleAt)
                return;
            if (_spanStart == Instant.Never)
                _spanStart = packet.SentAt;
            TimeSpan span = packet.SentAt - _spanStart;
            if (span > LongestSpan)
                LongestSpan = span;
        }

        public void EndSpan() => _spanStart = Instant.Never;
    }
}
