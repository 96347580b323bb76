using System.Globalization;
using Blixard.Cli.Output;
using Blixard.V1;

namespace Blixard.Cli.Cluster;

/// <summary>The servers of a cluster whose engine is etcd, as a table.</summary>
internal static class RaftText
{
    /// <summary>The table; null if no node has a part in Raft.</summary>
    public static string? Table(StatusResponse status)
    {
        NodeStatus[] servers = [.. status.Nodes.Where(node => node.Raft is not null)];
        if (servers.Length == 0)
            return null;
        return TextTable.Render(
            ["SERVER", "RAFT", "HEALTH", "APPLIED", "LAG", "DATABASE", "WAY", "SINCE", "P2P", "GRPC", "SWITCHES"],
            servers.Select(node => (string[])
            [
                node.Member.Node.Name + (node.Member.Node.Name == status.Self ? " *" : ""),
                node.Raft.Role == RaftRole.Unspecified ? "unknown" : StatusText.Name(node.Raft.Role),
                node.Raft.Healthy ? "ok" : "not ok",
                node.Raft.AppliedIndex > 0 ? Number(node.Raft.AppliedIndex) : "",
                node.Raft.AppliedIndex > 0 ? Number(node.Raft.Lag) : "",
                node.Raft.DbSize > 0 ? HumanText.Bytes(node.Raft.DbSize) : "",
                .. Traffic(node.Raft.Tunnel),
            ]));
    }

    /// <summary>What is wrong with servers, one line each.</summary>
    public static IEnumerable<string> Notes(StatusResponse status) => status.Nodes
        .Where(node => node.Raft is { Healthy: false })
        .Select(node => $"{node.Member.Node.Name}: {(node.Raft.Reason.Length > 0 ? node.Raft.Reason : "its etcd is not healthy")}");

    /// <summary>A way in the words of the command line.</summary>
    public static string Name(RaftWay way) => way switch
    {
        RaftWay.P2P => "p2p",
        RaftWay.Grpc => "grpc",
        _ => "none",
    };

    private static IEnumerable<string> Traffic(RaftTunnel? tunnel) => tunnel is null ? ["", "", "", "", ""] :
    [
        Name(tunnel.Way),
        tunnel.Since?.ToDateTimeOffset().ToString("HH:mm:ss'Z'", CultureInfo.InvariantCulture) ?? "",
        HumanText.Bytes(tunnel.BytesP2P),
        HumanText.Bytes(tunnel.BytesGrpc),
        Number(tunnel.Switches) + (tunnel.LastSwitchReason.Length > 0 ? $" ({StatusText.Words(tunnel.LastSwitchReason)})" : ""),
    ];

    private static string Number(ulong value) => value.ToString(CultureInfo.InvariantCulture);
}
