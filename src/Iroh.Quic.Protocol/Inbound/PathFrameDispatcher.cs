using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Inbound;

/// <summary>Reads the frames that concern path ids and connection ids (draft-ietf-quic-multipath-21 §4, RFC 9000 §19.15, §19.16).</summary>
internal sealed class PathFrameDispatcher
{
    private readonly PathTable _paths;
    private readonly PathIdSupply _supply;
    private readonly PathClosing _closing;
    private readonly Acknowledgements _acknowledgements;
    private readonly ConnectionEvents _events;

    public PathFrameDispatcher(
        PathTable paths, PathIdSupply supply, PathClosing closing, Acknowledgements acknowledgements, ConnectionEvents events) =>
        (_paths, _supply, _closing, _acknowledgements, _events) = (paths, supply, closing, acknowledgements, events);

    /// <summary>Whether the type is one of draft-ietf-quic-multipath.</summary>
    public static bool Takes(ulong type) =>
        type is FrameType.PathAck or FrameType.PathAckEcn or (>= FrameType.PathAbandon and <= FrameType.PathCidsBlocked);

    /// <summary>Handles a frame of draft-ietf-quic-multipath.</summary>
    public TransportError? OnFrame(
        ref WireReader reader, ulong type, ulong keyGeneration, in PacketArrival arrival, ref PacketSummary summary)
    {
        if (!_supply.IsMultipath)
            return Violation(type, "Several paths were not negotiated.");
        switch (type)
        {
            case FrameType.PathAck or FrameType.PathAckEcn when PathAckFrame.TryRead(ref reader, type, out PathAckFrame ack):
                return OnAck(arrival, type, keyGeneration, ack);
            case FrameType.PathAbandon when PathAbandonFrame.TryRead(ref reader, type, out PathAbandonFrame abandon):
                _closing.OnAbandonFrame(arrival.Now, abandon);
                summary.HasNewPathIds = true;
                return null;
            case FrameType.PathStatusAvailable or FrameType.PathStatusBackup
                when PathStatusFrame.TryRead(ref reader, type, out PathStatusFrame status):
                OnStatus(status);
                return null;
            case FrameType.PathNewConnectionId when PathNewConnectionIdFrame.TryRead(ref reader, type, out PathNewConnectionIdFrame issued):
                return OnNewConnectionId(issued.Path, issued.Issued, ref summary);
            case FrameType.PathRetireConnectionId
                when PathRetireConnectionIdFrame.TryRead(ref reader, type, out PathRetireConnectionIdFrame retire):
                return OnRetire(retire.Path, retire.SequenceNumber, arrival, ref summary);
            case FrameType.MaxPathId when MaxPathIdFrame.TryRead(ref reader, type, out MaxPathIdFrame maximum):
                summary.HasNewPathIds |= _supply.OnMaxPathId(maximum.Maximum.Value);
                return null;
            case FrameType.PathsBlocked when PathsBlockedFrame.TryRead(ref reader, type, out PathsBlockedFrame blocked):
                return blocked.Limit.Value > _supply.LocalMax ? Violation(type, "PATHS_BLOCKED names a limit that was never given.") : null;
            case FrameType.PathCidsBlocked when PathCidsBlockedFrame.TryRead(ref reader, type, out PathCidsBlockedFrame blocked):
                return OnIdsBlocked(blocked);
            default:
                return new TransportError(TransportErrorCode.FrameEncodingError, type, $"A frame of type 0x{type:x} cannot be read.");
        }
    }

    /// <summary>The plain form of an ACK in a 1-RTT packet concerns path 0, on whatever path it came.</summary>
    public TransportError? OnPlainAck(in PacketArrival arrival, ulong keyGeneration, in AckFrame ack) =>
        _paths.TryFindPath(PathId.Zero, out Path? path)
            ? _acknowledgements.OnAckFrame(arrival.Now, EncryptionLevel.Application, path, keyGeneration, ack)
            : null;

    /// <summary>PATH_NEW_CONNECTION_ID, or the plain form for path 0.</summary>
    public TransportError? OnNewConnectionId(PathId id, in NewConnectionIdFrame issued, ref PacketSummary summary)
    {
        if (id.Value > _supply.LocalMax)
            return Violation(FrameType.PathNewConnectionId, "A connection id for a path beyond the limit.");

        // For a path that was given up it comes too late.
        if (_supply.EntryFor(id) is not { IsAbandoned: false } entry)
            return null;
        summary.HasNewPathIds = true;
        return entry.RemoteIds.OnNewConnectionId(issued, out _);
    }

    /// <summary>PATH_RETIRE_CONNECTION_ID, or the plain form for path 0.</summary>
    public TransportError? OnRetire(PathId id, ulong sequence, in PacketArrival arrival, ref PacketSummary summary)
    {
        if (id.Value > _supply.LocalMax)
            return Violation(FrameType.PathRetireConnectionId, "Retires a connection id of a path beyond the limit.");
        if (_supply.EntryFor(id) is not { } entry)
            return null;
        TransportError? error = entry.LocalIds.OnRetired(sequence, arrival.DestinationId, out ConnectionId? retired);
        if (retired is { } freed)
            _supply.Retire(freed);
        summary.HasRetiredIds |= retired is not null;
        return error;
    }

    private TransportError? OnAck(in PacketArrival arrival, ulong type, ulong keyGeneration, in PathAckFrame frame)
    {
        if (_paths.TryFindPath(frame.Path, out Path? path))
            return _acknowledgements.OnAckFrame(arrival.Now, EncryptionLevel.Application, path, keyGeneration, frame.Ack);
        return _supply.IsUsedUp(frame.Path) ? null : Violation(type, "Acknowledges packets of a path that was never used.");
    }

    private void OnStatus(in PathStatusFrame frame)
    {
        if (_paths.TryFindPath(frame.Path, out Path? path) && !path.IsAbandoned
            && path.SetPeerStatus(frame.IsBackup ? PathStatus.Backup : PathStatus.Available, frame.SequenceNumber))
            _events.Add(ConnectionEventKind.PeerPathStatus, path);
    }

    private TransportError? OnIdsBlocked(in PathCidsBlockedFrame frame)
    {
        if (frame.Path.Value > _supply.LocalMax)
            return Violation(FrameType.PathCidsBlocked, "PATH_CIDS_BLOCKED names a path beyond the limit.");
        return _paths.TryFind(frame.Path, out PathEntry? entry) && frame.NextSequenceNumber > entry.LocalIds.NextSequence
            ? Violation(FrameType.PathCidsBlocked, "PATH_CIDS_BLOCKED names a connection id beyond those issued.")
            : null;
    }

    private static TransportError Violation(ulong type, string reason) => new(TransportErrorCode.ProtocolViolation, type, reason);
}
