using System.Security.Cryptography;
using Blixard.Containers.Ext4;
using Blixard.Containers.Tests.Layers;
using Blixard.Containers.Tree;
using Iroh.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Blixard.Containers.Tests.Ext4;

/// <summary>File systems as e2fsck and debugfs of e2fsprogs see them; the kernel sees them in the tests that boot.</summary>
public sealed class Ext4WriterTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Metadata_is_exact()
    {
        string longTarget = string.Join('/', Enumerable.Repeat("target", 40));
        RootTree tree = LayerApplierTests.Apply(writer =>
        {
            writer.AddDirectory("sub", 0x3FF, 70_000, 80_000);
            writer.AddFile("sub/tool", "#!/bin/sh\n", 0x9ED, 1000, 4_000_000, "2039-02-03T04:05:06Z");
            writer.AddSymbolicLink("short", "sub/tool");
            writer.AddSymbolicLink("long", longTarget);
            writer.AddHardLink("again", "sub/tool");
            writer.AddOther(System.Formats.Tar.TarEntryType.Fifo, "pipe");
            writer.AddFile("empty", "");
        });
        string disk = await WriteAsync(tree, static _ => "#!/bin/sh\n"u8.ToArray());

        string tool = await DebugAsync(disk, "stat /sub/tool");
        Assert.Contains("Type: regular    Mode:  04755", tool);
        Assert.Contains("User:  1000   Group: 4000000", tool);
        Assert.Contains("Links: 2", tool);
        Assert.Contains("Size: 10", tool);
        // After 2038: 33 bits of seconds, the highest one beside the nanoseconds.
        Assert.Contains("mtime: 0x81f505f2:00000001", tool);
        Assert.Contains("User: 70000   Group: 80000", await DebugAsync(disk, "stat /sub"));
        Assert.Contains("Mode:  01777", await DebugAsync(disk, "stat /sub"));
        Assert.Contains("Fast link dest: \"sub/tool\"", await DebugAsync(disk, "stat /short"));
        Assert.Equal(longTarget, await DebugAsync(disk, "cat /long"));
        Assert.Contains("Type: FIFO", await DebugAsync(disk, "stat /pipe"));
        Assert.Equal("#!/bin/sh\n", await DebugAsync(disk, "cat /again"));
        Assert.Contains("lost+found", await DebugAsync(disk, "ls /"));
    }

    [Fact]
    public async Task Capabilities_of_programs_are_kept()
    {
        byte[] capabilities = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        var tree = new RootTree();
        tree.Root.Children.Add("ping", new TreeEntry(new TreeNode(NodeKind.File) { Mode = 0x1ED, Capabilities = capabilities }, 0));
        string disk = await WriteAsync(tree, static _ => []);
        Assert.Contains("security.capability (20)", await DebugAsync(disk, "stat /ping"));
    }

    [Fact]
    public async Task Large_directories_and_files_over_several_groups_hold_together()
    {
        const long LargeSize = (700L << 20) + 12_345;
        var tree = new RootTree();
        TreeNode many = tree.EnsureDirectory("many", ["many"], 0);
        for (int i = 0; i < 5000; i++)
            many.Children.Add($"{i}-{new string('x', i % 200)}", new TreeEntry(new TreeNode(NodeKind.File) { Mode = 0x1A4 }, 0));
        tree.Root.Children.Add("large", new TreeEntry(new TreeNode(NodeKind.File) { Mode = 0x1A4, Size = LargeSize, Content = new ContentPlace(0, 0) }, 0));
        Ext4Plan plan = Ext4Plan.Create(tree, null);
        string disk = _directory.File("disk");
        byte[] mark = "at the very end"u8.ToArray();
        using (SafeFileHandle file = File.OpenHandle(disk, FileMode.Create, FileAccess.ReadWrite))
        {
            var writer = new Ext4Writer(plan, file);
            writer.WriteStructure(new byte[16], CancellationToken.None);
            writer.WriteContent(plan.InodeOf(tree.Root.Children["large"].Node), LargeSize - mark.Length, mark);
        }

        await Tool.CheckDiskAsync(disk);
        Assert.True(plan.InodeOf(tree.Root.Children["large"].Node).Extents.Count > Ext4Inode.InlineExtentsMax);
        Assert.Equal(5003, (await DebugAsync(disk, "ls -p /many")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length + 1);
        await Tool.RunAsync("debugfs", "-R", $"dump /large {_directory.File("large")}", disk);
        using FileStream dumped = File.OpenRead(_directory.File("large"));
        Assert.Equal(LargeSize, dumped.Length);
        dumped.Position = LargeSize - mark.Length;
        byte[] end = new byte[mark.Length];
        dumped.ReadExactly(end);
        Assert.Equal(mark, end);
    }

    [Fact]
    public async Task Random_trees_pass_the_check_and_give_their_content_back()
    {
        for (ulong seed = 0; seed < 8; seed++)
        {
            var random = new SeededRandomSource(seed);
            var tree = new RootTree();
            var contents = new Dictionary<string, byte[]>();
            var byPlace = new Dictionary<ContentPlace, byte[]>();
            for (int i = 0; i < 60; i++)
            {
                string[] directory = [.. Enumerable.Range(0, (int)random.NextBelow(4)).Select(_ => $"d{random.NextBelow(4)}")];
                byte[] content = new byte[random.NextBelow(random.NextBelow(5) == 0 ? 3_000_000u : 10_000u)];
                random.Fill(content);
                var place = new ContentPlace((int)random.NextBelow(3), i);
                var node = new TreeNode(NodeKind.File)
                {
                    Mode = (int)random.NextBelow(0x1000), UserId = (uint)random.NextBelow(uint.MaxValue), Size = content.Length, Content = content.Length > 0 ? place : null,
                };
                tree.EnsureDirectory("", directory, 0).Children[$"f{i}"] = new TreeEntry(node, 0);
                contents[string.Join('/', [.. directory, $"f{i}"])] = content;
                byPlace[place] = content;
            }

            string disk = await WriteAsync(tree, place => byPlace[place]);
            string script = _directory.File("script"), output = Directory.CreateDirectory(_directory.File($"out{seed}")).FullName;
            string[] paths = [.. contents.Keys];
            await File.WriteAllLinesAsync(script, paths.Select((path, i) => $"dump /{path} {output}/{i}"));
            await Tool.RunAsync("debugfs", "-f", script, disk);
            for (int i = 0; i < paths.Length; i++)
            {
                byte[] read = await File.ReadAllBytesAsync(Path.Combine(output, $"{i}"));
                Assert.True(read.AsSpan().SequenceEqual(contents[paths[i]]), $"seed {seed}: {paths[i]} differs");
            }
        }
    }

    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(30_000, 100, 0)]
    [InlineData(100, 2_000_000, 0)]
    [InlineData(1 << 20, 1000, 1 << 21)]
    [InlineData(32_768, 10, 32_769)]
    [InlineData(16 << 20, 900_000, 0)]
    public void Every_size_has_room_for_what_it_was_made_for(long dataBlocks, long inodes, long blocksMin)
    {
        Ext4Geometry geometry = Ext4Geometry.Fit(dataBlocks, inodes, blocksMin);
        Assert.True(geometry.DataBlocks >= dataBlocks);
        Assert.True(geometry.InodeCount >= inodes);
        Assert.True(geometry.BlockCount >= blocksMin);
        Assert.True(geometry.InodesPerGroup <= Ext4Geometry.BlocksPerGroup && geometry.InodesPerGroup % Ext4Geometry.InodesPerBlock == 0);
        var allocator = new BlockAllocator(geometry);
        List<Extent> extents = allocator.Allocate(dataBlocks);
        Assert.Equal(dataBlocks, extents.Sum(static extent => (long)extent.Length));
    }

    [Fact]
    public void A_disk_that_is_too_small_or_a_file_with_too_many_names_is_refused()
    {
        var tree = new RootTree();
        tree.Root.Children.Add("a", new TreeEntry(new TreeNode(NodeKind.File) { Size = 100 << 20, Content = new ContentPlace(0, 0) }, 0));
        ContainerImageException small = Assert.Throws<ContainerImageException>(() => Ext4Plan.Create(tree, 50 << 20));
        Assert.Contains("a disk of 52428800 bytes is too small", small.Message);
        Assert.Equal(200L << 20, Ext4Plan.Create(tree, 200 << 20).Geometry.BlockCount * Ext4Geometry.BlockLength);

        var shared = new TreeNode(NodeKind.File);
        for (int i = 0; i <= ContainerLimits.HardLinksMax; i++)
            tree.Root.Children.Add($"link{i}", new TreeEntry(shared, 0));
        Assert.Contains("names", Assert.Throws<ContainerImageException>(() => Ext4Plan.Create(tree, null)).Message);
    }

    private async Task<string> WriteAsync(RootTree tree, Func<ContentPlace, byte[]> content)
    {
        Ext4Plan plan = Ext4Plan.Create(tree, null);
        string disk = _directory.File("disk");
        using (SafeFileHandle file = File.OpenHandle(disk, FileMode.Create, FileAccess.ReadWrite))
        {
            var writer = new Ext4Writer(plan, file);
            writer.WriteStructure(SHA256.HashData("id"u8).AsSpan(0, 16), CancellationToken.None);
            foreach (Ext4Inode inode in plan.Inodes.Where(inode => inode.Node.Content is not null))
            {
                byte[] bytes = content(inode.Node.Content!.Value);
                // In pieces that do not end with blocks.
                for (int at = 0; at < bytes.Length; at += 10_007)
                    writer.WriteContent(inode, at, bytes.AsSpan(at, Math.Min(10_007, bytes.Length - at)));
            }
        }

        await Tool.CheckDiskAsync(disk);
        return disk;
    }

    private static async Task<string> DebugAsync(string disk, string command)
    {
        string output = (await Tool.RunAsync("debugfs", "-R", command, disk)).Output;
        // The first line of stderr names the program.
        int banner = output.IndexOf("debugfs 1.", StringComparison.Ordinal);
        return banner < 0 ? output : output[..banner];
    }
}
