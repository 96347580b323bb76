using System.Globalization;
using System.Text.Json.Nodes;
using Blixard.Cli.Images;
using Blixard.Cli.Vms;
using Blixard.V1;

namespace Blixard.Cli.Cluster;

/// <summary>The status as JSON.</summary>
internal static class StatusJson
{
    public static JsonObject Create(StatusResponse status) => new()
    {
        ["cluster"] = new JsonObject
        {
            ["id"] = status.ClusterId,
            ["engine"] = status.Engine,
            ["leader"] = status.Leader,
            ["term"] = status.RaftTerm,
            ["appliedIndex"] = status.RaftAppliedIndex,
            ["consistency"] = status.Consistency,
            ["reason"] = status.StoreReason,
        },
        ["self"] = status.Self,
        ["catalogue"] = status.Catalogue,
        ["nodes"] = new JsonArray([.. status.Nodes.Select(Node)]),
        ["vms"] = new JsonArray([.. status.Vms.Select(VmJson.Create)]),
        ["images"] = new JsonArray([.. status.Images.Select(image => ImageJson.Create(image))]),
    };

    private static JsonObject Node(NodeStatus node) => new()
    {
        ["name"] = node.Member.Node.Name,
        ["endpointId"] = Convert.ToHexStringLower(node.Member.Node.EndpointId.Span),
        ["role"] = StatusText.Name(node.Member.Node.Role),
        ["state"] = StatusText.Name(node.State),
        ["reason"] = node.Reason,
        ["lostSince"] = VmJson.Time(node.LostSince),
        ["p2p"] = new JsonObject
        {
            ["state"] = StatusText.Name(node.P2P.State),
            ["path"] = StatusText.Name(node.P2P.Path),
            ["remote"] = node.P2P.Remote,
            ["rttMs"] = Math.Round(node.P2P.RttMs, 3),
            ["reason"] = node.P2P.Reason,
            ["addresses"] = new JsonArray([.. (node.Member.P2PNodeAddr?.DirectAddresses ?? []).Select(address => JsonValue.Create(address))]),
        },
        ["grpc"] = new JsonObject
        {
            ["address"] = node.Grpc.Address,
            ["state"] = StatusText.Name(node.Grpc.State),
            ["reason"] = node.Grpc.Reason,
        },
        ["calls"] = new JsonObject { ["transport"] = node.Transport, ["p2p"] = node.CallsP2P, ["grpc"] = node.CallsGrpc },
        ["raft"] = node.Raft is { } raft ? Raft(raft) : null,
    };

    private static JsonObject Raft(RaftStatus raft) => new()
    {
        ["role"] = StatusText.Name(raft.Role),
        ["healthy"] = raft.Healthy,
        ["reason"] = raft.Reason,
        ["appliedIndex"] = raft.AppliedIndex,
        ["lag"] = raft.Lag,
        ["dbSize"] = raft.DbSize,
        ["tunnel"] = raft.Tunnel is not { } tunnel ? null : new JsonObject
        {
            ["way"] = RaftText.Name(tunnel.Way),
            ["since"] = tunnel.Since?.ToDateTimeOffset().ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture),
            ["bytesP2p"] = tunnel.BytesP2P,
            ["bytesGrpc"] = tunnel.BytesGrpc,
            ["switches"] = tunnel.Switches,
            ["lastSwitchReason"] = StatusText.Words(tunnel.LastSwitchReason),
        },
    };
}
