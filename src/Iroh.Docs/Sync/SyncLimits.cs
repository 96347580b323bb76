namespace Iroh.Docs.Sync;

/// <summary>The bounds of a sync.</summary>
internal static class SyncLimits
{
    /// <summary>
    /// The longest frame. iroh allows 1 GiB and sends everything it has to a replica without entries in one frame: this is for some 120,000 entries.
    /// </summary>
    internal const int FrameBytesMax = 32 * 1024 * 1024;

    /// <summary>The longest first frame, before it is known whether the peer may sync: one fingerprint with two names at their longest.</summary>
    internal const int FirstFrameBytesMax = 256 * 1024;

    /// <summary>
    /// The most messages that one side sends. Ranges are halved each time, so that even 2^32 entries are through after 64; what goes on beyond this does
    /// not come to an end.
    /// </summary>
    internal const int RoundsMax = 256;

    /// <summary>How long a peer may be silent: it may have 100,000 entries to verify before it answers, half a minute's work for a quick machine.</summary>
    internal static readonly TimeSpan SilenceMax = TimeSpan.FromMinutes(2);

    /// <summary>Syncs that are answered at once; others wait. Each may hold a frame in memory.</summary>
    internal const int AnsweredMax = 16;

    /// <summary>Connections that have not said yet what they want; more are closed. An honest one says it at once.</summary>
    internal const int UndecidedMax = 256;
}
