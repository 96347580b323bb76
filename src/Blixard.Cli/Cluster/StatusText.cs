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
            $"cluster {status.ClusterId}  engine {status.Engine}  leader {(status.Leader.Length > 0 ? status.Leader : "none")}",
            TextTable.Render(
                ["NODE", "ROLE", "STATE", "P2P", "RTT", "GRPC", "CALLS P2P/GRPC", "ID"],
                status.Nodes.Select(node => (string[])
                [
                    node.Member.Node.Name + (node.Member.Node.Name == status.Self ? " *" : ""),
                    Name(node.Member.Node.Role),
                    Name(node.State),
                    P2p(node),
                    node.P2P.RttMs > 0 ? string.Create(CultureInfo.InvariantCulture, $"{node.P2P.RttMs:0.00} ms") : "",
                    Grpc(node),
                    node.Member.Node.Name == status.Self ? "" : $"{node.CallsP2P}/{node.CallsGrpc}",
                    Convert.ToHexStringLower(node.Member.Node.EndpointId.Span[..5]),
                ])),
        };
        if (status.Vms.Count > 0)
            parts.Add(VmText.Table(status.Vms));
        if (status.Images.Count > 0)
            parts.Add(ImageText.Table(status.Images));
        return string.Join("\n\n", parts);
    }

    /// <summary>An enum value of the services in the words of the command line: <c>NotReady</c> becomes <c>not-ready</c>; unspecified is empty.</summary>
    public static string Name<T>(T value)
        where T : struct, Enum
    {
        string text = value.ToString();
        return text == "Unspecified"
            ? ""
            : string.Concat(text.Select((character, i) =>
                char.IsUpper(character) ? (i > 0 ? "-" : "") + char.ToLowerInvariant(character) : character.ToString()));
    }

    private static string P2p(NodeStatus node)
    {
        string text = $"{Name(node.P2P.State)} {Name(node.P2P.Path)} {node.P2P.Remote}".Trim();
        return node.P2P.Reason.Length > 0 ? $"{text} ({node.P2P.Reason})" : text;
    }

    private static string Grpc(NodeStatus node)
    {
        string text = $"{Name(node.Grpc.State)} {node.Grpc.Address}".Trim();
        return node.Grpc.Reason.Length > 0 ? $"{text} ({node.Grpc.Reason})" : text;
    }
}
