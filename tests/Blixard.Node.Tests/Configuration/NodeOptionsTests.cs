using System.Net;
using Blixard.Node.Configuration;

namespace Blixard.Node.Tests.Configuration;

public sealed class NodeOptionsTests
{
    [Fact]
    public void Defaults_are_valid() => Assert.Null(new NodeOptions().Validate());

    [Theory]
    [InlineData("", "1 to 63 characters")]
    [InlineData("Upper", "a-z, 0-9 and '-'")]
    [InlineData("-a", "begins and ends")]
    [InlineData("a_b", "a-z, 0-9 and '-'")]
    public void A_wrong_name_is_explained(string name, string expected) =>
        Assert.Contains(expected, new NodeOptions { Name = name }.Validate());

    [Fact]
    public void Wrong_numbers_addresses_and_labels_are_explained()
    {
        Assert.Contains("virtual CPUs", new NodeOptions { Vcpus = -1 }.Validate());
        Assert.Contains("MiB", new NodeOptions { MemoryMib = long.MaxValue }.Validate());
        Assert.Contains("at least 16777216", new NodeOptions { ImageQuotaBytes = 1 }.Validate());
        Assert.Contains("each family", new NodeOptions { Bind = [new(IPAddress.Any, 1), new(IPAddress.Loopback, 2)] }.Validate());
        Assert.Contains("label key", new NodeOptions { Labels = new Dictionary<string, string> { [""] = "x" } }.Validate());
        Assert.Contains("label", new NodeOptions { Labels = Enumerable.Range(0, 65).ToDictionary(i => $"k{i}", _ => "") }.Validate());
    }

    [Theory]
    [InlineData("My Machine.local", "my-machine-local")]
    [InlineData("--x--", "x")]
    [InlineData("ÄÖ", "node")]
    [InlineData("", "node")]
    public void A_machines_name_is_made_valid(string machine, string expected)
    {
        Assert.Equal(expected, NodeName.From(machine));
        Assert.Null(NodeName.Check(NodeName.From(machine)));
    }

    [Fact]
    public void Every_option_has_its_variable()
    {
        var variables = new Dictionary<string, string>
        {
            ["BLIXARD_NAME"] = "n",
            ["BLIXARD_DATA_DIR"] = "/d",
            ["BLIXARD_BIND"] = "127.0.0.1:7,[::1]:8",
            ["BLIXARD_GRPC"] = "127.0.0.1:9",
            ["BLIXARD_P2P"] = "off",
            ["BLIXARD_VCPUS"] = "3",
            ["BLIXARD_MEMORY_MIB"] = "1024",
            ["BLIXARD_LABELS"] = "zone=a,disk=",
            ["BLIXARD_QEMU"] = "/q",
            ["BLIXARD_ETCD"] = "/e",
            ["BLIXARD_MDNS"] = "on",
            ["BLIXARD_DNS"] = "a.example b.example@192.0.2.1",
            ["BLIXARD_PKARR"] = "https://a.example/pkarr http://192.0.2.1:8080/pkarr",
        };

        NodeOptions options = NodeEnvironment.Apply(new NodeOptions(), variables.GetValueOrDefault);

        Assert.Equal(("n", "/d", false, 3, 1024L, "/q"), (options.Name, options.DataDirectory, options.P2p, options.Vcpus, options.MemoryMib, options.QemuProgram));
        Assert.Equal([7, 8], options.Bind.Select(address => address.Port));
        Assert.Equal("/e", options.EtcdProgram);
        Assert.True(options.Lookups.Multicast);
        Assert.Equal(["a.example", "b.example@192.0.2.1:53"], options.Lookups.Dns.Select(origin => origin.ToString()));
        Assert.Equal(["https://a.example/pkarr", "http://192.0.2.1:8080/pkarr"], options.Lookups.Pkarr.Select(url => url.ToString()));
        Assert.Equal(9, options.Grpc.Port);
        Assert.Equal("a", options.Labels["zone"]);
        Assert.Equal("", options.Labels["disk"]);
        Assert.Null(options.Validate());
    }

    [Theory]
    [InlineData("BLIXARD_BIND", "nonsense")]
    [InlineData("BLIXARD_P2P", "perhaps")]
    [InlineData("BLIXARD_VCPUS", "99999999999")]
    [InlineData("BLIXARD_LABELS", "zone")]
    [InlineData("BLIXARD_MDNS", "perhaps")]
    [InlineData("BLIXARD_DNS", "a.example@nowhere")]
    [InlineData("BLIXARD_PKARR", "a.example")]
    public void A_variable_that_cannot_be_read_is_named(string name, string value)
    {
        NodeStartException failure = Assert.Throws<NodeStartException>(
            () => NodeEnvironment.Apply(new NodeOptions(), asked => asked == name ? value : null));

        Assert.Equal(NodeStartFailure.Usage, failure.Failure);
        Assert.Contains(name, failure.Message);
        Assert.Contains(value, failure.Message);
    }
}
