using Iroh.Base;
using Iroh.Docs.Sync;

namespace Iroh.Docs.Live;

/// <summary>Syncs a document once with a peer. Fails only when cancelled; everything else is in the report.</summary>
internal delegate Task<SyncReport> DialSync(NamespaceId document, EndpointAddress peer, CancellationToken cancellationToken);
