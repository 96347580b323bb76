using System.Collections.Concurrent;
using Blixard.Cluster.Links;
using Blixard.Cluster.Membership;
using Blixard.Node.Peers;
using Blixard.Node.Storage;
using Blixard.Rpc.Diagnostics;
using Iroh;
using Iroh.Base;
using Iroh.Protocols;

namespace Blixard.Node.P2p;

/// <summary>
/// Calls the server by key before the members are known. Links need the list of members, which is in the server's store: without
/// this a worker that starts again could only come back over gRPC. A server that has moved meanwhile dials its members, this node
/// among them; where it dials from is where it is called.
/// </summary>
internal sealed class ServerFinder(
    IrohEndpoint endpoint, KnownServer server, Peer peer, MemberDirectory directory, TimeProvider time, RpcMetrics metrics)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan DialTimeout = TimeSpan.FromSeconds(5);

    // A server that has not told the members by then is called anew: its side gives up idle connections of this age.
    private static readonly TimeSpan PatienceWithConnection = TimeSpan.FromSeconds(30);

    // Addresses from which the server dialled, while nothing else was known; more than a machine uses at a time are not kept.
    private const int SpottedMax = 8;

    private readonly ConcurrentQueue<TransportAddress> _spotted = new();

    /// <summary>Puts itself before a handler, to see the server dial.</summary>
    public IProtocolHandler Before(IProtocolHandler handler) => new Lookout(this, handler);

    /// <summary>Dials until the members are known, and keeps the connection until a link has taken its place.</summary>
    /// <param name="isLinked">Whether there is a link to the server.</param>
    /// <param name="cancellationToken">Ends it, quietly.</param>
    public async Task RunAsync(Func<bool> isLinked, CancellationToken cancellationToken)
    {
        try
        {
            while (!directory.Loaded.IsCompleted)
            {
                await TryAsync(isLinked, cancellationToken).ConfigureAwait(false);
                await Task.Delay(RetryDelay, time, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The endpoint is closed.
        }
    }

    private async Task TryAsync(Func<bool> isLinked, CancellationToken cancellationToken)
    {
        IEnumerable<TransportAddress> known = EndpointTicket.TryParse(server.Ticket, out EndpointTicket? ticket) ? ticket.Address.Addresses : [];
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(DialTimeout);
        GuestConnection connection;
        try
        {
            connection = await GuestConnection.ConnectAsync(
                endpoint, new EndpointAddress(peer.Id, known.Concat(_spotted)), time, metrics, patience.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IrohConnectException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return;
        }

        await using (connection)
        {
            peer.Channel.OnLinkReady(connection.Caller);
            await Task.WhenAny(directory.Loaded, Task.Delay(PatienceWithConnection, time, cancellationToken)).ConfigureAwait(false);
            while (directory.Loaded.IsCompletedSuccessfully && !isLinked())
                await Task.Delay(RetryDelay, time, cancellationToken).ConfigureAwait(false);
            if (!isLinked())
                peer.Channel.OnLinkLost("the connection made at the start brought no members");
        }
    }

    private void Spot(IrohConnection connection)
    {
        if (connection.RemoteId == peer.Id && !directory.Loaded.IsCompleted && _spotted.Count < SpottedMax)
            _spotted.Enqueue(TransportAddress.Ip(connection.Path.Remote));
    }

    private sealed class Lookout(ServerFinder finder, IProtocolHandler handler) : IProtocolHandler
    {
        public Task AcceptAsync(IrohConnection connection, CancellationToken cancellationToken)
        {
            finder.Spot(connection);
            return handler.AcceptAsync(connection, cancellationToken);
        }
    }
}
