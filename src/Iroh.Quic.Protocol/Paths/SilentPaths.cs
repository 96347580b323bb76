using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Inbound;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Timers;

namespace Iroh.Quic.Protocol.Paths;

/// <summary>
/// Moves data away from a path that no longer answers, long before the path counts as idle. Only data in flight counts, never keep-alives,
/// and only while another path works. The silent path is probed as usual, and carries data again once it acknowledges anything.
/// </summary>
internal sealed class SilentPaths
{
    /// <summary>Two probe timeouts in a row, the second twice as long as the first.</summary>
    private const int ProbeTimeouts = 3;

    /// <summary>Below this a pause of a busy host would look like a path that went dark.</summary>
    private static readonly TimeSpan PeriodMin = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// What is left of a second after the last acknowledgement, which may come a round trip of 350 ms after the path has gone dark: what
    /// queued up before still arrives.
    /// </summary>
    private static readonly TimeSpan PeriodMax = TimeSpan.FromMilliseconds(650);

    private readonly PathTable _paths;
    private readonly Acknowledgements _acknowledgements;
    private readonly ConnectionEvents _events;

    public SilentPaths(PathTable paths, Acknowledgements acknowledgements, ConnectionEvents events) =>
        (_paths, _acknowledgements, _events) = (paths, acknowledgements, events);

    /// <summary>Ends the silence of a path that has answered, and sets the timer at whose expiry it has been silent for too long.</summary>
    public void Update(Path path)
    {
        if (path.IsSilent && path.HasAnswered)
        {
            path.IsSilent = false;
            _events.Add(ConnectionEventKind.PathRecovered, path);
        }

        bool canMove = _paths.Count > 1 && path.Space.Sent.DataOutstanding > 0 && !path.IsAbandoned
            && DataPaths.HasAlternative(_paths, path);
        path.Timers[PathTimer.Silence] = !canMove ? Instant.Never
            : Instant.Max(path.Space.Sent.DataOutstandingSince, path.LastAnsweredAt) + (path.IsSilent ? TimeSpan.Zero : PeriodOf(path));
    }

    /// <summary>Declares the path silent if its time is over.</summary>
    public void HandleTimeout(Instant now, Path path)
    {
        if (!path.Timers.TryExpire(PathTimer.Silence, now))
            return;
        _acknowledgements.DeclareAllLost(now, path);
        path.WantsPing = true;
        if (path.IsSilent)
            return;
        path.IsSilent = true;
        path.HasAnswered = false;
        _events.Add(ConnectionEventKind.PathSilent, path);
    }

    private static TimeSpan PeriodOf(Path path)
    {
        TimeSpan probe = path.ProbeTimeout;
        TimeSpan longest = probe * 2 > PeriodMax ? probe * 2 : PeriodMax;
        TimeSpan period = probe * ProbeTimeouts < longest ? probe * ProbeTimeouts : longest;
        return period > PeriodMin ? period : PeriodMin;
    }
}
