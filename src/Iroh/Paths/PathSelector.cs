using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Paths;

/// <summary>
/// Which path of a connection data should take: a direct one before a relay, among direct ones the quickest, where IPv6 gets a small
/// advance because no translator on the way can forget it. As iroh's, but silent paths are passed over at once.
/// </summary>
internal static class PathSelector
{
    /// <summary>What IPv6 may be slower by and is still preferred. As iroh.</summary>
    public static readonly TimeSpan IPv6Advance = TimeSpan.FromMilliseconds(3);

    /// <summary>What another path of the same kind has to be better by: a path that is left and taken again costs more than it brings. As iroh.</summary>
    public static readonly TimeSpan GainMin = TimeSpan.FromMilliseconds(5);

    /// <summary>Selects a path.</summary>
    /// <param name="paths">All paths that are open.</param>
    /// <param name="current">The one selected before, if it is still open.</param>
    /// <returns>The path to take; <paramref name="current"/> if none works, null if there is not even that.</returns>
    public static PathId? Select(ReadOnlySpan<PathView> paths, PathId? current)
    {
        PathView? best = null, kept = null;
        bool currentIsOpen = false;
        foreach (PathView path in paths)
        {
            bool isCurrent = path.Id == current;
            currentIsOpen |= isCurrent;
            if (!path.Works)
                continue;
            if (isCurrent)
                kept = path;
            if (best is not { } leader || Precedes(path, leader))
                best = path;
        }

        if (best is not { } chosen)
            return currentIsOpen ? current : null;
        if (kept is { } incumbent && incumbent.IsRelayed == chosen.IsRelayed && Cost(incumbent) - Cost(chosen) < GainMin)
            return incumbent.Id;
        return chosen.Id;
    }

    private static bool Precedes(in PathView a, in PathView b)
    {
        if (a.IsRelayed != b.IsRelayed)
            return b.IsRelayed;
        TimeSpan difference = Cost(a) - Cost(b);
        return difference == TimeSpan.Zero ? a.Id.CompareTo(b.Id) < 0 : difference < TimeSpan.Zero;
    }

    private static TimeSpan Cost(in PathView path) =>
        path is { IsRelayed: false, Remote.IsIPv4: false } ? path.RoundTripTime - IPv6Advance : path.RoundTripTime;
}
