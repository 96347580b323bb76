using Blixard.Images.Blobs;
using Blixard.Images.Manifests;
using Blixard.Images.Tests.Support;

namespace Blixard.Images.Tests;

public sealed class ImageStoreTests : IDisposable
{
    private readonly TestDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    private ImageFiles Files(string name = "demo", ulong seed = 1) => new()
    {
        Name = name,
        Architecture = "x86_64",
        KernelArguments = "console=ttyS0",
        Labels = new Dictionary<string, string> { ["os"] = "linux" },
        KernelPath = _directory.Write("vmlinuz", TestDirectory.Content(seed, 5000)),
        InitramfsPath = _directory.Write("initramfs", TestDirectory.Content(100, 3000)),
        DiskPaths = [_directory.Write("root.raw", TestDirectory.Content(200, ChunkGroups.GroupLength + 1))],
    };

    private ImageStore Open() => ImageStore.Open(_directory.Store(), TimeProvider.System);

    [Fact]
    public async Task An_image_is_packed_found_and_given_to_a_vm_as_paths()
    {
        var told = new List<ImageProgress>();
        ImageFiles files = Files();

        ImageManifest added = await Open().AddAsync(files, new Listener(told.Add), default);
        ImageStore store = Open();

        Assert.True(store.TryGetLocal(added.Hash, out LocalImage? local));
        Assert.Equal(File.ReadAllBytes(files.KernelPath), File.ReadAllBytes(local.KernelPath));
        Assert.Equal(File.ReadAllBytes(files.InitramfsPath!), File.ReadAllBytes(local.InitramfsPath!));
        Assert.Equal(File.ReadAllBytes(files.DiskPaths[0]), File.ReadAllBytes(Assert.Single(local.DiskPaths)));
        Assert.Equal("console=ttyS0", local.Manifest.KernelArguments);
        Assert.Equal(["vmlinuz", "initramfs", "root.raw"], local.Manifest.Parts.Select(part => part.FileName));
        Assert.Equal(added.TotalSize, told[^1].DoneBytes);
        Assert.All(told, at => Assert.Equal(added.TotalSize, at.TotalBytes));
        foreach (string text in (string[])["demo", "demo:latest", added.Hash.ToString()])
        {
            Assert.True(ImageReference.TryParse(text, out ImageReference? reference, out _));
            Assert.True(store.TryFind(reference, out ImageManifest? found));
            Assert.Equal(added.Hash, found.Hash);
        }
        Assert.Empty(await store.VerifyAsync(added.Hash, default));
    }

    [Fact]
    public async Task Removing_an_image_takes_what_no_other_image_holds()
    {
        ImageStore store = Open();
        ImageManifest one = await store.AddAsync(Files("one", 1), null, default);
        ImageManifest two = await store.AddAsync(Files("two", 2), null, default);
        Assert.Equal(6, store.Blobs.Blobs.Count);

        using (store.Pin(one.Hash))
        {
            Assert.Throws<ImageInUseException>(() => store.Remove(one.Hash));
            Assert.True(store.TryGetLocal(one.Hash, out _));
        }
        Assert.True(store.Remove(one.Hash));
        Assert.False(store.Remove(one.Hash));

        Assert.Equal([two.Hash], store.Images.Select(image => image.Hash));
        Assert.Equal(two.Parts.Select(part => part.Hash).Append(two.Hash).Order(), store.Blobs.Blobs);
        Assert.True(Open().TryGetLocal(two.Hash, out _));
        Assert.False(Open().TryGet(one.Hash, out _));
        Assert.True(store.Remove(two.Hash));
        Assert.Empty(store.Blobs.Blobs);
    }

    [Fact]
    public async Task Damaged_content_is_named_and_the_image_counts_as_not_here()
    {
        ImageStore store = Open();
        ImageManifest image = await store.AddAsync(Files(), null, default);
        Assert.True(store.TryGetLocal(image.Hash, out LocalImage? local));
        byte[] content = File.ReadAllBytes(local.DiskPaths[0]);
        content[^1] ^= 1;
        File.SetUnixFileMode(local.DiskPaths[0], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllBytes(local.DiskPaths[0], content);

        Assert.Equal(["root.raw"], await store.VerifyAsync(image.Hash, default));
        Assert.False(store.TryGetLocal(image.Hash, out _));
        Assert.Equal(["root.raw"], await store.VerifyAsync(image.Hash, default));
    }

    [Fact]
    public async Task An_image_whose_manifest_is_lost_is_gone_after_opening()
    {
        ImageStore store = Open();
        ImageManifest image = await store.AddAsync(Files(), null, default);
        store.Blobs.Discard(image.Hash);

        Assert.Empty(Open().Images);
    }

    [Fact]
    public async Task Bad_texts_are_refused_before_anything_is_copied()
    {
        ImageStore store = Open();

        InvalidManifestException e = await Assert.ThrowsAsync<InvalidManifestException>(
            () => store.AddAsync(Files() with { Name = "No" }, null, default));
        Assert.Contains("'N'", e.Message);
        await Assert.ThrowsAsync<InvalidManifestException>(() => store.AddAsync(Files() with { Tag = "" }, null, default));
        await Assert.ThrowsAsync<InvalidManifestException>(() => store.AddAsync(Files() with { Architecture = "vax" }, null, default));
        await Assert.ThrowsAnyAsync<IOException>(() => store.AddAsync(Files() with { KernelPath = "/nowhere/at/all" }, null, default));
        Assert.Empty(store.Blobs.Blobs);
    }

    [Fact]
    public async Task Files_with_one_name_are_told_apart()
    {
        string again = Path.Combine(Directory.CreateDirectory(Path.Combine(_directory.Root, "sub")).FullName, "root.raw");
        File.WriteAllText(again, "another");
        ImageFiles files = Files();

        ImageManifest image = await Open().AddAsync(files with { DiskPaths = [files.DiskPaths[0], again, again] }, null, default);

        Assert.Equal(["vmlinuz", "initramfs", "root.raw", "1-root.raw", "2-root.raw"], image.Parts.Select(part => part.FileName));
    }
}

internal sealed class Listener(Action<ImageProgress> told) : IProgress<ImageProgress>
{
    public void Report(ImageProgress value) => told(value);
}
