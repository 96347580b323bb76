namespace Iroh.Quic.Protocol.Paths;

/// <summary>
/// Chooses the paths that data leaves on, by this end's own status of each: all available ones, in the order of their ids as their windows
/// allow; if there is none, the backup with the shortest round trip. Paths that went silent come after all others.
/// </summary>
internal static class DataPaths
{
    private enum Tier
    {
        Available,
        Backup,
        Moving,
        SilentAvailable,
        SilentBackup,
        NotOpened,
        Abandoned,
        Never,
    }

    /// <summary>Sets <see cref="Path.CarriesData"/> and <see cref="Path.CarriesControl"/> of all paths.</summary>
    public static void Choose(PathTable paths)
    {
        if (paths.Count == 1)
        {
            Path only = paths.First;
            only.CarriesControl = only.RemoteIds.HasActive;
            only.CarriesData = only.CarriesControl && !only.IsAbandoned;
            return;
        }

        Tier best = Tier.Never;
        Path? first = null;
        for (int i = 0; i < paths.Count; i++)
        {
            Path path = paths[i];
            path.CarriesData = path.CarriesControl = false;
            Tier tier = TierOf(path);
            if (tier < best || (tier == best && IsBetter(tier, path, first)))
                (best, first) = (tier, path);
        }

        if (first is null)
            return;
        first.CarriesControl = true;
        first.CarriesData = best < Tier.NotOpened;
        if (best is not (Tier.Available or Tier.SilentAvailable))
            return;
        for (int i = 0; i < paths.Count; i++)
        {
            if (TierOf(paths[i]) == best)
                paths[i].CarriesData = paths[i].CarriesControl = true;
        }
    }

    /// <summary>Whether another path than this one is validated, in use by both ends and answers: data can go there.</summary>
    public static bool HasAlternative(PathTable paths, Path path)
    {
        for (int i = 0; i < paths.Count; i++)
        {
            if (paths[i] != path && TierOf(paths[i]) <= Tier.Backup)
                return true;
        }

        return false;
    }

    private static Tier TierOf(Path path)
    {
        if (!path.RemoteIds.HasActive)
            return Tier.Never;
        if (path.IsAbandoned)
            return Tier.Abandoned;
        if (!path.IsOpened)
            return Tier.NotOpened;
        if (!path.Current.Validator.IsValidated)
            return Tier.Moving;
        return (path.Status, path.IsSilent) switch
        {
            (PathStatus.Available, false) => Tier.Available,
            (_, false) => Tier.Backup,
            (PathStatus.Available, true) => Tier.SilentAvailable,
            _ => Tier.SilentBackup,
        };
    }

    // Where nothing works or is to be used, the newest path is where the peer was last; of paths that are being validated, one that has
    // been probed in vain less often than others.
    private static bool IsBetter(Tier tier, Path path, Path? than) => tier switch
    {
        Tier.Backup or Tier.SilentBackup => path.Current.Recovery.Rtt.Smoothed < than?.Current.Recovery.Rtt.Smoothed,
        Tier.NotOpened => than is null || path.Loss.ProbeTimeout.Count <= than.Loss.ProbeTimeout.Count,
        Tier.Abandoned => true,
        _ => false,
    };
}
