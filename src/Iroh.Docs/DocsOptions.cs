using Iroh.Base;
using Iroh.Docs.Live;
using Iroh.Docs.Reconciliation;

namespace Iroh.Docs;

/// <summary>Settings of <see cref="DocsProtocol"/>.</summary>
public sealed class DocsOptions
{
    /// <summary>
    /// Whether a peer may sync a document with us; asked for every sync, whoever begins it, and for each message in it. A peer that begins one and may
    /// not is told that the document is not here. Called on any thread; must be quick. By default everybody who knows the document's id may.
    /// </summary>
    public Func<EndpointId, NamespaceId, bool> Authorize { get; init; } = static (_, _) => true;

    /// <summary>Parameters of the set reconciliation. Default: those of iroh-docs.</summary>
    public ReconciliationOptions Reconciliation { get; init; } = ReconciliationOptions.Default;

    /// <summary>How many contents are fetched at once. At least 1; default 4: each is fetched from several peers, which fills most links.</summary>
    public int DownloadsMax { get; init; } = 4;

    /// <summary>The clock: timestamps of new entries, limits of waiting. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Timers of live updates.</summary>
    internal LiveConfiguration Live { get; init; } = new();
}
