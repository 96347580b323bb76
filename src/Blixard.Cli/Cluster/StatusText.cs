using System.Globalization;
using Blixard.Cli.Images;
using Blixard.Cli.Output;
using Blixard.Cli.Vms;
using Blixard.V1;

namespace Blixard.Cli.Cluster;

/// <summary>The status as tables.</summary>
internal static class StatusText
{
    /// <summary>Renders nodes, and VMs and images where there are any.</summary>
    public static string Render(StatusResponse status)
    {
        var parts = new List<string>
        {
            $"cluster {status.ClusterId}  engine {status.Engine}  leader {(status.Leader.Length > 0 ? status.Leader : "none")}"
                + (status.RaftTerm > 0 ? string.Create(CultureInfo.InvariantCulture, $"  term {status.RaftTerm}") : "")
                + $"  catalogue {status.Catalogue}"
                + (status.StoreReason.Length > 0 ? $"\nThe state of VMs and images may be stale: {status.StoreReason}" : ""),
            TextTable.Render(
                ["NODE", "ROLE", "STATE", "P2P", "RTT", "GRPC", "CALLS", "ID"],
                status.Nodes.Select(node => (string[])
                [
                    node.Member.Node.Name + (node.Member.Node.Name == status.Self ? " *" : ""),
                    Name(node.Member.Node.Role),
                    Name(node.State),
                    P2pText(node.P2P, isSelf: node.Member.Node.Name == status.Self),
                    node.P2P.RttMs > 0 ? string.Create(CultureInfo.InvariantCulture, $"{node.P2P.RttMs:0.00} ms") : "",
                    node.Grpc.State == GrpcState.Reachable ? node.Grpc.Address : $"{Name(node.Grpc.State)} {node.Grpc.Address}".Trim(),
                    Calls(node),
                    Convert.ToHexStringLower(node.Member.Node.EndpointId.Span[..5]),
                ])),
        };
        if (RaftText.Table(status) is { } servers)
            parts.Add(servers);
        string notes = string.Join('\n', Notes(status).Concat(RaftText.Notes(status)));
        if (notes.Length > 0)
            parts.Add(notes);
        if (status.Vms.Count > 0)
            parts.Add(VmText.Table(status.Vms));
        if (status.Images.Count > 0)
            parts.Add(ImageText.Table(status.Images, status.Self));
        return string.Join("\n\n", parts);
    }

    /// <summary>How a node is reached: "direct 192.0.2.1:7000", "relay https://…", or the state where there is no way.</summary>
    private static string P2pText(P2pStatus p2p, bool isSelf) =>
        isSelf || p2p.Path == P2pPathKind.Unspecified ? Name(p2p.State) : $"{Name(p2p.Path)} {p2p.Remote}".TrimEnd();

    /// <summary>An enum value of the services in the words of the command line: <c>NotReady</c> becomes <c>not-ready</c>, <c>P2P</c> <c>p2p</c>;
    /// unspecified is empty.</summary>
    public static string Name<T>(T value)
        where T : struct, Enum
    {
        string text = value.ToString();
        return text == "Unspecified" ? "" : Words(text);
    }

    /// <summary>A name such as <c>LinkReady</c> as words with hyphens, <c>link-ready</c>.</summary>
    public static string Words(string name) => string.Concat(name.Select((character, i) =>
        // After a digit no word begins: P2P is one.
        (char.IsUpper(character) && i > 0 && char.IsLower(name[i - 1]) ? "-" : "") + char.ToLowerInvariant(character)));

    // By which way calls of this node went; nothing for a way that none went.
    private static string Calls(NodeStatus node) => string.Join(
        ", ", new[] { (Count: node.CallsP2P, Way: "p2p"), (Count: node.CallsGrpc, Way: "grpc") }.Where(way => way.Count > 0).Select(way => $"{way.Count} {way.Way}"));

    // Why something is not as it should be is too long for a column; one reason for several nodes is said once.
    private static IEnumerable<string> Notes(StatusResponse status) => status.Nodes
        .SelectMany(node => new[]
        {
            (Node: node.Member.Node.Name, Text: node.Reason),
            (Node: node.Member.Node.Name, Text: node.P2P.Reason.Length > 0 ? $"P2P is {Name(node.P2P.State)}: {node.P2P.Reason}" : ""),
            (Node: node.Member.Node.Name, Text: node.Grpc.Reason.Length > 0 && node.Grpc.Reason != node.P2P.Reason ? $"gRPC is {Name(node.Grpc.State)}: {node.Grpc.Reason}" : ""),
        })
        .Where(note => note.Text.Length > 0)
        .GroupBy(note => note.Text, note => note.Node)
        .Select(note => $"{string.Join(", ", note)}: {note.Key}");
}
