namespace Iroh.Docs.Live;

/// <summary>Timers of <see cref="LiveState"/>.</summary>
internal sealed record LiveConfiguration
{
    /// <summary>
    /// How often a document is synced with some neighbor although nothing seems to be missing. iroh-docs does not do that; but heads only name the
    /// newest entry of each author, so an older one that got lost would stay lost. Equal replicas find out with 200 bytes.
    /// </summary>
    public TimeSpan RepairInterval { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>When a neighbor with which a sync failed is tried again; twice as long each time.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The longest wait between two attempts.</summary>
    public TimeSpan RetryDelayMax { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>When a peer with news that was busy syncing with us is asked again, unless that sync ends sooner.</summary>
    public TimeSpan BusyDelay { get; init; } = TimeSpan.FromMilliseconds(500);
}
