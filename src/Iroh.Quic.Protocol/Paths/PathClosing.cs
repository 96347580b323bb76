using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Inbound;
using Iroh.Quic.Protocol.Outbound;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>
/// Gives paths up, and forgets them when both ends have (draft-ietf-quic-multipath-21 §3.4).
/// <code>
/// open --Abandon, or the peer's PATH_ABANDON--> abandoned: PATH_ABANDON is owed, what was in flight goes elsewhere
///      --both ends know--> another path id is allowed; forgotten after three probe timeouts
/// </code>
/// </summary>
internal sealed class PathClosing
{
    /// <summary>A path that was given up is remembered for so many probe timeouts, since packets of it may still be on their way.</summary>
    private const int DrainProbeTimeouts = 3;

    private readonly PathTable _paths;
    private readonly PathIdSupply _supply;
    private readonly PathFrames _frames;
    private readonly Acknowledgements _acknowledgements;
    private readonly ConnectionEvents _events;
    private readonly Queue<EndpointEvent> _endpointEvents;

    public PathClosing(
        PathTable paths,
        PathIdSupply supply,
        PathFrames frames,
        Acknowledgements acknowledgements,
        ConnectionEvents events,
        Queue<EndpointEvent> endpointEvents)
    {
        (_paths, _supply, _frames) = (paths, supply, frames);
        (_acknowledgements, _events, _endpointEvents) = (acknowledgements, events, endpointEvents);
    }

    /// <summary>When the next path is to be forgotten.</summary>
    public Instant NextTimeout { get; private set; } = Instant.Never;

    /// <summary>Gives up a path that is open, and tells the peer.</summary>
    public void Abandon(Instant now, Path path, ulong code)
    {
        if (path.IsAbandoned)
            return;
        path.IsAbandoned = true;
        path.IsSilent = path.WantsPing = path.IsStatusPending = false;
        path.Timers.StopAll();
        path.Current.Validator.Stop();
        path.Responses.Clear();
        path.Space.Acks.Flush();
        path.Space.ProbesPending = 0;
        _acknowledgements.DeclareAllLost(now, path);
        _frames.Abandon(path.Id, code);
        _events.Add(ConnectionEventKind.PathClosed, path, code);
        DataPaths.Choose(_paths);
    }

    /// <summary>PATH_ABANDON arrived: this end gives the path up as well.</summary>
    public void OnAbandonFrame(Instant now, in PathAbandonFrame frame)
    {
        // A path id beyond the limit cannot be in use, nor can one that is forgotten.
        if (frame.Path.Value > _supply.LocalMax || _supply.EntryFor(frame.Path) is not { } entry)
            return;
        if (entry.Path is { } path)
        {
            Abandon(now, path, frame.ErrorCode);
        }
        else if (!entry.IsAbandonedUnopened)
        {
            entry.IsAbandonedUnopened = true;
            _frames.Abandon(entry.Id, frame.ErrorCode);
        }

        StartDraining(now, entry);
    }

    /// <summary>A path whose end the peer has acknowledged without a word of its own is over as well: the peer had never heard of it.</summary>
    public void Update(Instant now, Path path)
    {
        if (path.IsAbandonAcknowledged && _paths.TryFind(path.Id, out PathEntry? entry))
            StartDraining(now, entry);
    }

    /// <summary>Forgets what has been given up for long enough.</summary>
    public void HandleTimeout(Instant now)
    {
        if (now < NextTimeout)
            return;
        NextTimeout = Instant.Never;
        for (int i = _paths.Entries.Count - 1; i >= 0; i--)
        {
            PathEntry entry = _paths.Entries[i];
            if (entry.ForgottenAt > now)
            {
                NextTimeout = Instant.Min(NextTimeout, entry.ForgottenAt);
            }
            else if (_paths.Count == 1 && entry.Path is not null)
            {
                // Until there is another path, the last one says where the peer was.
                entry.ForgottenAt = now + (_paths.LongestProbeTimeout * DrainProbeTimeouts);
                NextTimeout = Instant.Min(NextTimeout, entry.ForgottenAt);
            }
            else
            {
                Forget(entry);
            }
        }
    }

    private void StartDraining(Instant now, PathEntry entry)
    {
        if (entry.ForgottenAt != Instant.Never)
            return;
        entry.ForgottenAt = now + (_paths.LongestProbeTimeout * DrainProbeTimeouts);
        NextTimeout = Instant.Min(NextTimeout, entry.ForgottenAt);
        _supply.Replenish();
    }

    private void Forget(PathEntry entry)
    {
        _supply.RetireAll(entry);
        entry.Path?.ResetToken.Remove(_endpointEvents);
        _frames.Forget(entry.Id);
        _paths.Remove(entry);
        _supply.Replenish();
    }
}
