using Blixard.MicroVm.Model;

namespace Blixard.MicroVm.Tests.Model;

public sealed class VmSpecTests
{
    private static readonly VmSpec Good = new() { Name = "web-1", KernelPath = "/boot/vmlinuz" };

    [Theory]
    [InlineData("a")]
    [InlineData("0")]
    [InlineData("web-1")]
    [InlineData("012345678901234567890123456789012345678901234567890123456789012")]
    public void A_label_is_a_name(string name) => Assert.Null(VmName.Check(name));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("-a")]
    [InlineData("a-")]
    [InlineData("Web")]
    [InlineData("a.b")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("ä")]
    [InlineData("a\0")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123")]
    public void What_is_no_label_is_no_name(string? name) => Assert.NotNull(VmName.Check(name));

    [Fact]
    public void A_plain_specification_is_accepted() => Assert.Null(Good.Check());

    public static TheoryData<VmSpec, string> WrongSpecs => new()
    {
        { Good with { Name = "A" }, "name" },
        { Good with { KernelPath = "" }, "kernel" },
        { Good with { Vcpus = 0 }, "vcpus" },
        { Good with { Vcpus = 289 }, "vcpus" },
        { Good with { MemoryMiB = 31 }, "memory" },
        { Good with { MemoryMiB = int.MaxValue }, "memory" },
        { Good with { Disks = [.. Enumerable.Repeat(new VmDisk("/d"), 17)] }, "disks" },
        { Good with { Disks = [new VmDisk("")] }, "disk" },
        { Good with { KernelArguments = [new string('a', 1600)] }, "arguments" },
        { Good with { KernelArguments = ["a\nb"] }, "ASCII" },
        { Good with { Ports = [new PortForward(80, 80)] }, "user network" },
        { Good with { UserNetwork = true, Ports = [new PortForward(0, 80)] }, "0:80" },
        { Good with { UserNetwork = true, Ports = [new PortForward(80, 70000)] }, "80:70000" },
        { Good with { UserNetwork = true, Ports = [new PortForward(80, 1), new PortForward(80, 2)] }, "twice" },
        { Good with { UserNetwork = true, Ports = [.. Enumerable.Range(1, 65).Select(port => new PortForward(port, 80))] }, "65 port forwards" },
    };

    [Theory]
    [MemberData(nameof(WrongSpecs))]
    public void A_wrong_specification_is_named(VmSpec spec, string word) => Assert.Contains(word, spec.Check(), StringComparison.Ordinal);
}
