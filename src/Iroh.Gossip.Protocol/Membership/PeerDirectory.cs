using System.Collections.Immutable;
using Iroh.Base;
using Iroh.Gossip.Messages;

namespace Iroh.Gossip.Membership;

/// <summary>What is known of the peers in the views, to be told to others.</summary>
/// <param name="outbox">Told of what is new.</param>
/// <param name="isInView">Whether a peer is still worth its place.</param>
/// <param name="capacity">More than all views together hold.</param>
internal sealed class PeerDirectory(TopicOutbox outbox, Func<EndpointId, bool> isInView, int capacity)
{
    /// <summary>The longest data that is passed on: a dozen addresses and a relay take half of it. Longer ones would crowd out others.</summary>
    public const int DataLengthMax = 512;

    private readonly Dictionary<EndpointId, PeerData> _data = [];

    /// <summary>Remembers what a peer is said to say.</summary>
    public void Learn(EndpointId peer, PeerData? data)
    {
        if (data is null || (_data.TryGetValue(peer, out PeerData? known) && known.Equals(data)))
            return;
        if (data.Length > 0)
            outbox.Learn(peer, data);
        if (data.Length > DataLengthMax)
            return;
        if (_data.Count >= capacity)
        {
            foreach (EndpointId other in _data.Keys.Where(other => !isInView(other)).ToArray())
                _data.Remove(other);
        }

        if (_data.Count < capacity)
            _data[peer] = data;
    }

    /// <summary>The peers with their data, as many as fit: first data is left out, then peers.</summary>
    /// <param name="peers">Whom to tell of.</param>
    /// <param name="lengthMax">The length that the list may have, in bytes.</param>
    public ImmutableArray<PeerInfo> Describe(IEnumerable<EndpointId> peers, int lengthMax)
    {
        var described = ImmutableArray.CreateBuilder<PeerInfo>();
        foreach (EndpointId peer in peers)
        {
            var info = new PeerInfo(peer, _data.GetValueOrDefault(peer));
            if (LengthOf(info) > lengthMax)
                info = info with { Data = null };
            if (LengthOf(info) > lengthMax)
                break;
            lengthMax -= LengthOf(info);
            described.Add(info);
        }

        return described.ToImmutable();
    }

    // Id, option, length of up to two bytes, data.
    private static int LengthOf(PeerInfo info) => EndpointId.Length + 1 + (info.Data is { } data ? 2 + data.Length : 0);
}
