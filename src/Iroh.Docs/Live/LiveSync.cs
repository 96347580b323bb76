using Iroh.Base;
using Iroh.Blobs;
using Iroh.Cryptography;
using Iroh.Docs.Sync;
using Iroh.Gossip;

namespace Iroh.Docs.Live;

/// <summary>Keeps documents up to date over gossip: one topic for each, named by the document's id. Thread-safe.</summary>
internal sealed class LiveSync : ILiveSync
{
    private readonly GossipProtocol _gossip;
    private readonly DocumentEngine _engine;
    private readonly DialSync _dial;
    private readonly RandomSource _random;
    private readonly Lock _lock = new();
    private readonly Dictionary<NamespaceId, LiveDocument> _documents = [];
    private bool _isDisposed;

    /// <param name="gossip">Carries the messages; stays the caller's, and is disposed after this.</param>
    /// <param name="engine">Where entries go.</param>
    /// <param name="dial">Syncs once with a peer.</param>
    /// <param name="random">Spreads what is done at intervals.</param>
    public LiveSync(GossipProtocol gossip, DocumentEngine engine, DialSync dial, RandomSource random) =>
        (_gossip, _engine, _dial, _random) = (gossip, engine, dial, random);

    /// <inheritdoc/>
    public void Start(NamespaceId document, IReadOnlyList<EndpointAddress> peers)
    {
        foreach (EndpointAddress peer in peers)
            _gossip.AddAddress(peer);
        EndpointId[] ids = [.. peers.Select(peer => peer.Id)];
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_documents.TryGetValue(document, out LiveDocument? live))
                live.AddPeers(ids);
            else
                _documents.Add(document, new LiveDocument(document, ids, _gossip, _engine, _dial, new SeededRandomSource(_random.NextUInt64())));
        }
    }

    /// <inheritdoc/>
    public async Task StopAsync(NamespaceId document)
    {
        LiveDocument? live;
        lock (_lock)
            _documents.Remove(document, out live);
        if (live is not null)
            await live.DisposeAsync().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void OnInserted(SignedEntry entry) => Find(entry.Key.Document)?.OnInserted(entry);

    /// <inheritdoc/>
    public void OnSynced(SyncReport report) => Find(report.Document)?.OnSynced(report);

    /// <inheritdoc/>
    public void OnContentReady(NamespaceId document, BlobHash content) => Find(document)?.OnContentReady(content);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        LiveDocument[] documents;
        lock (_lock)
        {
            _isDisposed = true;
            documents = [.. _documents.Values];
            _documents.Clear();
        }

        foreach (LiveDocument document in documents)
            await document.DisposeAsync().ConfigureAwait(false);
    }

    private LiveDocument? Find(NamespaceId document)
    {
        lock (_lock)
            return _documents.GetValueOrDefault(document);
    }
}
