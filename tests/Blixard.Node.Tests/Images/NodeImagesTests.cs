using System.Security.Cryptography;
using Blixard.Node.Tests.Support;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Node.Tests.Images;

/// <summary>Images between nodes: ways, copies, room.</summary>
public sealed class NodeImagesTests
{
    private static NodeOptions WithoutQemu(NodeOptions options) => options with { QemuProgram = "/nonexistent/qemu" };

    private static NodeOptions WithoutP2p(NodeOptions options) => options with { P2p = false };

    [Fact]
    public async Task An_image_travels_over_calls_where_there_is_no_P2P()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        TestNode two = await cluster.JoinAsync("two", one, WithoutP2p);
        ImageRecord image = await AddAsync(one, cluster, "tiny", 3_000_000);
        var sources = new HashSet<string>();

        ImageRecord pulled = await PullAsync(two.Api, "tiny", progress => sources.UnionWith(progress.Sources.Select(source => source.Name)));

        Assert.Equal(image.Hash, pulled.Hash);
        Assert.Equal(["one", "two"], pulled.Nodes.Order());
        Assert.Contains("one", sources);
        Assert.Empty((await two.CallAsync(ImageMethods.Verify, new VerifyImageRequest { Reference = "tiny" })).Damaged);
    }

    [Fact]
    public async Task Nodes_fetch_an_image_that_is_to_be_on_more_of_them()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        TestNode two = await cluster.JoinAsync("two", one);
        TestNode three = await cluster.JoinAsync("three", one);
        await two.UntilLinkedAsync("one", "three");
        await three.UntilLinkedAsync("one", "two");

        await AddAsync(one, cluster, "tiny", 100_000, copies: 2);
        StatusResponse status = await one.UntilAsync(seen => seen.Images.Single().Nodes.Count >= 2, "a second copy");

        // Each decides for itself, and they agree: the third one fetches nothing.
        Assert.Equal(2, status.Images.Single().Nodes.Count);
        await AddAsync(one, cluster, "everywhere", 100_001, copies: 3);
        status = await one.UntilAsync(seen => seen.Images.Single(image => image.Name == "everywhere").Nodes.Count == 3, "a copy everywhere");
        Assert.Equal(2, status.Images.Single(image => image.Name == "tiny").Nodes.Count);
    }

    [Fact]
    public async Task A_node_that_is_killed_in_the_middle_of_a_pull_goes_on_with_it()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        await AddAsync(one, cluster, "large", 64 << 20);
        await using (NodeProcess killed = await NodeProcess.StartReadyAsync(cluster, "two", await one.CreateTicketAsync()))
        {
            await killed.UntilLinkedAsync("one");
            await foreach (ImageProgress progress in killed.Api.StreamAsync(
                ImageMethods.Pull, new PullImageRequest { Reference = "large" }, RpcCallOptions.Within(TestNode.Patience)))
            {
                if (progress.DoneBytes > 0)
                    break;
            }

            await killed.KillAsync();
        }

        await using NodeProcess two = await NodeProcess.StartReadyAsync(cluster, "two");
        await two.UntilLinkedAsync("one");
        ImageRecord pulled = await PullAsync(two.Api, "large");

        Assert.Equal(["one", "two"], pulled.Nodes.Order());
        Assert.Empty((await two.CallAsync(ImageMethods.Verify, new VerifyImageRequest { Reference = "large" })).Damaged);
    }

    [Fact]
    public async Task A_node_whose_server_is_away_lists_and_fetches_what_it_knew()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        TestNode two = await cluster.JoinAsync("two", one);
        TestNode three = await cluster.JoinAsync("three", one);
        await three.UntilLinkedAsync("one", "two");
        await AddAsync(two, cluster, "tiny", 100_000);
        await three.UntilAsync(seen => seen.Images.Count == 1, "the image");
        await one.DisposeAsync();

        ListImagesResponse list = await three.CallAsync(ImageMethods.List, new ListImagesRequest());
        ImageRecord pulled = await PullAsync(three.Api, "tiny");

        Assert.Equal("tiny", Assert.Single(list.Images).Name);
        Assert.NotEmpty(list.StaleReason);
        Assert.Equal(list.Images[0].Hash, pulled.Hash);
    }

    [Fact]
    public async Task What_has_no_name_any_more_goes_from_all_nodes()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        TestNode two = await cluster.JoinAsync("two", one);
        await two.UntilLinkedAsync("one");
        await AddAsync(one, cluster, "tiny", 100_000);
        await PullAsync(two.Api, "tiny");
        Assert.NotEmpty(Contents(cluster, "two"));

        await one.CallAsync(ImageMethods.Remove, new RemoveImageRequest { Reference = "tiny" });

        await two.UntilAsync(seen => seen.Images.Count == 0 && !Contents(cluster, "two").Any(), "the content gone from two");
        Assert.Empty(Contents(cluster, "one"));
    }

    [Fact]
    public async Task A_VM_keeps_the_content_that_its_image_had_when_it_was_recorded()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one", WithoutQemu);
        ImageRecord before = await AddAsync(one, cluster, "tiny", 100_000);
        RunResponse run = await one.CallAsync(
            VmMethods.Run, new RunRequest { Spec = new VmSpec { Name = "vm", Image = Convert.ToHexStringLower(before.Hash.Span), Restart = RestartPolicy.Never } });

        await one.CallAsync(ImageMethods.Remove, new RemoveImageRequest { Reference = "tiny", Force = true });
        ImageRecord after = await AddAsync(one, cluster, "tiny", 100_001);

        Assert.NotEqual(before.Hash, after.Hash);
        VmSpec spec = (await one.CallAsync(VmMethods.Inspect, new InspectVmRequest { Name = "vm" })).Vm.Spec;
        Assert.Equal(("tiny:latest", before.Hash), (spec.Image, spec.ImageHash));
        Assert.Equal(run.Vm.Spec.ImageHash, spec.ImageHash);
        // The new content is nobody's, so that it can be removed; the VM's own stays as long as the VM.
        await one.CallAsync(ImageMethods.Remove, new RemoveImageRequest { Reference = "tiny" });
        Assert.NotEmpty(Contents(cluster, "one"));
        await one.CallAsync(VmMethods.Remove, new RemoveVmRequest { Name = "vm", Force = true });
    }

    [Fact]
    public async Task An_image_that_is_larger_than_the_quota_is_refused_and_leaves_nothing()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one", options => options with { ImageQuotaBytes = NodeDefaults.ImageQuotaBytesMin });

        RpcException full = await Assert.ThrowsAsync<RpcException>(() => AddAsync(one, cluster, "large", (int)NodeDefaults.ImageQuotaBytesMin + 1));

        Assert.Equal(RpcStatusCode.ResourceExhausted, full.StatusCode);
        Assert.Empty(Contents(cluster, "one"));
        Assert.Empty((await one.StatusAsync()).Images);
        await AddAsync(one, cluster, "small", 1_000_000);
    }

    [Fact]
    public async Task A_name_that_is_taken_refuses_other_content_and_leaves_nothing_of_it()
    {
        await using var cluster = new TestCluster();
        TestNode one = await cluster.UpAsync("one");
        await AddAsync(one, cluster, "tiny", 100_000);
        int files = Contents(cluster, "one").Count();

        RpcException taken = await Assert.ThrowsAsync<RpcException>(() => AddAsync(one, cluster, "tiny", 200_000));

        Assert.Equal(RpcStatusCode.AlreadyExists, taken.StatusCode);
        Assert.Equal(files, Contents(cluster, "one").Count());
    }

    private static IEnumerable<string> Contents(TestCluster cluster, string node) =>
        Directory.EnumerateFiles(Path.Combine(cluster.DirectoryOf(node), "blobs", "data"), "*.data", SearchOption.AllDirectories);

    private static async Task<ImageRecord> AddAsync(TestNode node, TestCluster cluster, string name, int length, uint copies = 0)
    {
        string kernel = Path.Combine(cluster.DirectoryOf("one"), "kernel");
        byte[] content = new byte[length];
        // The same length is the same content.
        SHA256.HashData(BitConverter.GetBytes(length)).CopyTo(content, 0);
        await File.WriteAllBytesAsync(kernel, content);
        ImageRecord? image = null;
        await foreach (ImageProgress progress in node.Api.StreamAsync(
            ImageMethods.Add, new AddImageRequest { Name = name, KernelPath = kernel, Copies = copies }, RpcCallOptions.Within(TestNode.Patience)))
            image = progress.Image;
        return Assert.IsType<ImageRecord>(image);
    }

    private static async Task<ImageRecord> PullAsync(IRpcCaller node, string reference, Action<ImageProgress>? told = null)
    {
        ImageRecord? image = null;
        await foreach (ImageProgress progress in node.StreamAsync(
            ImageMethods.Pull, new PullImageRequest { Reference = reference }, RpcCallOptions.Within(TestNode.Patience)))
        {
            told?.Invoke(progress);
            image = progress.Image;
        }

        return Assert.IsType<ImageRecord>(image);
    }
}
