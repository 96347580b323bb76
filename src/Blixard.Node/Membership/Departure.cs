using Blixard.Cluster.Membership;
using Blixard.Cluster.Store;
using Blixard.Etcd.Client;
using Blixard.Etcd.Membership;
using Blixard.Node.Events;
using Blixard.Node.Peers;
using Blixard.Node.Raft;
using Blixard.Node.Storage;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Iroh.Base;

namespace Blixard.Node.Membership;

/// <summary>Takes members out of the cluster, this node among them. A server leaves Raft before its record goes, while it can still be
/// asked for its vote.</summary>
/// <param name="self">This node.</param>
/// <param name="cluster">The records.</param>
/// <param name="raft">This node's part in Raft; null if it has none.</param>
/// <param name="reports">What the servers say of theirs.</param>
/// <param name="peers">Calls other nodes.</param>
/// <param name="engine">The cluster's engine.</param>
/// <param name="forget">Makes this node forget the cluster.</param>
/// <param name="lifetime">Ends when this node has left.</param>
/// <param name="events">Told of it.</param>
/// <param name="endVms">Ends this node's own VMs and waits until they are gone.</param>
internal sealed class Departure(
    NodeSelf self, NodeCluster cluster, RaftHost? raft, RaftReports reports, PeerTable peers, Func<string> engine, Action forget, NodeLifetime lifetime,
    NodeEventHub events, Func<CancellationToken, Task> endVms)
{
    // A node that lives answers a ping in parts of a second; over a bad link in two.
    private static readonly TimeSpan SignOfLifeTimeout = TimeSpan.FromSeconds(3);

    // A server that was taken out of Raft tries for so long to take its record away as well.
    private static readonly TimeSpan FarewellTimeout = TimeSpan.FromSeconds(5);

    // All voters must have been connected for 5 s, which they are unless something has just happened.
    private static readonly TimeSpan RaftPatience = TimeSpan.FromSeconds(10);

    private bool _isLeaving;
    private int _hasLeft;

    /// <summary>Whether this node has left, or was removed: its data are of no cluster any more.</summary>
    public bool HasLeft => Volatile.Read(ref _hasLeft) != 0;

    /// <summary>Whether this node is leaving or has left: it says nothing more of itself in the cluster's records.</summary>
    public bool IsLeaving => Volatile.Read(ref _isLeaving) || HasLeft;

    /// <summary>Another member removed this node: it forgets the cluster and ends.</summary>
    public void OnRemoved()
    {
        if (Volatile.Read(ref _isLeaving) || Interlocked.Exchange(ref _hasLeft, 1) != 0)
            return;
        forget();
        events.Publish(new WarningEvent("Another member removed this node from the cluster."));
        lifetime.End("removed from the cluster by another member");
    }

    /// <summary>Raft has removed this server: its record goes as well, if whoever removed it came to that no more.</summary>
    public async Task OnRaftRemovedAsync()
    {
        if (Volatile.Read(ref _isLeaving) || HasLeft || self.Id is not { } id)
            return;
        try
        {
            using var patience = new CancellationTokenSource(FarewellTimeout);
            await cluster.Members.LeaveAsync(id, patience.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is MembershipException or StoreUnavailableException or OperationCanceledException)
        {
            // It is gone, or the others see to it.
        }

        OnRemoved();
    }

    /// <summary>Removes a member; if it is this node, it ends afterwards.</summary>
    /// <returns>The store revision of the removal.</returns>
    /// <exception cref="RpcException">FAILED_PRECONDITION: VMs are placed on it, and not forced, or the servers that stay could not decide.
    /// UNAVAILABLE: Raft does not allow it at the moment.</exception>
    public async Task<long> RemoveAsync(EndpointId id, bool force, CancellationToken cancellationToken)
    {
        Member member = await cluster.Members.TryGetAsync(id, cancellationToken).ConfigureAwait(false)
            ?? throw new RpcException(RpcStatusCode.NotFound, $"{id.ToShortString()} is no member of this cluster");
        string name = member.Node.Name;
        bool isServer = member.Node.Role == NodeRole.Server;
        if (isServer && raft is null && engine() == StoreEngine.Etcd)
            return await AskServerAsync(id, force, cancellationToken).ConfigureAwait(false);
        VmRecord[] placed = [.. (await cluster.Vms.ListAsync(cancellationToken).ConfigureAwait(false)).Where(vm => vm.Status.Node == name)];
        if (placed.Length > 0 && !force)
        {
            throw new RpcException(
                RpcStatusCode.FailedPrecondition, $"VMs are placed on {name}: {Names(placed)}. Remove them first, or let the node leave by force, which removes them.");
        }

        // Who may not leave loses no VM.
        if (isServer)
            await RequireSpareAsync(member, id, cancellationToken).ConfigureAwait(false);
        foreach (VmRecord vm in placed)
            await cluster.Vms.RemoveAsync(vm.Spec.Name, force: true, cancellationToken).ConfigureAwait(false);
        return id == self.Id
            ? await LeaveAsync(member, id, cancellationToken).ConfigureAwait(false)
            : await TakeOutAsync(member, id, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Removes a server that is dead, so that another can take its place.</summary>
    /// <param name="member">Its record.</param>
    /// <param name="keepsVms">Whether its VMs stay placed on its name, which the new one takes.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    /// <exception cref="RpcException">FAILED_PRECONDITION: it is alive, VMs are placed on it, or the others could not decide.</exception>
    public async Task RemoveDeadServerAsync(Member member, bool keepsVms, CancellationToken cancellationToken)
    {
        string name = member.Node.Name;
        EndpointId id = EndpointId.FromBytes(member.Node.EndpointId.Span);
        if (id == self.Id || await LivesAsync(id, cancellationToken).ConfigureAwait(false))
        {
            throw new RpcException(
                RpcStatusCode.FailedPrecondition, $"{name} is alive and is not replaced. Let it leave with 'blixard leave' on its machine, or stop it first.");
        }

        VmRecord[] placed = [.. (await cluster.Vms.ListAsync(cancellationToken).ConfigureAwait(false)).Where(vm => vm.Status.Node == name)];
        if (placed.Length > 0 && !keepsVms)
        {
            throw new RpcException(
                RpcStatusCode.FailedPrecondition,
                $"VMs are placed on {name}: {Names(placed)}. Remove them first, or let the new server have the same name: then they become its own.");
        }

        await RequireSpareAsync(member, id, cancellationToken).ConfigureAwait(false);
        await TakeOutAsync(member, id, cancellationToken).ConfigureAwait(false);
    }

    private static string Names(IEnumerable<VmRecord> vms) => string.Join(", ", vms.Select(vm => vm.Spec.Name));

    private async Task<long> LeaveAsync(Member member, EndpointId id, CancellationToken cancellationToken)
    {
        Volatile.Write(ref _isLeaving, true);
        try
        {
            await endVms(cancellationToken).ConfigureAwait(false);
            long revision = raft is not null
                ? await LeaveRaftAsync(id, cancellationToken).ConfigureAwait(false)
                : await TakeOutAsync(member, id, cancellationToken).ConfigureAwait(false);
            Interlocked.Exchange(ref _hasLeft, 1);
            forget();
            events.Publish(new MemberLeftEvent(member.Node.Name, id.ToString()));
            lifetime.EndAfterAnswer("left the cluster");
            return revision;
        }
        finally
        {
            // If that failed it is still in, and hears when others remove it.
            Volatile.Write(ref _isLeaving, false);
        }
    }

    // Whoever takes itself out of Raft is gone before it can tell: another server does it.
    private async Task<long> LeaveRaftAsync(EndpointId id, CancellationToken cancellationToken)
    {
        try
        {
            await raft!.Members.MoveLeaderAsync(RaftReports.Alive(await reports.CollectAsync(cancellationToken).ConfigureAwait(false)), cancellationToken).ConfigureAwait(false);
        }
        catch (EtcdException)
        {
            // The others elect one, which takes a second longer.
        }

        return await AskServerAsync(id, force: true, cancellationToken).ConfigureAwait(false);
    }

    private async Task<long> TakeOutAsync(Member member, EndpointId id, CancellationToken cancellationToken)
    {
        await cluster.Images.RemoveHolderEverywhereAsync(member.Node.Name, cancellationToken).ConfigureAwait(false);
        if (raft is not null && member.Node.Role == NodeRole.Server)
        {
            Func<EndpointId, bool> isAlive = RaftReports.Alive(await reports.CollectAsync(cancellationToken).ConfigureAwait(false));
            await raft.Members.RemoveAsync(id, isAlive, progress: null, RaftPatience, cancellationToken).ConfigureAwait(false);
        }

        long revision = await cluster.Members.LeaveAsync(id, cancellationToken).ConfigureAwait(false);
        // It may have noted once more what it holds before it was out; who has taken itself out may not write any more, and need not.
        if (id != self.Id)
            await cluster.Images.RemoveHolderEverywhereAsync(member.Node.Name, cancellationToken).ConfigureAwait(false);
        return revision;
    }

    private async Task RequireSpareAsync(Member member, EndpointId id, CancellationToken cancellationToken)
    {
        if (raft is null)
        {
            if (cluster.Directory.Current.Values.Count(other => other.Node.Role == NodeRole.Server) > 1)
                return;
            throw new RpcException(
                RpcStatusCode.FailedPrecondition, $"{member.Node.Name} is the last server: it holds the cluster's store. Without it there is no cluster.");
        }

        Func<EndpointId, bool> isAlive = RaftReports.Alive(await reports.CollectAsync(cancellationToken).ConfigureAwait(false));
        IReadOnlyList<EtcdMember> members = await raft.Members.ListAsync(cancellationToken).ConfigureAwait(false);
        QuorumVerdict verdict = QuorumRule.Remove(
            [.. members.Select(server => new QuorumMember(server.Endpoint, NameOf(server.Endpoint), server.IsLearner, isAlive(server.Endpoint)))], id);
        if (!verdict.IsAllowed)
            throw new RpcException(RpcStatusCode.FailedPrecondition, verdict.Reason);
    }

    private string NameOf(EndpointId id) => cluster.Directory.TryGet(id, out Member? member) ? member.Node.Name : id.ToShortString();

    private async Task<bool> LivesAsync(EndpointId id, CancellationToken cancellationToken)
    {
        if (!peers.TryGet(id, out Peer? peer))
            return false;
        try
        {
            await peer.Channel.CallAsync(ClusterMethods.Ping, new PingRequest(), RpcCallOptions.Within(SignOfLifeTimeout), cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (RpcException)
        {
            return false;
        }
    }

    // The first other server that answers does it.
    private async Task<long> AskServerAsync(EndpointId id, bool force, CancellationToken cancellationToken)
    {
        var request = new LeaveRequest { EndpointId = Google.Protobuf.ByteString.CopyFrom(id.Span), Force = force };
        RpcException? last = null;
        foreach ((EndpointId server, Member _) in cluster.Directory.Current.Where(pair => pair.Value.Node.Role == NodeRole.Server && pair.Key != id && pair.Key != self.Id))
        {
            try
            {
                if (peers.TryGet(server, out Peer? peer))
                    return (await peer.Channel.CallAsync(ClusterMethods.Leave, request, null, cancellationToken).ConfigureAwait(false)).Revision;
            }
            catch (RpcException e) when (e.IsTransportFailure)
            {
                last = e;
            }
        }

        throw last ?? new RpcException(RpcStatusCode.Unavailable, "no server of the cluster is known here");
    }
}
