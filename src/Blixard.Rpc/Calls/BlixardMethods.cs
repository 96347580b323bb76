using Blixard.V1;

namespace Blixard.Rpc.Calls;

/// <summary>The methods of <c>blixard.v1.Cluster</c>; proto/blixard/v1/cluster.proto says what they do.</summary>
public static class ClusterMethods
{
    /// <summary>Becomes a member.</summary>
    public static readonly RpcMethod<JoinRequest, JoinResponse> Join =
        RpcMethod.Unary<JoinRequest, JoinResponse>(ClusterReflection.Descriptor, "Cluster", "Join");

    /// <summary>Removes a member.</summary>
    public static readonly RpcMethod<LeaveRequest, LeaveResponse> Leave =
        RpcMethod.Unary<LeaveRequest, LeaveResponse>(ClusterReflection.Descriptor, "Cluster", "Leave");

    /// <summary>Replaces the caller's own record.</summary>
    public static readonly RpcMethod<UpdateNodeRequest, UpdateNodeResponse> UpdateNode =
        RpcMethod.Unary<UpdateNodeRequest, UpdateNodeResponse>(ClusterReflection.Descriptor, "Cluster", "UpdateNode");

    /// <summary>The cluster as the peer sees it.</summary>
    public static readonly RpcMethod<StatusRequest, StatusResponse> Status =
        RpcMethod.Unary<StatusRequest, StatusResponse>(ClusterReflection.Descriptor, "Cluster", "Status");

    /// <summary>A sign of life.</summary>
    public static readonly RpcMethod<PingRequest, PingResponse> Ping =
        RpcMethod.Unary<PingRequest, PingResponse>(ClusterReflection.Descriptor, "Cluster", "Ping");

    /// <summary>Makes a join token.</summary>
    public static readonly RpcMethod<CreateTokenRequest, CreateTokenResponse> CreateToken =
        RpcMethod.Unary<CreateTokenRequest, CreateTokenResponse>(ClusterReflection.Descriptor, "Cluster", "CreateToken");

    /// <summary>Members and their changes.</summary>
    public static readonly RpcMethod<WatchMembersRequest, WatchMembersResponse> WatchMembers =
        RpcMethod.ServerStreaming<WatchMembersRequest, WatchMembersResponse>(ClusterReflection.Descriptor, "Cluster", "WatchMembers");
}

/// <summary>The methods of <c>blixard.v1.Raft</c>; proto/blixard/v1/raft.proto says what they do.</summary>
public static class RaftMethods
{
    /// <summary>What a server says of its own etcd.</summary>
    public static readonly RpcMethod<RaftReportRequest, RaftReport> Report =
        RpcMethod.Unary<RaftReportRequest, RaftReport>(RaftReflection.Descriptor, "Raft", "Report");
}

/// <summary>The methods of <c>blixard.v1.Store</c>; proto/blixard/v1/store.proto says what they do.</summary>
public static class StoreMethods
{
    /// <summary>One key.</summary>
    public static readonly RpcMethod<GetRequest, GetResponse> Get =
        RpcMethod.Unary<GetRequest, GetResponse>(StoreReflection.Descriptor, "Store", "Get");

    /// <summary>All keys with a prefix.</summary>
    public static readonly RpcMethod<RangeRequest, RangeResponse> Range =
        RpcMethod.ServerStreaming<RangeRequest, RangeResponse>(StoreReflection.Descriptor, "Store", "Range");

    /// <summary>Compare-and-swap over several keys.</summary>
    public static readonly RpcMethod<TransactRequest, TransactResponse> Transact =
        RpcMethod.Unary<TransactRequest, TransactResponse>(StoreReflection.Descriptor, "Store", "Transact");

    /// <summary>Changes from a revision on.</summary>
    public static readonly RpcMethod<WatchRequest, WatchResponse> Watch =
        RpcMethod.ServerStreaming<WatchRequest, WatchResponse>(StoreReflection.Descriptor, "Store", "Watch");

    /// <summary>A lease.</summary>
    public static readonly RpcMethod<GrantLeaseRequest, GrantLeaseResponse> GrantLease =
        RpcMethod.Unary<GrantLeaseRequest, GrantLeaseResponse>(StoreReflection.Descriptor, "Store", "GrantLease");

    /// <summary>More time for a lease.</summary>
    public static readonly RpcMethod<KeepLeaseRequest, KeepLeaseResponse> KeepLease =
        RpcMethod.Unary<KeepLeaseRequest, KeepLeaseResponse>(StoreReflection.Descriptor, "Store", "KeepLease");

    /// <summary>The end of a lease.</summary>
    public static readonly RpcMethod<RevokeLeaseRequest, RevokeLeaseResponse> RevokeLease =
        RpcMethod.Unary<RevokeLeaseRequest, RevokeLeaseResponse>(StoreReflection.Descriptor, "Store", "RevokeLease");
}

/// <summary>The methods of <c>blixard.v1.Vm</c>; proto/blixard/v1/vm.proto says what they do.</summary>
public static class VmMethods
{
    /// <summary>Records a new VM.</summary>
    public static readonly RpcMethod<RunRequest, RunResponse> Run =
        RpcMethod.Unary<RunRequest, RunResponse>(VmReflection.Descriptor, "Vm", "Run");

    /// <summary>All VMs.</summary>
    public static readonly RpcMethod<ListVmsRequest, ListVmsResponse> List =
        RpcMethod.Unary<ListVmsRequest, ListVmsResponse>(VmReflection.Descriptor, "Vm", "List");

    /// <summary>One VM.</summary>
    public static readonly RpcMethod<InspectVmRequest, InspectVmResponse> Inspect =
        RpcMethod.Unary<InspectVmRequest, InspectVmResponse>(VmReflection.Descriptor, "Vm", "Inspect");

