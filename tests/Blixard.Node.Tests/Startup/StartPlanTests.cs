using Blixard.Cluster.Tokens;
using Blixard.Node.Startup;
using Blixard.Node.Storage;
using Iroh.Base;

namespace Blixard.Node.Tests.Startup;

public sealed class StartPlanTests
{
    private static readonly JoinTicket s_ticket = new(
        "cluster", [new TicketServer(EndpointAddress.FromEndpointId(SecretKey.FromBytes(new byte[32]).PublicKey), "127.0.0.1:1")], new byte[JoinTicket.SecretLength]);

    [Theory]
    [InlineData(null, "sqlite")]
    [InlineData("sqlite", "sqlite")]
    [InlineData("etcd", "etcd")]
    public void A_new_cluster_has_the_engine_that_is_asked_for(string? asked, string expected)
    {
        StartPlan plan = Make(new NodeStart.Up(asked), null);

        Assert.Equal((true, expected, null), (plan.IsServer, plan.Engine, plan.Join));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_node_joins_in_the_role_that_is_asked_for(bool asServer) =>
        Assert.Equal(asServer, Make(new NodeStart.Join(s_ticket, asServer), null).IsServer);

    [Theory]
    [InlineData(null)]
    [InlineData("etcd")]
    public void A_directory_that_belongs_to_a_cluster_goes_on_in_it(string? asked)
    {
        StartPlan plan = Make(new NodeStart.Up(asked), File(isServer: true));

        Assert.Equal(("n", true, "etcd", null), (plan.Name, plan.IsServer, plan.Engine, plan.Join));
        Assert.Null(Make(new NodeStart.Join(s_ticket, AsServer: true), File(isServer: true)).Join);
    }

    [Fact]
    public void What_contradicts_the_directory_or_itself_is_a_usage_error_in_words()
    {
        Refuse(new NodeStart.Up("sqlite"), File(isServer: true), "store migrate");
        Refuse(new NodeStart.Up("raft"), null, "no engine 'raft'");
        Refuse(new NodeStart.Join(s_ticket, AsServer: true), File(isServer: false), "is a worker of its cluster");
        Refuse(new NodeStart.Join(s_ticket, AsServer: false), File(isServer: true), "is a server of its cluster");
        Refuse(new NodeStart.Join(s_ticket, AsServer: false, Replace: "dead"), null, "--role server");
    }

    private static void Refuse(NodeStart start, NodeFile? file, string expected)
    {
        NodeStartException refused = Assert.Throws<NodeStartException>(() => Make(start, file));
        Assert.Equal(NodeStartFailure.Usage, refused.Failure);
        Assert.Contains(expected, refused.Message);
    }

    private static StartPlan Make(NodeStart start, NodeFile? file) => StartPlan.Make(new NodeOptions { Name = "n" }, start, file, "/d");

    private static NodeFile File(bool isServer) => new() { Name = "n", ClusterId = "cluster", IsServer = isServer, Engine = "etcd" };
}
