using Iroh.Base;

namespace Blixard.Etcd.Membership;

/// <summary>The members of an etcd cluster.</summary>
public sealed class EtcdMembership
{
    private const string Scheme = "unix://";
    private const string Suffix = ".raft.blixard:2380";

    /// <summary>
    /// The name of the socket, in etcd's directory, over which etcd reaches the member <paramref name="id"/>: 82 characters. The node
    /// listens on one for each other member.
    /// </summary>
    public static string PeerSocketName(EndpointId id) => id + Suffix;

    /// <summary>The peer URL of the member <paramref name="id"/>, the same in every member's eyes.</summary>
    public static string PeerUrl(EndpointId id) => Scheme + PeerSocketName(id);

    /// <summary>Reads a URL that <see cref="PeerUrl"/> made.</summary>
    public static bool TryReadPeerUrl(string url, out EndpointId id)
    {
        id = default;
        return url is not null
            && url.Length == Scheme.Length + (2 * EndpointId.Length) + Suffix.Length
            && url.StartsWith(Scheme, StringComparison.Ordinal)
            && url.EndsWith(Suffix, StringComparison.Ordinal)
            && EndpointId.TryParse(url.AsSpan(Scheme.Length, 2 * EndpointId.Length), out id);
    }
}
