using Blixard.Cluster.Membership;
using Blixard.Cluster.Tokens;
using Blixard.V1;
using Google.Protobuf;
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

    /// <summary>What is remembered of servers as records of members.</summary>
    public static IEnumerable<Member> ToMembers(IEnumerable<KnownServer> servers) => servers.Select(server => new Member
    {
        Node = new NodeInfo
        {
            Name = server.Name,
            EndpointId = ByteString.CopyFrom(EndpointId.Parse(server.EndpointId).Span),
            GrpcAddress = server.Grpc,
            Role = NodeRole.Server,
        },
        P2PNodeAddr = EndpointTicket.TryParse(server.Ticket, out EndpointTicket? ticket) ? MemberAddress.ToMessage(ticket.Address) : null,
    });

    /// <summary>The servers among members but one, to be asked to let this node in again; each with what is known of its addresses.</summary>
    public static IEnumerable<TicketServer> ToTicket(IEnumerable<Member> members, EndpointId except) => members
        .Where(member => member.Node.Role == NodeRole.Server)
        .Select(member => (Member: member, Id: EndpointId.FromBytes(member.Node.EndpointId.Span)))
        .Where(server => server.Id != except)
        .Select(server => new TicketServer(
            server.Member.P2PNodeAddr is { } message && MemberAddress.TryRead(message, out Iroh.Base.EndpointAddress? address, out _)
                ? address
                : Iroh.Base.EndpointAddress.FromEndpointId(server.Id),
            server.Member.Node.GrpcAddress));
}
