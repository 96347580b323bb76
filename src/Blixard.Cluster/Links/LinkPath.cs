using Blixard.V1;
using Iroh.Base;

namespace Blixard.Cluster.Links;

/// <summary>The way that a link takes from a moment on.</summary>
/// <param name="Peer">The member's id.</param>
/// <param name="Name">Its name.</param>
/// <param name="Path">Straight or over a relay.</param>
/// <param name="Remote">The member's address, or the URL of the relay.</param>
/// <param name="After">The time since the link's connection stood; zero for its first way.</param>
public sealed record LinkPath(EndpointId Peer, string Name, P2pPathKind Path, string Remote, TimeSpan After);
