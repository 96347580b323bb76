using Iroh.Base;
using Iroh.Blobs;
using Iroh.Docs.Sync;

namespace Iroh.Docs;

/// <summary>What keeps synced documents up to date between syncs. Called by <see cref="DocumentEngine"/>; each call returns at once.</summary>
internal interface ILiveSync : IAsyncDisposable
{
    /// <summary>A document is to be kept in sync from now on, or further peers are known for it.</summary>
    void Start(NamespaceId document, IReadOnlyList<EndpointAddress> peers);

    /// <summary>A document is no longer to be kept in sync.</summary>
    Task StopAsync(NamespaceId document);

    /// <summary>An entry was made here.</summary>
    void OnInserted(SignedEntry entry);

    /// <summary>A sync came to its end, well or not, whoever dialled.</summary>
    void OnSynced(SyncReport report);

    /// <summary>A content that entries of the document want has arrived.</summary>
    void OnContentReady(NamespaceId document, BlobHash content);
}
