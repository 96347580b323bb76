using System.Globalization;
using Blixard.Cluster.Liveness;
using Blixard.MicroVm.Guarding;
using Blixard.Node.Events;
using Blixard.Node.Membership;
using Iroh.Base;
using Microsoft.Extensions.Logging;

namespace Blixard.Node.Liveness;

/// <summary>This node's sign of life, what it knows of the others', and what it does about the lost while it leads. Thread-safe.</summary>
internal sealed class NodeVitals : IAsyncDisposable
{
    private readonly NodeCluster _cluster;
    private readonly LeaseTimes _times;
    private readonly TimeProvider _time;
    private readonly ILoggerFactory _loggers;
    private FailoverController? _controller;

    /// <summary>Looks at what the node's former process left and begins to watch; nothing is written yet.</summary>
    /// <param name="self">This node.</param>
    /// <param name="cluster">The records.</param>
    /// <param name="timeToLive">How long this node's lease lives without a renewal.</param>
    /// <param name="guardDirectory">The guard's files.</param>
    /// <param name="events">Told of lost nodes.</param>
    /// <param name="time">The clock of delays and records.</param>
    /// <param name="loggers">Get the log.</param>
    public NodeVitals(
        NodeSelf self, NodeCluster cluster, TimeSpan timeToLive, string guardDirectory, NodeEventHub events, TimeProvider time, ILoggerFactory loggers)
    {
        (_cluster, _times, _time, _loggers) = (cluster, new LeaseTimes(timeToLive), time, loggers);
        Guard = VmGuard.Open(guardDirectory);
        Lease = new NodeLease(self, cluster, Guard, _times, time, loggers.CreateLogger<NodeLease>());
        Liveness = new NodeLiveness(cluster, events);
    }

    public VmGuard Guard { get; }

    public NodeLease Lease { get; }

    public NodeLiveness Liveness { get; }

    /// <summary>Begins to renew the lease, and to look after lost nodes while this node leads.</summary>
    /// <param name="id">This node's id; it is a member.</param>
    /// <param name="hasMovable">Whether this node owns VMs that may move.</param>
    /// <param name="isLeader">Whether this node leads now. Two leaders at once do no harm, none for a while neither.</param>
    public void Start(EndpointId id, Func<bool> hasMovable, Func<bool> isLeader)
    {
        Lease.Start(id, hasMovable);
        _controller = new FailoverController(_cluster, Liveness, isLeader, _times, _time, _loggers.CreateLogger<FailoverController>());
    }

    /// <summary>What becomes of VMs when the node's process ends, for people; "" without VMs. Call it after <see cref="DisposeAsync"/>.</summary>
    public string DescribeEnd(IReadOnlyList<string> running, IReadOnlyList<string> movable)
    {
        string staying = string.Join(", ", running.Except(movable));
        string text = staying.Length > 0 ? $"; these VMs go on running, and the next start takes them over: {staying}" : "";
        return movable.Count == 0 ? text : text + string.Create(
            CultureInfo.InvariantCulture,
            $"; these may move to other nodes and are ended in {Lease.TimeLeft.TotalSeconds:0.0} s, unless this node starts again before: {string.Join(", ", movable)}");
    }

    /// <summary>Lets go of everything; the lease is renewed a last time.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_controller is not null)
            await _controller.DisposeAsync().ConfigureAwait(false);
        await Lease.DisposeAsync().ConfigureAwait(false);
        await Liveness.DisposeAsync().ConfigureAwait(false);
    }
}
