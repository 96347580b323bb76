using Blixard.V1;
using Iroh.Base;

namespace Blixard.Cluster.Links;

/// <summary>The link to one member, as of one moment.</summary>
/// <param name="Peer">The member's id.</param>
/// <param name="Name">Its name.</param>
/// <param name="State">Where the link stands.</param>
/// <param name="Reason">Why it is not ready, for people; "" if it is.</param>
/// <param name="Path">How it travels; unspecified while it is not ready.</param>
/// <param name="Remote">The peer's socket address; "" while it is not ready.</param>
/// <param name="RoundTripTime">The newest round trip time of a ping; null before the first.</param>
/// <param name="Since">When it entered its state.</param>
/// <param name="Dials">How often the peer was dialled.</param>
/// <param name="FailedDials">How often that failed.</param>
public sealed record LinkStatus(
    EndpointId Peer, string Name, LinkState State, string Reason, P2pPathKind Path, string Remote, TimeSpan? RoundTripTime,
    DateTimeOffset Since, long Dials, long FailedDials);