    /// <summary>Wants it to run.</summary>
    public static readonly RpcMethod<StartRequest, StartResponse> Start =
        RpcMethod.Unary<StartRequest, StartResponse>(VmReflection.Descriptor, "Vm", "Start");

    /// <summary>Wants it stopped.</summary>
    public static readonly RpcMethod<StopRequest, StopResponse> Stop =
        RpcMethod.Unary<StopRequest, StopResponse>(VmReflection.Descriptor, "Vm", "Stop");

    /// <summary>Removes it.</summary>
    public static readonly RpcMethod<RemoveVmRequest, RemoveVmResponse> Remove =
        RpcMethod.Unary<RemoveVmRequest, RemoveVmResponse>(VmReflection.Descriptor, "Vm", "Remove");

    /// <summary>The console's output.</summary>
    public static readonly RpcMethod<LogsRequest, LogsResponse> Logs =
        RpcMethod.ServerStreaming<LogsRequest, LogsResponse>(VmReflection.Descriptor, "Vm", "Logs");

    /// <summary>The console, both ways.</summary>
    public static readonly RpcMethod<ConsoleInput, ConsoleOutput> Console =
        RpcMethod.Duplex<ConsoleInput, ConsoleOutput>(VmReflection.Descriptor, "Vm", "Console");
}

/// <summary>The methods of <c>blixard.v1.Image</c>; proto/blixard/v1/image.proto says what they do.</summary>
public static class ImageMethods
{
    /// <summary>Packs an image from local files.</summary>
    public static readonly RpcMethod<AddImageRequest, ImageProgress> Add =
        RpcMethod.ServerStreaming<AddImageRequest, ImageProgress>(ImageReflection.Descriptor, "Image", "Add");

    /// <summary>Brings an image to the peer.</summary>
    public static readonly RpcMethod<PullImageRequest, ImageProgress> Pull =
        RpcMethod.ServerStreaming<PullImageRequest, ImageProgress>(ImageReflection.Descriptor, "Image", "Pull");

    /// <summary>All images.</summary>
    public static readonly RpcMethod<ListImagesRequest, ListImagesResponse> List =
        RpcMethod.Unary<ListImagesRequest, ListImagesResponse>(ImageReflection.Descriptor, "Image", "List");

    /// <summary>One image.</summary>
    public static readonly RpcMethod<InspectImageRequest, InspectImageResponse> Inspect =
        RpcMethod.Unary<InspectImageRequest, InspectImageResponse>(ImageReflection.Descriptor, "Image", "Inspect");

    /// <summary>Takes a name out of the catalogue.</summary>
    public static readonly RpcMethod<RemoveImageRequest, RemoveImageResponse> Remove =
        RpcMethod.Unary<RemoveImageRequest, RemoveImageResponse>(ImageReflection.Descriptor, "Image", "Remove");

    /// <summary>Reads an image on the node's disk.</summary>
    public static readonly RpcMethod<VerifyImageRequest, VerifyImageResponse> Verify =
        RpcMethod.Unary<VerifyImageRequest, VerifyImageResponse>(ImageReflection.Descriptor, "Image", "Verify");

    /// <summary>Lets others read the catalogue.</summary>
    public static readonly RpcMethod<ShareCatalogueRequest, ShareCatalogueResponse> ShareCatalogue =
        RpcMethod.Unary<ShareCatalogueRequest, ShareCatalogueResponse>(ImageReflection.Descriptor, "Image", "ShareCatalogue");

    /// <summary>Ends all sharing.</summary>
    public static readonly RpcMethod<RevokeCatalogueRequest, RevokeCatalogueResponse> RevokeCatalogue =
        RpcMethod.Unary<RevokeCatalogueRequest, RevokeCatalogueResponse>(ImageReflection.Descriptor, "Image", "RevokeCatalogue");

    /// <summary>Adds another cluster's catalogue.</summary>
    public static readonly RpcMethod<AddCatalogueRequest, AddCatalogueResponse> AddCatalogue =
        RpcMethod.Unary<AddCatalogueRequest, AddCatalogueResponse>(ImageReflection.Descriptor, "Image", "AddCatalogue");

    /// <summary>The catalogues of others.</summary>
    public static readonly RpcMethod<ListCataloguesRequest, ListCataloguesResponse> ListCatalogues =
        RpcMethod.Unary<ListCataloguesRequest, ListCataloguesResponse>(ImageReflection.Descriptor, "Image", "ListCatalogues");

    /// <summary>Removes another cluster's catalogue.</summary>
    public static readonly RpcMethod<RemoveCatalogueRequest, RemoveCatalogueResponse> RemoveCatalogue =
        RpcMethod.Unary<RemoveCatalogueRequest, RemoveCatalogueResponse>(ImageReflection.Descriptor, "Image", "RemoveCatalogue");
}

/// <summary>The methods of <c>blixard.v1.Health</c>; proto/blixard/v1/health.proto says what they do.</summary>
public static class HealthMethods
{
    /// <summary>The state now.</summary>
    public static readonly RpcMethod<HealthCheckRequest, HealthCheckResponse> Check =
        RpcMethod.Unary<HealthCheckRequest, HealthCheckResponse>(HealthReflection.Descriptor, "Health", "Check");

    /// <summary>The state now and its changes.</summary>
    public static readonly RpcMethod<HealthCheckRequest, HealthCheckResponse> Watch =
        RpcMethod.ServerStreaming<HealthCheckRequest, HealthCheckResponse>(HealthReflection.Descriptor, "Health", "Watch");
}
