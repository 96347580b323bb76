using Iroh.Quic.Protocol.Codec;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.ConnectionIds;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Outbound;

/// <summary>
/// Frames about path ids and connection ids, which may go out on any path (draft-ietf-quic-multipath-21 §4): those of the limits and of
/// giving up are kept here, the others are asked from their rooms.
/// </summary>
internal sealed class PathFrames
{
    private readonly PathTable _paths;
    private readonly PathIdSupply _supply;
    private readonly PendingIdFrames _pendingFrames;
    private readonly List<(PathId Id, ulong Code, bool IsPending)> _abandonments = [];
    private readonly List<PathId> _idsBlocked = [];
    private bool _isPathsBlockedPending;

    public PathFrames(PathTable paths, PathIdSupply supply, PendingIdFrames pendingFrames)
    {
        _pendingFrames = pendingFrames;
        _paths = paths;
        _supply = supply;
    }

    /// <summary>Whether anything waits to be sent.</summary>
    public bool HasPending
    {
        get
        {
            if (_supply.IsLocalMaxPending || _isPathsBlockedPending || _idsBlocked.Count > 0)
                return true;
            if (!_pendingFrames.IsAny)
                return false;
            foreach (PathEntry entry in _paths.Entries)
            {
                if (entry.IsAbandoned ? IsAbandonPending(entry.Id) : HasPendingOf(entry))
                    return true;
            }

            return _pendingFrames.IsAny = false;
        }
    }

    /// <summary>A path was given up: PATH_ABANDON is sent, and again until the peer acknowledges it. Once for each path id.</summary>
    public void Abandon(PathId id, ulong code)
    {
        _abandonments.Add((id, code, true));
        _pendingFrames.IsAny = true;
    }

    /// <summary>This end's status of a path has changed.</summary>
    public void ReportStatus(Path path)
    {
        path.StatusSequence++;
        path.IsStatusPending = true;
        _pendingFrames.IsAny = true;
    }

    /// <summary>The path id is forgotten.</summary>
    public void Forget(PathId id)
    {
        for (int i = _abandonments.Count - 1; i >= 0; i--)
        {
            if (_abandonments[i].Id == id)
                _abandonments.RemoveAt(i);
        }

        _idsBlocked.Remove(id);
    }

    /// <summary>The peer's limit on path ids is in the way.</summary>
    public void ReportPathsBlocked() => _isPathsBlockedPending = true;

    /// <summary>The peer has issued no connection id for the path id. At most once for each.</summary>
    public void ReportIdsBlocked(PathId id)
    {
        if (!_idsBlocked.Contains(id))
            _idsBlocked.Add(id);
    }

    /// <summary>Writes what waits and fits.</summary>
    public void Write(ref WireWriter writer, SentFrameList frames)
    {
        if (!HasPending)
            return;
        if (_supply.IsMultipath)
            WriteLimits(ref writer, frames);
        foreach (PathEntry entry in _paths.Entries)
        {
            if (entry.IsAbandoned)
                WriteAbandon(ref writer, frames, entry.Id);
            else
                WriteOf(ref writer, frames, entry);
        }
    }

    /// <summary>A frame of this room arrived.</summary>
    public void OnAcknowledged(in SentFrame frame)
    {
        switch (frame.Kind)
        {
            case SentFrameKind.PathAbandon when _paths.TryFind(frame.PathId, out PathEntry? entry) && entry.Path is { } path:
                path.IsAbandonAcknowledged = true;
                break;
            case SentFrameKind.RetireConnectionId when _paths.TryFind(frame.PathId, out PathEntry? entry):
                entry.RemoteIds.OnRetirementAcknowledged(frame.A);
                break;
        }
    }

    /// <summary>A frame of this room was lost: it is sent again if it still matters, with what is true now.</summary>
    public void OnLost(in SentFrame frame)
    {
        switch (frame.Kind)
        {
            case SentFrameKind.MaxPathId:
                _supply.IsLocalMaxPending |= frame.A == _supply.LocalMax;
                return;
            case SentFrameKind.PathsBlocked:
                _isPathsBlockedPending |= frame.A == _supply.Max;
                return;
        }

        if (!_paths.TryFind(frame.PathId, out PathEntry? entry))
            return;
        switch (frame.Kind)
        {
            case SentFrameKind.PathAbandon:
                SetAbandonPending(frame.PathId);
                break;
            case SentFrameKind.PathStatus when entry.Path is { } path:
                path.IsStatusPending |= frame.A == path.StatusSequence;
                _pendingFrames.IsAny = true;
                break;
            case SentFrameKind.PathCidsBlocked when !entry.RemoteIds.HasActive:
                ReportIdsBlocked(frame.PathId);
                break;
            case SentFrameKind.NewConnectionId:
                entry.LocalIds.OnAnnouncementLost(frame.A);
                break;
            case SentFrameKind.RetireConnectionId:
                entry.RemoteIds.OnRetirementLost(frame.A);
                break;
        }
    }

