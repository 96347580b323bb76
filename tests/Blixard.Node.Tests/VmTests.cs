using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Node.Tests;

/// <summary>VMs on nodes without QEMU: everything but the guest itself.</summary>
public sealed class VmTests
{
    private static NodeOptions WithoutQemu(NodeOptions options) => options with { QemuProgram = "/nonexistent/qemu" };

    [Fact]
    public async Task An_image_travels_to_the_node_that_a_VM_is_placed_on()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one", WithoutQemu);
        TestNode two = await cluster.JoinAsync("two", one, WithoutQemu);
        TestNode three = await cluster.JoinAsync("three", one, WithoutQemu);
        await three.UntilLinkedAsync("one", "two");
        await two.UntilLinkedAsync("one", "three");
        ImageRecord image = await AddImageAsync(one, cluster, "tiny", 3_000_000);

        RunResponse run = await two.CallAsync(VmMethods.Run, new RunRequest { Spec = Spec("vm", "tiny", "three") });

        Assert.Equal("three", run.Vm.Status.Node);
        StatusResponse status = await two.UntilAsync(
            seen => seen.Images.Single().Nodes.Contains("three") && seen.Vms.Single().Status.State == VmState.Failed, "the image on three and QEMU missing");
        Assert.Contains("/nonexistent/qemu", status.Vms.Single().Status.Reason);
        Assert.Equal(image.Hash, status.Images.Single().Hash);
        Assert.Equal(["one", "three"], status.Images.Single().Nodes.Order());

