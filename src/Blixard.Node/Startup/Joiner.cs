using Blixard.Cluster.Links;
using Blixard.Cluster.Tokens;
using Blixard.Node.Membership;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Grpc;
using Blixard.Rpc.Identity;
using Blixard.V1;
using Google.Protobuf;
using Iroh;

namespace Blixard.Node.Startup;

/// <summary>Asks a cluster's server to let this node in: by key if it can be dialled, else over gRPC.</summary>
internal sealed class Joiner(JoinTicket ticket, NodeSelf self, NodeCertificateSource certificate, TimeProvider time, RpcMetrics metrics)
{
    // A server that is there answers within a second; a dial to nobody takes its own, longer time.
    private static readonly TimeSpan DialTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(15);

    /// <summary>Joins.</summary>
    /// <param name="endpoint">This node's P2P endpoint; null while it has none.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <returns>All members.</returns>
    /// <exception cref="NodeStartException">Refused: the server said no. Unreachable: it was found nowhere; the message says where it was looked for.</exception>
    public async Task<IReadOnlyList<Member>> JoinAsync(IrohEndpoint? endpoint, CancellationToken cancellationToken)
    {
        var tried = new List<string>();
        if (endpoint is null)
            tried.Add("P2P is not ready on this node");
        else if (!ticket.Server.DirectAddresses.Any())
            tried.Add("the ticket holds no P2P address");
        else if (await TryP2pAsync(endpoint, tried, cancellationToken).ConfigureAwait(false) is { } members)
            return members;

        if (ticket.GrpcAddress.Length == 0)
            tried.Add("the ticket holds no gRPC address");
        else if (await TryGrpcAsync(tried, cancellationToken).ConfigureAwait(false) is { } members)
            return members;
        throw new NodeStartException(
            NodeStartFailure.Unreachable, $"The cluster's server {ticket.Server.Id.ToShortString()} could not be reached: {string.Join("; ", tried)}.");
    }

    private async Task<IReadOnlyList<Member>?> TryP2pAsync(IrohEndpoint endpoint, List<string> tried, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(DialTimeout);
        try
        {
            await using GuestConnection connection = await GuestConnection.ConnectAsync(
                endpoint, ticket.Server, time, metrics, patience.Token).ConfigureAwait(false);
            return await CallAsync(connection.Caller, "over P2P", tried, cancellationToken).ConfigureAwait(false);
        }
        catch (IrohConnectException e)
        {
            tried.Add($"over P2P: {e.Message.TrimEnd('.')}");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            tried.Add($"over P2P: nobody answered at {string.Join(", ", ticket.Server.DirectAddresses)} within {DialTimeout.TotalSeconds:0} s");
        }

        return null;
    }

    private async Task<IReadOnlyList<Member>?> TryGrpcAsync(List<string> tried, CancellationToken cancellationToken)
    {
        using var caller = new GrpcCaller(
            new GrpcCallerOptions
            {
                Address = ticket.GrpcAddress,
                ExpectedEndpointId = ticket.Server.Id.Span.ToArray(),
                Certificate = certificate,
            },
            time, metrics);
        return await CallAsync(caller, $"over gRPC at {ticket.GrpcAddress}", tried, cancellationToken).ConfigureAwait(false);
    }

    private async Task<IReadOnlyList<Member>?> CallAsync(IRpcCaller caller, string way, List<string> tried, CancellationToken cancellationToken)
    {
        var request = new JoinRequest { Token = ByteString.CopyFrom(ticket.Secret.Span), Node = self.ToInfo(), P2PNodeAddr = self.ToAddress() };
        request.Node.Role = NodeRole.Unspecified;
        try
        {
            JoinResponse response = await caller.CallAsync(
                ClusterMethods.Join, request, RpcCallOptions.Within(CallTimeout), cancellationToken).ConfigureAwait(false);
            return response.Members;
        }
        catch (RpcException e) when (e.StatusCode == RpcStatusCode.Unauthenticated && e.Stage == RpcFailureStage.Answered)
        {
            // The token may have been used up by ourselves, when we were killed before we could note that we are in.
            return await TryAsMemberAsync(caller, cancellationToken).ConfigureAwait(false)
                ?? throw new NodeStartException(NodeStartFailure.Refused, e.Message, e);
        }
        catch (RpcException e) when (e.IsTransportFailure || e.StatusCode is RpcStatusCode.DeadlineExceeded or RpcStatusCode.Unavailable)
        {
            tried.Add($"{way}: {e.Message}");
            return null;
        }
        catch (RpcException e)
        {
            throw new NodeStartException(NodeStartFailure.Refused, e.Message, e);
        }
    }

    private async Task<IReadOnlyList<Member>?> TryAsMemberAsync(IRpcCaller caller, CancellationToken cancellationToken)
    {
        try
        {
            StatusResponse status = await caller.CallAsync(
                ClusterMethods.Status, new StatusRequest(), RpcCallOptions.Within(CallTimeout), cancellationToken).ConfigureAwait(false);
            Member[] members = [.. status.Nodes.Select(node => node.Member)];
            return members.Any(member => member.Node.Name == self.Name && self.Id is { } id && member.Node.EndpointId.Span.SequenceEqual(id.Span))
                ? members
                : null;
        }
        catch (RpcException)
        {
            return null;
        }
    }
}