    private static bool HasPendingOf(PathEntry entry) =>
        entry.Path is { IsStatusPending: true } || entry.RemoteIds.HasPendingRetirement || entry.LocalIds.HasPendingAnnouncement;

    private void WriteLimits(ref WireWriter writer, SentFrameList frames)
    {
        var maxPathId = new MaxPathIdFrame(new PathId(_supply.LocalMax));
        if (_supply.IsLocalMaxPending && writer.Remaining >= maxPathId.EncodedLength)
        {
            maxPathId.Write(ref writer);
            _supply.IsLocalMaxPending = false;
            frames.Add(new SentFrame(SentFrameKind.MaxPathId, false, 0, _supply.LocalMax, 0));
        }

        var pathsBlocked = new PathsBlockedFrame(new PathId(_supply.Max));
        if (_isPathsBlockedPending && writer.Remaining >= pathsBlocked.EncodedLength)
        {
            pathsBlocked.Write(ref writer);
            _isPathsBlockedPending = false;
            frames.Add(new SentFrame(SentFrameKind.PathsBlocked, false, 0, _supply.Max, 0));
        }

        while (_idsBlocked.Count > 0)
        {
            PathId id = _idsBlocked[^1];
            ulong next = _paths.TryFind(id, out PathEntry? entry) ? entry.RemoteIds.ActiveSequence : 0;
            var idsBlocked = new PathCidsBlockedFrame(id, next);
            if (writer.Remaining < idsBlocked.EncodedLength)
                return;
            idsBlocked.Write(ref writer);
            _idsBlocked.RemoveAt(_idsBlocked.Count - 1);
            frames.Add(new SentFrame(SentFrameKind.PathCidsBlocked, false, id.Value, next, 0));
        }
    }

    private void WriteOf(ref WireWriter writer, SentFrameList frames, PathEntry entry)
    {
        if (entry.Path is { IsStatusPending: true } path)
            WriteStatus(ref writer, frames, path);
        while (entry.RemoteIds.TryGetRetirement(out RetireConnectionIdFrame retirement))
        {
            var onPath = new PathRetireConnectionIdFrame(entry.Id, retirement.SequenceNumber);
            if (writer.Remaining < (_supply.IsMultipath ? onPath.EncodedLength : retirement.EncodedLength))
                break;
            if (_supply.IsMultipath)
                onPath.Write(ref writer);
            else
                retirement.Write(ref writer);
            entry.RemoteIds.OnRetirementSent(retirement.SequenceNumber);
            frames.Add(new SentFrame(SentFrameKind.RetireConnectionId, false, entry.Id.Value, retirement.SequenceNumber, 0));
        }

        while (entry.LocalIds.TryGetAnnouncement(out NewConnectionIdFrame issued))
        {
            var onPath = new PathNewConnectionIdFrame(entry.Id, issued);
            if (writer.Remaining < (_supply.IsMultipath ? onPath.EncodedLength : issued.EncodedLength))
                break;
            if (_supply.IsMultipath)
                onPath.Write(ref writer);
            else
                issued.Write(ref writer);
            entry.LocalIds.OnAnnouncementSent(issued.SequenceNumber);
            frames.Add(new SentFrame(SentFrameKind.NewConnectionId, false, entry.Id.Value, issued.SequenceNumber, 0));
        }
    }

    private static void WriteStatus(ref WireWriter writer, SentFrameList frames, Path path)
    {
        var status = new PathStatusFrame(path.Id, path.StatusSequence, path.Status == PathStatus.Backup);
        if (writer.Remaining < status.EncodedLength)
            return;
        status.Write(ref writer);
        path.IsStatusPending = false;
        frames.Add(new SentFrame(SentFrameKind.PathStatus, false, path.Id.Value, path.StatusSequence, 0));
    }

    private void WriteAbandon(ref WireWriter writer, SentFrameList frames, PathId id)
    {
        for (int i = 0; i < _abandonments.Count; i++)
        {
            (PathId abandoned, ulong code, bool isPending) = _abandonments[i];
            var frame = new PathAbandonFrame(abandoned, code);
            if (abandoned != id || !isPending || writer.Remaining < frame.EncodedLength)
                continue;
            frame.Write(ref writer);
            _abandonments[i] = (id, code, false);
            frames.Add(new SentFrame(SentFrameKind.PathAbandon, false, id.Value, code, 0));
        }
    }

    private bool IsAbandonPending(PathId id)
    {
        foreach ((PathId abandoned, _, bool isPending) in _abandonments)
        {
            if (abandoned == id && isPending)
                return true;
        }

        return false;
    }

    private void SetAbandonPending(PathId id)
    {
        for (int i = 0; i < _abandonments.Count; i++)
        {
            if (_abandonments[i].Id == id)
                _abandonments[i] = _abandonments[i] with { IsPending = true };
        }

        _pendingFrames.IsAny = true;
    }
}
