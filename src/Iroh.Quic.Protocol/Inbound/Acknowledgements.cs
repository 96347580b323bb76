using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Outbound;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Recovery;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Quic.Protocol.TransportParameters;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Inbound;

/// <summary>Gives ACK frames and expired loss timers to recovery, and its verdicts to the rooms whose frames are concerned.</summary>
internal sealed class Acknowledgements
{
    /// <summary>
    /// Ranges of one ACK frame that are looked at. Peers send some dozens; the lowest of a longer list are reported again or found lost.
    /// </summary>
    private const int RangesMax = 256;

    private readonly ConnectionKeys _keys;
    private readonly PathTable _paths;
    private readonly PacketSpaces _spaces;
    private readonly FrameFiller _filler;
    private readonly SentFrameFates _fates;
    private readonly TraceSink? _trace;
    private readonly RecoveryOutcome _outcome = new();
    private readonly SentFrameList _repeated = new();
    private readonly PacketNumberRange[] _ranges = new PacketNumberRange[RangesMax];

    public Acknowledgements(
        ConnectionKeys keys, PathTable paths, PacketSpaces spaces, FrameFiller filler, SentFrameFates fates, TraceSink? trace)
    {
        _paths = paths;
        _keys = keys;
        _spaces = spaces;
        _filler = filler;
        _fates = fates;
        _trace = trace;
    }

    /// <summary>The peer's ack_delay_exponent, 0 to 20.</summary>
    public int PeerAckDelayExponent { get; set; } = TransportParameterSet.DefaultAckDelayExponent;

    /// <summary>Packets declared lost so far.</summary>
    public ulong PacketsLost { get; private set; }

    /// <summary>Their bytes.</summary>
    public ulong BytesLost { get; private set; }

    /// <summary>How often the probe timer has expired.</summary>
    public ulong ProbeTimeouts { get; private set; }

    /// <summary>An ACK frame arrived.</summary>
    /// <param name="now">When.</param>
    /// <param name="level">The level of its packet, and of those it acknowledges.</param>
    /// <param name="path">The path whose packets it acknowledges.</param>
    /// <param name="keyGeneration">The key generation of its packet.</param>
    /// <param name="frame">The frame.</param>
    public TransportError? OnAckFrame(Instant now, EncryptionLevel level, Path path, ulong keyGeneration, in AckFrame frame)
    {
        int count = 0;
        foreach (PacketNumberRange range in frame)
        {
            _ranges[count++] = range;
            if (count == RangesMax)
                break;
        }

        TimeSpan delay = frame.Delay(
            level == EncryptionLevel.Application ? PeerAckDelayExponent : TransportParameterSet.DefaultAckDelayExponent);
        if (path.Loss.OnAckReceived(
            now, level, _ranges.AsSpan(0, count), delay, frame.Ecn, path.Current.Recovery, _outcome) is { } error)
            return error;
        Conclude(now, path);
        if (_outcome.PacketsAcknowledged > 0)
            (path.LastAnsweredAt, path.HasAnswered) = (now, true);
        if (level != EncryptionLevel.Application)
            return null;
        return _keys.Application!.OnAckReceived(
            frame.LargestAcknowledged, keyGeneration, path.KeyPhaseWindow, now, _paths.LongestProbeTimeout * 3);
    }

    /// <summary>The loss timer of a path has expired.</summary>
    public void OnLossTimeout(Instant now, Path path)
    {
        EncryptionLevel? probe = path.Loss.OnTimeout(now, path.Current.Recovery, _outcome);
        Conclude(now, path);
        if (probe is null)
            return;
        ProbeTimeouts++;

        // RFC 9002 §6.2.4: a probe carries new data if there is some, otherwise what has been waiting longest for its acknowledgement.
        for (EncryptionLevel level = EncryptionLevel.Initial; level <= EncryptionLevel.Application; level++)
        {
            if (!_keys.Has(level) || _spaces.Find(level, path) is not { ProbesPending: > 0 } space || _filler.HasData(level, path))
                continue;
            _repeated.Clear();
            space.Sent.CopyOldestFrames(space.ProbesPending, _repeated);
            _fates.OnLost(path, _repeated.Frames);
        }
    }

    /// <summary>A Retry arrived: all Initial packets are to be sent again (RFC 9002 §6.3).</summary>
    public void OnRetry(Path path)
    {
        path.Loss.DeclareAllLost(EncryptionLevel.Initial, path.Current.Recovery, _outcome);
        _fates.OnLost(path, _outcome.Lost.Frames);
    }

    /// <summary>
    /// What is in flight on a path will not be waited for, since the path was given up or went silent: it is sent again, on whatever path
    /// carries data then. The peer may still have got it.
    /// </summary>
    public void DeclareAllLost(Instant now, Path path)
    {
        path.Loss.DeclareAllLost(EncryptionLevel.Application, path.Current.Recovery, _outcome);
        Conclude(now, path);
    }

    private void Conclude(Instant now, Path path)
    {
        _fates.OnAcknowledged(path, _outcome.Acknowledged.Frames);
        if (_outcome.PacketsLost == 0)
            return;
        PacketsLost += (ulong)_outcome.PacketsLost;
        BytesLost += (ulong)_outcome.BytesLost;
        path.PacketsLost += (ulong)_outcome.PacketsLost;
        path.BytesLost += (ulong)_outcome.BytesLost;
        _trace?.PacketsLost(now, path.Id, _outcome.PacketsLost, _outcome.BytesLost);
        _fates.OnLost(path, _outcome.Lost.Frames);
    }
}
