using Blixard.Cluster.Membership;
using Blixard.Cluster.Tokens;
using Blixard.Etcd.Process;
using Blixard.Node.Events;
using Blixard.Node.Membership;
using Blixard.Node.Metrics;
using Blixard.Node.Peers;
using Blixard.Node.Raft;
using Blixard.Node.Storage;
using Blixard.V1;
using Iroh.Base;
using Iroh.Cryptography;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Startup;

/// <summary>Decides as what a server enters Raft, and starts its etcd so. What it starts belongs to the caller.</summary>
internal sealed class RaftStart(
    NodeSelf self, NodeOptions options, DataDirectory directory, NodeMemory memory, PeerTable peers, NodeMetrics metrics, NodeEventHub events,
    TimeProvider time, ILoggerFactory loggers)
{
    /// <summary>Starts this server's etcd: as a new member, with the data that it has, or as the first of a new cluster.</summary>
    /// <param name="joined">What the cluster said when it let this node in; null when the node goes on or is the first.</param>
    /// <param name="known">The members as the node knew them last.</param>
    /// <param name="callServers">Asks the cluster's servers to take this one into Raft; null while there is no key to ask with.</param>
    /// <param name="problem">Why there is no key.</param>
    /// <param name="cancellationToken">Gives the start up.</param>
    /// <exception cref="NodeStartException">The key is needed and is not there, or etcd cannot be started.</exception>
    public async Task<RaftHost> StartAsync(
        JoinResponse? joined, IReadOnlyList<Member> known, Func<IReadOnlyList<TicketServer>, JoinRequest, CancellationToken, Task<JoinResponse>>? callServers, string problem,
        CancellationToken cancellationToken)
    {
        if (self.Id is not { } id)
            throw new NodeStartException(NodeStartFailure.Failed, problem);
        EtcdStart start = new EtcdStart.Continue();
        if (joined is null && !RaftHost.HasData(directory.EtcdPath))
        {
            TicketServer[] others = [.. KnownServers.ToTicket(known, id)];
            // Who has a record was a server before: its data are gone, and an empty store in their place would be a lie.
            bool isFounded = known.Any(member => member.Node.EndpointId.Span.SequenceEqual(id.Span));
            if (others.Length == 0 && !isFounded)
                start = new EtcdStart.NewCluster(await FoundAsync(id, cancellationToken).ConfigureAwait(false));
            else if (others.Length > 0 && callServers is null)
                throw new NodeStartException(NodeStartFailure.Failed, problem);
            else if (others.Length > 0)
                joined = await callServers!(others, new JoinRequest(), cancellationToken).ConfigureAwait(false);
        }

        if (joined is not null)
            start = new EtcdStart.Join(joined.Store.RaftToken, [.. joined.Store.RaftMembers.Select(member => EndpointId.FromBytes(member.Span))]);
        var host = new RaftHostOptions
        {
            Directory = directory.EtcdPath,
            Program = options.EtcdProgram,
            Self = id,
            ClusterId = memory.Current!.ClusterId,
            Peers = peers,
            Events = events,
            Metrics = metrics.Rpc,
            RaftMetrics = metrics.Raft,
            FollowsNumbers = options.Otlp is not null,
            Time = time,
            Loggers = loggers,
        };
        var members = known.ToDictionary(member => EndpointId.FromBytes(member.Node.EndpointId.Span));
        foreach ((EndpointId other, Member member) in members.Where(pair => pair.Key != id))
            peers.Put(other, member.Node.Name, member.Node.GrpcAddress);
        return await RaftHost.StartAsync(host, start, members, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Decides on the id of a new cluster and remembers it, so that a node which is killed now goes on with the same.</summary>
    private async Task<string> FoundAsync(EndpointId id, CancellationToken cancellationToken)
    {
        if (memory.Current is { } file)
            return file.ClusterId;
        // Without an etcd there is no cluster to remember.
        await RaftHost.RequireProgramAsync(options.EtcdProgram, time, cancellationToken).ConfigureAwait(false);
        string clusterId = Members.NewClusterId(OperatingSystemRandomSource.Instance);
        memory.Set(new NodeFile { Name = self.Name, ClusterId = clusterId, IsServer = true, Engine = StoreEngine.Etcd, EndpointId = id.ToString() });
        return clusterId;
    }
}
