using Iroh.Quic.Protocol.Crypto;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;
using Iroh.Quic.Protocol.Streams;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Outbound;

/// <summary>Tells each room what became of the frames it had written (RFC 9000 §13.3).</summary>
internal sealed class SentFrameFates
{
    private readonly CryptoStreams _crypto;
    private readonly StreamTable _streams;
    private readonly PendingFrames _pending;
    private readonly PacketSpaces _spaces;
    private readonly PathTable _paths;
    private readonly PathFrames _pathFrames;
    private readonly HolePunching _punching;

    public SentFrameFates(
        CryptoStreams crypto,
        StreamTable streams,
        PendingFrames pending,
        PacketSpaces spaces,
        PathTable paths,
        PathFrames pathFrames,
        HolePunching punching)
    {
        _punching = punching;
        _paths = paths;
        _pathFrames = pathFrames;
        _crypto = crypto;
        _streams = streams;
        _pending = pending;
        _spaces = spaces;
    }

    /// <summary>The packets that held these frames, sent on this path, were acknowledged.</summary>
    public void OnAcknowledged(Path path, ReadOnlySpan<SentFrame> frames)
    {
        foreach (ref readonly SentFrame frame in frames)
        {
            switch (frame.Kind)
            {
                case SentFrameKind.Ack:
                    FindAcknowledged(frame, path)?.OnAckAcknowledged(new PacketNumber(frame.A));
                    break;
                case SentFrameKind.Crypto:
                    _crypto.OnFrameAcknowledged(frame);
                    break;
                case SentFrameKind.RetireConnectionId or SentFrameKind.PathAbandon:
                    _pathFrames.OnAcknowledged(frame);
                    break;
                case SentFrameKind.AddAddress or SentFrameKind.RemoveAddress:
                    _punching.OnFrameAcknowledged(frame);
                    break;
                case SentFrameKind.Stream or SentFrameKind.ResetStream or SentFrameKind.StopSending or SentFrameKind.MaxData
                    or SentFrameKind.MaxStreamData or SentFrameKind.MaxStreams or SentFrameKind.StreamsBlocked:
                    _streams.OnFrameAcknowledged(frame);
                    break;
            }
        }
    }

    /// <summary>The packets that held these frames were lost, or are repeated as a probe. What still matters is sent again.</summary>
    public void OnLost(Path path, ReadOnlySpan<SentFrame> frames)
    {
        foreach (ref readonly SentFrame frame in frames)
        {
            switch (frame.Kind)
            {
                case SentFrameKind.Crypto:
                    _crypto.OnFrameLost(frame);
                    break;
                case SentFrameKind.HandshakeDone:
                    _pending.HandshakeDone = true;
                    break;
                case SentFrameKind.NewConnectionId or SentFrameKind.RetireConnectionId
                    or (>= SentFrameKind.PathAbandon and <= SentFrameKind.PathCidsBlocked):
                    _pathFrames.OnLost(frame);
                    break;
                case SentFrameKind.AddAddress or SentFrameKind.RemoveAddress or SentFrameKind.ReachOut or SentFrameKind.NatMapping:
                    _punching.OnFrameLost(frame);
                    break;
                case SentFrameKind.ObservedAddress:
                    path.Observations.OnReportLost(frame.A);
                    break;
                case SentFrameKind.Stream or SentFrameKind.ResetStream or SentFrameKind.StopSending or SentFrameKind.MaxData
                    or SentFrameKind.MaxStreamData or SentFrameKind.MaxStreams or SentFrameKind.StreamsBlocked:
                    _streams.OnFrameLost(frame);
                    break;
            }
        }
    }

    // The ACK of a path's packets may have travelled on another path.
    private PacketNumberSpace? FindAcknowledged(in SentFrame frame, Path sentOn)
    {
        var level = (EncryptionLevel)frame.Id;
        if (level != EncryptionLevel.Application)
            return _spaces.Find(level, sentOn);
        return _paths.TryFindPath(new PathId((uint)frame.B), out Path? path) ? path.Space : null;
    }
}
