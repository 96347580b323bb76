using Blixard.Rpc.Calls;
using Blixard.Rpc.Services;
using Blixard.Rpc.Tests.Support;
using Blixard.V1;

namespace Blixard.Rpc.Tests.Services;

public sealed class RpcServiceTests
{
    [Fact]
    public void Every_described_method_of_the_cluster_has_its_object()
    {
        RpcMethod[] ours =
        [
            ClusterMethods.Join, ClusterMethods.Leave, ClusterMethods.UpdateNode, ClusterMethods.Status, ClusterMethods.Ping,
            ClusterMethods.CreateToken, ClusterMethods.WatchMembers,
            StoreMethods.Get, StoreMethods.Range, StoreMethods.Transact, StoreMethods.Watch,
            StoreMethods.GrantLease, StoreMethods.KeepLease, StoreMethods.RevokeLease, TunnelMethods.Open, TunnelMethods.Pulse,
            VmMethods.Run, VmMethods.List, VmMethods.Inspect, VmMethods.Start, VmMethods.Stop, VmMethods.Remove, VmMethods.Logs, VmMethods.Console,
            ImageMethods.Add, ImageMethods.Pull, ImageMethods.List, ImageMethods.Inspect, ImageMethods.Remove, ImageMethods.Verify,
            ImageMethods.ShareCatalogue, ImageMethods.RevokeCatalogue, ImageMethods.AddCatalogue, ImageMethods.ListCatalogues, ImageMethods.RemoveCatalogue,
            ExchangeMethods.Open,
            HealthMethods.Check, HealthMethods.Watch, LocalMethods.Shutdown,
        ];
        IEnumerable<string> described = new[]
        {
            ClusterReflection.Descriptor, StoreReflection.Descriptor, VmReflection.Descriptor, ImageReflection.Descriptor,
            HealthReflection.Descriptor, LocalReflection.Descriptor, TunnelReflection.Descriptor, ExchangeReflection.Descriptor,
        }.SelectMany(f => f.Services).SelectMany(s => s.Methods).Select(m => $"/{m.Service.FullName}/{m.Name}");
        Assert.Equal(described.Order(StringComparer.Ordinal), ours.Select(m => m.Path).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Idempotence_is_what_the_description_says()
    {
        Assert.False(ClusterMethods.Join.IsIdempotent);
        Assert.False(StoreMethods.Transact.IsIdempotent);
        Assert.False(VmMethods.Run.IsIdempotent);
        Assert.True(StoreMethods.Get.IsIdempotent);
        Assert.True(VmMethods.Stop.IsIdempotent);
    }

    [Fact]
    public void A_method_that_is_not_described_is_refused_by_name() =>
        Assert.Contains(
            "blixard.v1.Cluster has no method Nothing",
            Assert.Throws<ArgumentException>(() => RpcMethod.Unary<PingRequest, PingResponse>(ClusterReflection.Descriptor, "Cluster", "Nothing")).Message,
            StringComparison.Ordinal);

    [Fact]
    public void A_service_that_is_not_described_is_refused_by_name() =>
        Assert.Contains(
            "has no service Nothing",
            Assert.Throws<ArgumentException>(() => new RpcService(ClusterReflection.Descriptor, "Nothing")).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Wrong_message_types_are_refused_by_name()
    {
        Assert.Contains(
            "/blixard.v1.Cluster/Ping takes blixard.v1.PingRequest, not JoinRequest",
            Assert.Throws<ArgumentException>(() => RpcMethod.Unary<JoinRequest, PingResponse>(ClusterReflection.Descriptor, "Cluster", "Ping")).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "/blixard.v1.Cluster/Ping returns blixard.v1.PingResponse, not JoinResponse",
            Assert.Throws<ArgumentException>(() => RpcMethod.Unary<PingRequest, JoinResponse>(ClusterReflection.Descriptor, "Cluster", "Ping")).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_kind_is_refused()
    {
        Assert.Throws<ArgumentException>(() => RpcMethod.ServerStreaming<PingRequest, PingResponse>(ClusterReflection.Descriptor, "Cluster", "Ping"));
        Assert.Throws<ArgumentException>(() => RpcMethod.Unary<WatchRequest, WatchResponse>(StoreReflection.Descriptor, "Store", "Watch"));
    }

    [Fact]
    public void A_service_without_all_handlers_is_refused_at_the_start_and_names_the_method()
    {
        RpcService health = new RpcService(HealthReflection.Descriptor, "Health")
            .Unary(HealthMethods.Check, (_, _) => Task.FromResult(new HealthCheckResponse()));
        InvalidOperationException e = Assert.Throws<InvalidOperationException>(() => new RpcServiceTable([health]));
        Assert.Contains("blixard.v1.Health/Watch", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_handler_or_service_given_twice_is_refused()
    {
        RpcService health = new RpcService(HealthReflection.Descriptor, "Health")
            .Unary(HealthMethods.Check, (_, _) => Task.FromResult(new HealthCheckResponse()));
        Assert.Throws<ArgumentException>(() => health.Unary(HealthMethods.Check, (_, _) => Task.FromResult(new HealthCheckResponse())));
        using var one = new ProbeService();
        InvalidOperationException e = Assert.Throws<InvalidOperationException>(() => new RpcServiceTable([one.Bind(), one.Bind()]));
        Assert.Contains("blixard.probe.v1.Probe", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_method_of_another_service_is_refused() =>
        Assert.Throws<ArgumentException>(() => new RpcService(HealthReflection.Descriptor, "Health")
            .Unary(ClusterMethods.Ping, (_, _) => Task.FromResult(new PingResponse())));
}
