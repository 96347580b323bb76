using Iroh.Base;

namespace Blixard.Etcd.Membership;

/// <summary>A member of an etcd cluster.</summary>
/// <param name="Endpoint">The node whose etcd it is.</param>
/// <param name="Id">etcd's own id of it, which is never given twice.</param>
/// <param name="IsLearner">Whether it follows without a vote.</param>
/// <param name="IsStarted">Whether it has ever been part of the cluster.</param>
public sealed record EtcdMember(EndpointId Endpoint, ulong Id, bool IsLearner, bool IsStarted);
