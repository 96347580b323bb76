using Iroh.Base;
using Iroh.Blobs;

namespace Iroh.Docs.Live;

/// <summary>
/// Who said last to have which content. The word may come before the entry that wants the content, which takes another way. Not thread-safe.
/// </summary>
internal sealed class RecentContents
{
    /// <summary>How many are remembered; entries come within seconds.</summary>
    public const int Capacity = 1024;

    private readonly Dictionary<BlobHash, EndpointId> _peers = [];
    private readonly Queue<BlobHash> _byAge = new();

    /// <summary>Remembers a peer.</summary>
    public void Add(BlobHash content, EndpointId peer)
    {
        if (!_peers.TryAdd(content, peer))
        {
            _peers[content] = peer;
            return;
        }

        _byAge.Enqueue(content);
        if (_byAge.Count > Capacity)
            _peers.Remove(_byAge.Dequeue());
    }

    /// <summary>Who has a content; null if nobody said so lately.</summary>
    public EndpointId? Find(BlobHash content) => _peers.TryGetValue(content, out EndpointId peer) ? peer : null;
}
