using Blixard.MicroVm.Model;
using Blixard.Node.Vms;
using Blixard.V1;
using VmSpec = Blixard.MicroVm.Model.VmSpec;

namespace Blixard.Node.Tests.Vms;

public sealed class VmSpecsTests
{
    [Fact]
    public void A_record_without_a_network_is_a_VM_without_a_card()
    {
        VmSpec host = ToHost(null);

        Assert.False(host.UserNetwork);
        Assert.Empty(host.Ports);
        Assert.Null(host.Check());
    }

    [Fact]
    public void A_network_is_a_card_with_its_ports()
    {
        Assert.True(ToHost(new VmNetwork()).UserNetwork);
        VmSpec host = ToHost(Publishing((8080, 80), (2222, 22)));

        Assert.True(host.UserNetwork);
        Assert.Equal([new PortForward(8080, 80), new PortForward(2222, 22)], host.Ports);
        Assert.Null(host.Check());
    }

    [Theory]
    [InlineData(0, 80, "outside 1 to 65535")]
    [InlineData(8080, 0, "outside 1 to 65535")]
    [InlineData(65536 + 8080, 80, "outside 1 to 65535")]
    [InlineData(uint.MaxValue, uint.MaxValue, "outside 1 to 65535")]
    [InlineData(2222, 80, "twice")]
    public void Ports_that_cannot_be_are_refused_and_not_cut_to_some_that_can(uint host, uint guest, string says) =>
        Assert.Contains(says, ToHost(Publishing((2222, 22), (host, guest))).Check(), StringComparison.Ordinal);

    [Fact]
    public void More_ports_than_are_possible_are_refused() =>
        Assert.Contains("65 port forwards; 64 are possible", ToHost(Publishing([.. Enumerable.Range(1, 65).Select(port => ((uint)port, 80U))])).Check());

    private static VmNetwork Publishing(params (uint Host, uint Guest)[] ports) =>
        new() { Ports = { ports.Select(port => new PublishedPort { HostPort = port.Host, GuestPort = port.Guest }) } };

    private static VmSpec ToHost(VmNetwork? network) =>
        VmSpecs.ToHost(VmSpecs.Complete(new V1.VmSpec { Name = "web", Image = "web:latest", Network = network }));
}
