using Blixard.V1;
using Iroh.Base;

namespace Blixard.Node.Storage;

/// <summary>The servers among members, to be remembered.</summary>
internal static class KnownServers
{
    public static IReadOnlyList<KnownServer> From(IEnumerable<Member> members) =>
    [
        .. members.Where(member => member.Node.Role == NodeRole.Server && EndpointId.TryFromBytes(member.Node.EndpointId.Span, out _))
            .OrderBy(member => member.Node.Name, StringComparer.Ordinal)
            .Select(member => new KnownServer(
                member.Node.Name, Convert.ToHexStringLower(member.Node.EndpointId.Span), member.P2PNodeAddr?.Ticket ?? "", member.Node.GrpcAddress)),
    ];
}
