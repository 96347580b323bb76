using Blixard.Node.Events;
using Blixard.Node.Storage;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Iroh.Base;

namespace Blixard.Node.Membership;

/// <summary>Takes members out of the cluster, this node among them.</summary>
/// <param name="self">This node.</param>
/// <param name="cluster">The records.</param>
/// <param name="memory">Forgets the cluster when this node leaves.</param>
/// <param name="lifetime">Ends when this node has left.</param>
/// <param name="events">Told of it.</param>
/// <param name="endVms">Ends this node's own VMs and waits until they are gone.</param>
internal sealed class Departure(
    NodeSelf self, NodeCluster cluster, NodeMemory memory, NodeLifetime lifetime, NodeEventHub events, Func<CancellationToken, Task> endVms)
{
    private bool _isLeaving;

    /// <summary>Another member removed this node: it forgets the cluster and ends.</summary>
    public void OnRemoved()
    {
        if (Volatile.Read(ref _isLeaving))
            return;
        memory.Clear();
        events.Publish(new WarningEvent("Another member removed this node from the cluster."));
        lifetime.End("removed from the cluster by another member");
    }

    /// <summary>Removes a member; if it is this node, it ends afterwards.</summary>
    /// <returns>The store revision of the removal.</returns>
    /// <exception cref="RpcException">FAILED_PRECONDITION: VMs are placed on it, and not forced.</exception>
    public async Task<long> RemoveAsync(EndpointId id, bool force, CancellationToken cancellationToken)
    {
        Member member = await cluster.Members.TryGetAsync(id, cancellationToken).ConfigureAwait(false)
            ?? throw new RpcException(RpcStatusCode.NotFound, $"{id.ToShortString()} is no member of this cluster");
        string name = member.Node.Name;
        VmRecord[] placed = [.. (await cluster.Vms.ListAsync(cancellationToken).ConfigureAwait(false)).Where(vm => vm.Status.Node == name)];
        if (placed.Length > 0 && !force)
        {
            string names = string.Join(", ", placed.Select(vm => vm.Spec.Name));
            throw new RpcException(
                RpcStatusCode.FailedPrecondition, $"VMs are placed on {name}: {names}. Remove them first, or let the node leave by force, which removes them.");
        }

        // Who may not leave loses no VM.
        if (member.Node.Role == NodeRole.Server && cluster.Directory.Current.Values.Count(other => other.Node.Role == NodeRole.Server) <= 1)
        {
            throw new RpcException(
                RpcStatusCode.FailedPrecondition, $"{name} is the last server: it holds the cluster's store. Without it there is no cluster.");
        }

        foreach (VmRecord vm in placed)
            await cluster.Vms.RemoveAsync(vm.Spec.Name, force: true, cancellationToken).ConfigureAwait(false);
        if (id == self.Id)
        {
            Volatile.Write(ref _isLeaving, true);
            await endVms(cancellationToken).ConfigureAwait(false);
        }

        await cluster.Images.RemoveHolderEverywhereAsync(name, cancellationToken).ConfigureAwait(false);
        long revision = await cluster.Members.LeaveAsync(id, cancellationToken).ConfigureAwait(false);
        if (id == self.Id)
        {
            memory.Clear();
            events.Publish(new MemberLeftEvent(name, id.ToString()));
            lifetime.EndAfterAnswer("left the cluster");
        }

        return revision;
    }
}
