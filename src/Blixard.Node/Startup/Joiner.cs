using Blixard.Cluster.Links;
using Blixard.Cluster.Tokens;
using Blixard.Node.Membership;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Grpc;
using Blixard.Rpc.Identity;
using Blixard.V1;
using Iroh;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Startup;

/// <summary>Asks a cluster's servers to let this node in, one after the other: by key if they can be dialled, else over gRPC.</summary>
/// <param name="self">The node.</param>
/// <param name="certificate">What it shows over gRPC.</param>
/// <param name="canLookUp">Whether its endpoint finds a server whose addresses the ticket does not hold.</param>
/// <param name="time">Patience.</param>
/// <param name="metrics">Counts calls.</param>
/// <param name="logger">Tells of waiting.</param>
internal sealed partial class Joiner(
    NodeSelf self, NodeCertificateSource certificate, bool canLookUp, TimeProvider time, RpcMetrics metrics, ILogger<Joiner> logger)
{
    // A server that is there answers within a second; a dial to nobody takes its own, longer time.
    private static readonly TimeSpan DialTimeout = TimeSpan.FromSeconds(10);

    // A server waits itself for a moment in which Raft takes a new member in before it says that it cannot now.
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(20);

    // Raft takes one new server in at a time and waits 5 s after each change; so long the servers before us may take.
    private static readonly TimeSpan PatienceMax = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    /// <summary>Joins.</summary>
    /// <param name="servers">Whom to ask.</param>
    /// <param name="request">What to ask; the node's facts are filled in.</param>
    /// <param name="endpoint">This node's P2P endpoint; null while it has none.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="NodeStartException">Refused: a server said no. Unreachable: none was found, or none could let us in; the message
    /// says what was tried.</exception>
    public async Task<JoinResponse> JoinAsync(
        IReadOnlyList<TicketServer> servers, JoinRequest request, IrohEndpoint? endpoint, CancellationToken cancellationToken)
    {
        request.Node = self.ToInfo();
        request.P2PNodeAddr = self.ToAddress();
        long started = time.GetTimestamp();
        while (true)
        {
            var tried = new List<Attempt>();
            foreach (TicketServer server in servers)
            {
                if (await TryAsync(server, request, endpoint, tried, cancellationToken).ConfigureAwait(false) is { } response)
                    return response;
            }

            string all = string.Join("; ", tried.Select(attempt => attempt.Text));
            if (!tried.Any(attempt => attempt.IsWorthAnother) || time.GetElapsedTime(started) > PatienceMax)
            {
                string who = servers.Count == 1 ? $"The cluster's server {servers[0].Address.Id.ToShortString()}" : $"None of the cluster's {servers.Count} servers";
                throw new NodeStartException(
                    NodeStartFailure.Unreachable,
                    tried.Any(attempt => attempt.IsWorthAnother)
                        ? $"The cluster could not let this node in within {PatienceMax.TotalSeconds:0} s: {all}. The same command goes on where this one ended."
                        : $"{who} could {(servers.Count == 1 ? "not " : "")}be reached: {all}.");
            }

            LogWaiting(all);
            await Task.Delay(RetryDelay, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<JoinResponse?> TryAsync(
        TicketServer server, JoinRequest request, IrohEndpoint? endpoint, List<Attempt> tried, CancellationToken cancellationToken)
    {
        int before = tried.Count;
        if (endpoint is null)
            tried.Add(new Attempt("P2P is not ready on this node", false));
        else if (server.Address.Addresses.Count == 0 && !canLookUp)
            tried.Add(new Attempt("the ticket holds no P2P address", false));
        else if (await TryP2pAsync(server, request, endpoint, tried, cancellationToken).ConfigureAwait(false) is { } response)
            return response;

        // A server that was reached and cannot let us in now says the same on the other way.
        if (tried.Skip(before).Any(attempt => attempt.IsWorthAnother))
            return null;
        if (server.GrpcAddress.Length > 0)
            return await TryGrpcAsync(server, request, tried, cancellationToken).ConfigureAwait(false);
        tried.Add(new Attempt("the ticket holds no gRPC address", false));
        return null;
    }

    private async Task<JoinResponse?> TryP2pAsync(
        TicketServer server, JoinRequest request, IrohEndpoint endpoint, List<Attempt> tried, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(DialTimeout);
        try
        {
            await using GuestConnection connection = await GuestConnection.ConnectAsync(
                endpoint, server.Address, time, metrics, patience.Token).ConfigureAwait(false);
            return await CallAsync(connection.Caller, request, "over P2P", tried, cancellationToken).ConfigureAwait(false);
        }
        catch (IrohConnectException e)
        {
            tried.Add(new Attempt($"over P2P: {e.Message.TrimEnd('.')}", false));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            tried.Add(new Attempt(
                $"over P2P: {Where(server)} within {DialTimeout.TotalSeconds:0} s", false));
        }

        return null;
    }

    private static string Where(TicketServer server) => server.Address.Addresses.Count > 0
        ? $"nobody answered at {string.Join(", ", server.Address.Addresses)}"
        : "no look-up service found it";

    private async Task<JoinResponse?> TryGrpcAsync(TicketServer server, JoinRequest request, List<Attempt> tried, CancellationToken cancellationToken)
    {
        using var caller = new GrpcCaller(
            new GrpcCallerOptions
            {
                Address = server.GrpcAddress,
                ExpectedEndpointId = server.Address.Id.Span.ToArray(),
                Certificate = certificate,
            },
            time, metrics);
        return await CallAsync(caller, request, $"over gRPC at {server.GrpcAddress}", tried, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<JoinResponse?> CallAsync(
        IRpcCaller caller, JoinRequest request, string way, List<Attempt> tried, CancellationToken cancellationToken)
    {
        try
        {
            return await caller.CallAsync(ClusterMethods.Join, request, RpcCallOptions.Within(CallTimeout), cancellationToken).ConfigureAwait(false);
        }
        catch (RpcException e) when (e.IsTransportFailure || e.StatusCode is RpcStatusCode.DeadlineExceeded or RpcStatusCode.Unavailable)
        {
            tried.Add(new Attempt(
                $"{way}: {e.Message.TrimEnd('.')}", e is { Stage: RpcFailureStage.Answered, StatusCode: RpcStatusCode.Unavailable or RpcStatusCode.DeadlineExceeded }));
            return null;
        }
        catch (RpcException e)
        {
            throw new NodeStartException(NodeStartFailure.Refused, e.Message, e);
        }
    }

    [LoggerMessage(EventId = 6301, EventName = "JoinWaits", Level = LogLevel.Warning, Message = "The cluster cannot let this node in yet, and is asked again: {Reason}")]
    private partial void LogWaiting(string reason);

    // What one way to one server brought, and whether the same call may succeed soon.
    private readonly record struct Attempt(string Text, bool IsWorthAnother);
}
