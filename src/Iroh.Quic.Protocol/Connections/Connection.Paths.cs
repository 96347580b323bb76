using System.Diagnostics.CodeAnalysis;
using Iroh.Quic.Protocol.Outbound;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Timers;

namespace Iroh.Quic.Protocol.Connections;

/// <content>The paths of the connection (draft-ietf-quic-multipath-21): commands, questions, and their timers.</content>
public sealed partial class Connection
{
    /// <summary>Whether both ends know several paths, and the handshake is complete.</summary>
    public bool IsMultipath => _pathIds.IsMultipath;

    /// <summary>Number of paths that no end has given up.</summary>
    public int PathCount => _paths.OpenCount;

    private Path PathInUse
    {
        get
        {
            DataPaths.Choose(_paths);
            return _paths.InUse;
        }
    }

    /// <summary>
    /// Opens a path. It carries data once it is validated: <see cref="ConnectionEventKind.PathOpened"/> follows, or
    /// <see cref="ConnectionEventKind.PathClosed"/> after some seconds without an answer. Only a client opens paths.
    /// </summary>
    /// <param name="now">The present.</param>
    /// <param name="address">Where to; the local address may be unspecified.</param>
    /// <param name="status">How this end is going to use it. The peer is told only when it changes.</param>
    /// <param name="id">The new path, or the one that there is with these addresses.</param>
    public PathOpenResult TryOpenPath(Instant now, FourTuple address, PathStatus status, out PathId id)
    {
        PathOpenResult result = _opening.TryOpen(now, address, status, out id);
        UpdateTimers(now);
        return result;
    }