        await one.CallAsync(VmMethods.Remove, new RemoveVmRequest { Name = "vm" });
        await three.UntilAsync(seen => seen.Vms.Count == 0 && !Directory.Exists(Path.Combine(cluster.DirectoryOf("three"), "vms", "vm")), "the VM's directory gone");
    }

    [Fact]
    public async Task An_unknown_image_an_unknown_node_and_too_much_memory_are_refused_by_name()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one", WithoutQemu);
        await AddImageAsync(one, cluster, "tiny", 1000);
        VmSpec huge = Spec("vm", "tiny", "");
        huge.MemoryMib = 100_000;

        RpcException image = await RefusedAsync(one, Spec("vm", "nothing", ""));
        RpcException node = await RefusedAsync(one, Spec("vm", "tiny", "nowhere"));
        RpcException memory = await RefusedAsync(one, huge);
        RpcException name = await RefusedAsync(one, Spec("No Name", "tiny", ""));

        Assert.Equal(RpcStatusCode.NotFound, image.StatusCode);
        Assert.Contains("nothing:latest", image.Message);
        Assert.Equal(RpcStatusCode.NotFound, node.StatusCode);
        Assert.Contains("nowhere", node.Message);
        Assert.Equal(RpcStatusCode.ResourceExhausted, memory.StatusCode);
        Assert.Contains("4096 MiB", memory.Message);
        Assert.Equal(RpcStatusCode.InvalidArgument, name.StatusCode);
        Assert.Empty((await one.StatusAsync()).Vms);
    }

    [Fact]
    public async Task A_VM_goes_where_its_port_is_free_and_nowhere_when_all_nodes_publish_it()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one", options => WithoutQemu(options) with { MemoryMib = 16384 });
        TestNode two = await cluster.JoinAsync("two", one, WithoutQemu);
        await two.UntilLinkedAsync("one");
        await one.UntilLinkedAsync("two");
        await AddImageAsync(one, cluster, "tiny", 1000);

        RunResponse first = await two.CallAsync(VmMethods.Run, new RunRequest { Spec = Publishing("first", "") });
        RpcException there = await RefusedAsync(two, Publishing("second", "one"));
        RunResponse second = await two.CallAsync(VmMethods.Run, new RunRequest { Spec = Publishing("second", "") });
        RpcException third = await RefusedAsync(one, Publishing("third", ""));
        VmSpec wrong = Publishing("wrong", "");
        wrong.Network.Ports[0].GuestPort = 0;
        RpcException refused = await RefusedAsync(one, wrong);
        await one.CallAsync(VmMethods.Remove, new RemoveVmRequest { Name = "first", Force = true });
        RunResponse again = await one.CallAsync(VmMethods.Run, new RunRequest { Spec = Publishing("third", "") });

        Assert.Equal(("one", "two", "one"), (first.Vm.Status.Node, second.Vm.Status.Node, again.Vm.Status.Node));
        Assert.Equal(8080U, Assert.Single((await two.StatusAsync()).Vms.Single(vm => vm.Spec.Name == "second").Spec.Network.Ports).HostPort);
        Assert.Equal((RpcStatusCode.ResourceExhausted, RpcStatusCode.ResourceExhausted), (there.StatusCode, third.StatusCode));
        Assert.Contains("one publishes port 8080 for the VM first already", there.Message);
        Assert.Contains("one publishes port 8080 for the VM first already; two publishes port 8080 for the VM second already", third.Message);
        Assert.Equal(RpcStatusCode.InvalidArgument, refused.StatusCode);
        Assert.Contains("8080:0", refused.Message);
    }

    [Fact]
    public async Task A_node_with_VMs_leaves_by_force_only_and_takes_them_along()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one", WithoutQemu);
        TestNode two = await cluster.JoinAsync("two", one, WithoutQemu);
        await two.UntilLinkedAsync("one");
        await one.UntilLinkedAsync("two");
        await AddImageAsync(one, cluster, "tiny", 1000);
        await one.CallAsync(VmMethods.Run, new RunRequest { Spec = Spec("vm", "tiny", "two") });

        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => two.CallAsync(ClusterMethods.Leave, new LeaveRequest()));
        await two.CallAsync(ClusterMethods.Leave, new LeaveRequest { Force = true });

        Assert.Equal(RpcStatusCode.FailedPrecondition, refused.StatusCode);
        Assert.Contains("vm", refused.Message);
        Assert.Equal("left the cluster", await two.Node.Ended.WaitAsync(TestNode.Patience));
        StatusResponse status = await one.UntilAsync(seen => seen.Nodes.Count == 1, "two gone");
        Assert.Empty(status.Vms);
        Assert.DoesNotContain("two", status.Images.Single().Nodes);
        Assert.False(Directory.Exists(Path.Combine(cluster.DirectoryOf("two"), "vms", "vm")));
    }

    [Fact]
    public async Task A_member_removes_another_which_then_ends()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        TestNode two = await cluster.JoinAsync("two", one);
        StatusResponse status = await one.UntilLinkedAsync("two");
        await two.UntilLinkedAsync("one");

        await one.CallAsync(ClusterMethods.Leave, new LeaveRequest { EndpointId = status.Nodes.Single(node => node.Member.Node.Name == "two").Member.Node.EndpointId });

        Assert.Contains("removed", await two.Node.Ended.WaitAsync(TestNode.Patience));
    }

    [Fact]
    public async Task An_image_in_use_is_removed_by_force_only()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one", WithoutQemu);
        await AddImageAsync(one, cluster, "tiny", 1000);
        await one.CallAsync(VmMethods.Run, new RunRequest { Spec = Spec("vm", "tiny", "") });

        RpcException refused = await Assert.ThrowsAsync<RpcException>(
            () => one.CallAsync(ImageMethods.Remove, new RemoveImageRequest { Reference = "tiny" }));
        await one.CallAsync(ImageMethods.Remove, new RemoveImageRequest { Reference = "tiny", Force = true });

        Assert.Equal(RpcStatusCode.FailedPrecondition, refused.StatusCode);
        Assert.Contains("vm", refused.Message);
        Assert.Empty((await one.StatusAsync()).Images);
    }

    [Fact]
    public async Task An_image_whose_holder_is_gone_is_asked_for_by_name_in_vain()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        TestNode two = await cluster.JoinAsync("two", one);
        TestNode three = await cluster.JoinAsync("three", one);
        await three.UntilLinkedAsync("one", "two");
        await AddImageAsync(two, cluster, "tiny", 1000);
        await two.DisposeAsync();

        RpcException failed = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            await foreach (ImageProgress _ in three.Api.StreamAsync(
                ImageMethods.Pull, new PullImageRequest { Reference = "tiny" }, RpcCallOptions.Within(TestNode.Patience)))
            {
                // Only the end counts.
            }
        });

        Assert.Equal(RpcStatusCode.Unavailable, failed.StatusCode);
        Assert.Contains("two", failed.Message);
    }

    [Fact]
    public async Task The_data_directory_and_the_local_API_are_the_users_own()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");

        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(cluster.DirectoryOf("one")));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(one.Node.ApiSocketPath));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(cluster.DirectoryOf("one"), "key")));
    }

    private static VmSpec Spec(string name, string image, string node) => new() { Name = name, Image = image, Node = node, Restart = RestartPolicy.Never };

    private static VmSpec Publishing(string name, string node)
    {
        VmSpec spec = Spec(name, "tiny", node);
        spec.Network = new VmNetwork { Ports = { new PublishedPort { HostPort = 8080, GuestPort = 80 } } };
        return spec;
    }

    private static Task<RpcException> RefusedAsync(TestNode node, VmSpec spec) =>
        Assert.ThrowsAsync<RpcException>(() => node.CallAsync(VmMethods.Run, new RunRequest { Spec = spec }));

    private static async Task<ImageRecord> AddImageAsync(TestNode node, TestCluster cluster, string name, int kernelLength)
    {
        string kernel = Path.Combine(cluster.DirectoryOf(node.Node.Name), "kernel");
        byte[] content = new byte[kernelLength];
        new Random(kernelLength).NextBytes(content);
        await File.WriteAllBytesAsync(kernel, content);
        ImageRecord? image = null;
        await foreach (ImageProgress progress in node.Api.StreamAsync(
            ImageMethods.Add, new AddImageRequest { Name = name, KernelPath = kernel }, RpcCallOptions.Within(TestNode.Patience)))
            image = progress.Image;
        return Assert.IsType<ImageRecord>(image);
    }
}
