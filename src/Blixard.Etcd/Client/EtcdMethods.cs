using Blixard.Etcd.Wire;
using Blixard.Rpc.Calls;

namespace Blixard.Etcd.Client;

/// <summary>The methods of etcd's v3 API that are called; proto/etcd/rpc.proto says what they do.</summary>
internal static class EtcdMethods
{
    public static readonly RpcMethod<RangeRequest, RangeResponse> Range = Unary<RangeRequest, RangeResponse>("KV", "Range");
    public static readonly RpcMethod<TxnRequest, TxnResponse> Txn = Unary<TxnRequest, TxnResponse>("KV", "Txn");
    public static readonly RpcMethod<CompactionRequest, CompactionResponse> Compact = Unary<CompactionRequest, CompactionResponse>("KV", "Compact");

    public static readonly RpcMethod<WatchRequest, WatchResponse> Watch =
        RpcMethod.Duplex<WatchRequest, WatchResponse>(RpcReflection.Descriptor, "Watch", "Watch");

    public static readonly RpcMethod<LeaseGrantRequest, LeaseGrantResponse> LeaseGrant = Unary<LeaseGrantRequest, LeaseGrantResponse>("Lease", "LeaseGrant");
    public static readonly RpcMethod<LeaseRevokeRequest, LeaseRevokeResponse> LeaseRevoke = Unary<LeaseRevokeRequest, LeaseRevokeResponse>("Lease", "LeaseRevoke");
    public static readonly RpcMethod<LeaseTimeToLiveRequest, LeaseTimeToLiveResponse> LeaseTimeToLive =
        Unary<LeaseTimeToLiveRequest, LeaseTimeToLiveResponse>("Lease", "LeaseTimeToLive");

    public static readonly RpcMethod<LeaseKeepAliveRequest, LeaseKeepAliveResponse> LeaseKeepAlive =
        RpcMethod.Duplex<LeaseKeepAliveRequest, LeaseKeepAliveResponse>(RpcReflection.Descriptor, "Lease", "LeaseKeepAlive");

    public static readonly RpcMethod<MemberListRequest, MemberListResponse> MemberList = Unary<MemberListRequest, MemberListResponse>("Cluster", "MemberList");
    public static readonly RpcMethod<MemberAddRequest, MemberAddResponse> MemberAdd = Unary<MemberAddRequest, MemberAddResponse>("Cluster", "MemberAdd");
    public static readonly RpcMethod<MemberRemoveRequest, MemberRemoveResponse> MemberRemove =
        Unary<MemberRemoveRequest, MemberRemoveResponse>("Cluster", "MemberRemove");

    public static readonly RpcMethod<MemberPromoteRequest, MemberPromoteResponse> MemberPromote =
        Unary<MemberPromoteRequest, MemberPromoteResponse>("Cluster", "MemberPromote");

    public static readonly RpcMethod<StatusRequest, StatusResponse> Status = Unary<StatusRequest, StatusResponse>("Maintenance", "Status");
    public static readonly RpcMethod<AlarmRequest, AlarmResponse> Alarm = Unary<AlarmRequest, AlarmResponse>("Maintenance", "Alarm");
    public static readonly RpcMethod<MoveLeaderRequest, MoveLeaderResponse> MoveLeader = Unary<MoveLeaderRequest, MoveLeaderResponse>("Maintenance", "MoveLeader");

    public static readonly RpcMethod<SnapshotRequest, SnapshotResponse> Snapshot =
        RpcMethod.ServerStreaming<SnapshotRequest, SnapshotResponse>(RpcReflection.Descriptor, "Maintenance", "Snapshot");

    private static RpcMethod<TRequest, TResponse> Unary<TRequest, TResponse>(string service, string name)
        where TRequest : class, Google.Protobuf.IMessage<TRequest>, new()
        where TResponse : class, Google.Protobuf.IMessage<TResponse>, new() =>
        RpcMethod.Unary<TRequest, TResponse>(RpcReflection.Descriptor, service, name);
}