    /// <summary>Gives a path up. What was in flight there is sent again on the others.</summary>
    /// <param name="now">The present.</param>
    /// <param name="id">The path.</param>
    /// <param name="errorCode">Told to the peer; see <see cref="PathErrorCode"/>. At most 2^62-1.</param>
    /// <returns>False if there is no such path, or none would be left that was validated.</returns>
    public bool ClosePath(Instant now, PathId id, ulong errorCode)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(errorCode, Codec.VarInt.Max);
        if (!_state.IsOpen || !TryFindOpen(id, out Path? path) || !HasOtherOpened(path))
            return false;
        _closing.Abandon(now, path, errorCode);
        UpdateTimers(now);
        return true;
    }

    /// <summary>Decides how this end uses a path, and tells the peer. Does nothing if there is no such path.</summary>
    public void SetPathStatus(Instant now, PathId id, PathStatus status)
    {
        if (!IsMultipath || !TryFindOpen(id, out Path? path) || (path.Status == status && path.StatusSequence > 0))
            return;
        path.Status = status;
        _pathFrames.ReportStatus(path);
        UpdateTimers(now);
    }

    /// <summary>Describes a path that no end has given up.</summary>
    public bool TryGetPath(PathId id, out PathSnapshot snapshot)
    {
        snapshot = default;
        if (!TryFindOpen(id, out Path? path))
            return false;
        DataPaths.Choose(_paths);
        snapshot = path.Snapshot();
        return true;
    }

    /// <summary>Describes the paths that no end has given up, in the order of their ids.</summary>
    /// <param name="destination">Takes as many as it has room for; see <see cref="PathCount"/>.</param>
    /// <returns>How many were written.</returns>
    public int CopyPaths(Span<PathSnapshot> destination)
    {
        DataPaths.Choose(_paths);
        int count = 0;
        for (int i = 0; i < _paths.Count && count < destination.Length; i++)
        {
            if (!_paths[i].IsAbandoned)
                destination[count++] = _paths[i].Snapshot();
        }

        return count;
    }

    /// <summary>
    /// The host's network has changed. Every path is asked whether it still works; a client replaces those that cannot, with the same
    /// remote address and a local one that the network chooses.
    /// </summary>
    /// <param name="now">The present.</param>
    /// <param name="recoverable">Whether a path with these addresses can still work, because its local address is still there.</param>
    public void OnNetworkChange(Instant now, Func<FourTuple, bool> recoverable)
    {
        ArgumentNullException.ThrowIfNull(recoverable);
        if (!_state.IsOpen || !_state.IsHandshakeComplete)
            return;
        for (int i = _paths.Count - 1; i >= 0; i--)
        {
            Path path = _paths[i];
            if (path.IsAbandoned)
                continue;
            bool isLost = !recoverable(path.Current.Address);
            if (isLost && TryReplace(now, path))
                continue;
            if (isLost)
                path.Current.ForgetLocal();
            path.WantsPing = true;
            path.Loss.ProbeTimeout.Reset();
            if (path.IsOpened && IsMultipath)
                PathMovement.Ask(now, path);
        }

        UpdateTimers(now);
    }

    private bool TryReplace(Instant now, Path path)
    {
        if (Side != Side.Client || !IsMultipath)
            return false;
        var address = new FourTuple(default, path.Current.Address.Remote);
        if (_opening.TryOpenAnother(now, address, path.Status, out _) != PathOpenResult.Opened)
            return false;
        _closing.Abandon(now, path, PathErrorCode.UnstableOrPoor);
        return true;
    }

    private bool TryFindOpen(PathId id, [NotNullWhen(true)] out Path? path) =>
        _paths.TryFindPath(id, out path) && !path.IsAbandoned;

    private bool HasOtherOpened(Path path)
    {
        for (int i = 0; i < _paths.Count; i++)
        {
            if (_paths[i] != path && _paths[i] is { IsAbandoned: false, IsOpened: true })
                return true;
        }

        return false;
    }

    private int SmallestPacketSpace()
    {
        DataPaths.Choose(_paths);
        int smallest = int.MaxValue;
        for (int i = 0; i < _paths.Count; i++)
        {
            if (_paths[i].CarriesData)
                smallest = Math.Min(smallest, FrameFiller.PacketSpace(_paths[i]));
        }

        return smallest == int.MaxValue ? FrameFiller.PacketSpace(_paths.First) : smallest;
    }

    private void HandlePathTimeouts(Instant now)
    {
        for (int i = 0; i < _paths.Count && _state.IsOpen; i++)
        {
            Path path = _paths[i];
            path.Timers.TryExpire(PathTimer.Pacing, now);
            if (path.Timers.TryExpire(PathTimer.LossDetection, now))
                _acknowledgements.OnLossTimeout(now, path);
            if (path.IsAbandoned)
                continue;

            // What works or may work stays while there is nothing else: the connection's own idle timeout decides about it. A server waits
            // for the path's idle timeout: for its client it may be the only hope.
            if (Side == Side.Client && !path.IsOpened && path.Timers.TryExpire(PathTimer.Validation, now))
            {
                if (HasOtherOpened(path))
                {
                    _closing.Abandon(now, path, PathErrorCode.UnstableOrPoor);
                    continue;
                }

                PathMovement.Prolong(now, path);
            }

            if (path.Timers.TryExpire(PathTimer.Idle, now) && HasOtherOpened(path))
            {
                _closing.Abandon(now, path, PathErrorCode.UnstableOrPoor);
                continue;
            }

            _movement.HandleTimeout(now, path);
            _silence.HandleTimeout(now, path);
        }

        _closing.HandleTimeout(now);
    }

    private void UpdatePathTimers(Instant now)
    {
        if (_state.IsOpen)
            DataPaths.Choose(_paths);
        bool canAck = CanAcknowledge();
        for (int i = 0; i < _paths.Count; i++)
        {
            Path path = _paths[i];
            path.ResetToken.Update(path, _endpointEvents);
            if (!_state.IsOpen)
                continue;
            if (path.IsAbandoned)
                UpdateAbandoned(now, path);
            else
                PathMovement.UpdateChallengeTimer(now, path);
            _silence.Update(path);
            path.Timers[PathTimer.AckDelay] = canAck ? path.Space.Acks.Deadline : Instant.Never;
            path.Timers[PathTimer.LossDetection] =
                path.RemoteIds.HasActive ? path.Loss.Deadline(path.Current.Recovery) : Instant.Never;
        }

        _lifecycle.UpdateNoPathTimer(now);
    }

    private void UpdateAbandoned(Instant now, Path path)
    {
        _closing.Update(now, path);

        // While it was the only one it carried control frames; nothing will be probed for here any more.
        if (!path.CarriesControl && path.Space.Sent.AckElicitingOutstanding > 0)
            _acknowledgements.DeclareAllLost(now, path);
    }

    // Whether an acknowledgement could leave now: otherwise no timer runs for it.
    private bool CanAcknowledge()
    {
        for (int i = 0; i < _paths.Count; i++)
        {
            if (_paths[i].CarriesControl && !_paths[i].Current.Recovery.Amplification.IsExhausted)
                return true;
        }

        return false;
    }
}
