using Blixard.Images.Manifests;
using Blixard.Images.Tests.Support;
using Iroh.Blobs;
using Iroh.Blobs.Store;

namespace Blixard.Images.Tests;

public sealed class ImageStoreTests : IAsyncLifetime
{
    private const int DiskLength = (1 << 20) + 1;

    private readonly TestDirectory _directory = new();
    private DiskBlobStore _blobs = null!;

    public ValueTask InitializeAsync()
    {
        _blobs = DiskBlobStore.Open(_directory.Store());
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _blobs.DisposeAsync();
        _directory.Dispose();
    }

    private ImageFiles Files(string name = "demo", ulong seed = 1) => new()
    {
        Name = name,
        Architecture = "x86_64",
        KernelArguments = "console=ttyS0",
        Labels = new Dictionary<string, string> { ["os"] = "linux" },
        KernelPath = _directory.Write("vmlinuz", TestDirectory.Content(seed, 50_000)),
        InitramfsPath = _directory.Write("initramfs", TestDirectory.Content(100, 3000)),
        DiskPaths = [_directory.Write("root.raw", TestDirectory.Content(200, DiskLength))],
    };

    private Task<ImageStore> OpenAsync() => ImageStore.OpenAsync(_blobs, _directory.Store("files"), TimeProvider.System);

    private async Task<ImageStore> ReopenAsync()
    {
        await _blobs.DisposeAsync();
        _blobs = DiskBlobStore.Open(_directory.Store());
        return await OpenAsync();
    }

    private static async Task<LocalImage> LocalAsync(ImageStore store, ImageManifest image) =>
        Assert.IsType<LocalImage>(await store.TryGetLocalAsync(image.Hash, default));

    [Fact]
    public async Task An_image_is_packed_found_and_given_to_a_vm_as_paths()
    {
        var told = new List<ImageProgress>();
        ImageFiles files = Files();

        ImageManifest added = await (await OpenAsync()).AddAsync(files, new Listener(told.Add), default);
        ImageStore store = await ReopenAsync();

        LocalImage local = await LocalAsync(store, added);
        Assert.Equal(await File.ReadAllBytesAsync(files.KernelPath), await File.ReadAllBytesAsync(local.KernelPath));
        Assert.Equal(await File.ReadAllBytesAsync(files.InitramfsPath!), await File.ReadAllBytesAsync(local.InitramfsPath!));
        Assert.Equal(await File.ReadAllBytesAsync(files.DiskPaths[0]), await File.ReadAllBytesAsync(Assert.Single(local.DiskPaths)));
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
    public async Task An_image_is_a_collection_that_others_can_fetch()
    {
        ImageStore store = await OpenAsync();
        ImageManifest image = await store.AddAsync(Files(), null, default);

        HashAndFormat content = Assert.Single(_blobs.ListTags("image/")).Content;

        Assert.Equal(ImageCollection.Of(image).Content, content);
        using IBlobContent sequence = Assert.IsType<IBlobContent>(_blobs.TryOpen(content.Hash), exactMatch: false);
        byte[] bytes = new byte[sequence.Size];
        await sequence.OpenStream().ReadExactlyAsync(bytes);
        Assert.Equal(
            image.Parts.Select(part => part.Hash).Prepend(image.Hash), bytes.Chunk(BlobHash.Length).Skip(1).Select(hash => new BlobHash(hash)));
    }

    [Fact]
    public async Task Removing_an_image_takes_what_no_other_image_holds()
    {
        ImageStore store = await OpenAsync();
        ImageManifest one = await store.AddAsync(Files("one", 1), null, default);
        ImageManifest two = await store.AddAsync(Files("two", 2), null, default);

        using (store.Pin(one.Hash))
        {
            await Assert.ThrowsAsync<ImageInUseException>(() => store.RemoveAsync(one.Hash, default));
            await LocalAsync(store, one);
        }

        Assert.True(await store.RemoveAsync(one.Hash, default));
        Assert.False(await store.RemoveAsync(one.Hash, default));

        Assert.Equal([two.Hash], store.Images.Select(image => image.Hash));
        Assert.Equal(BlobPresence.Absent, _blobs.GetStatus(one.Parts[0].Hash).Presence);
        Assert.Equal(BlobPresence.Absent, _blobs.GetStatus(one.Hash).Presence);
        store = await ReopenAsync();
        await LocalAsync(store, two);
        Assert.False(store.TryGet(one.Hash, out _));
        Assert.True(await store.RemoveAsync(two.Hash, default));
        Assert.Empty(_blobs.List());
        Assert.Equal(0, _blobs.UsedBytes);
    }

    [Fact]
    public async Task Damaged_content_is_named_and_the_image_counts_as_not_here()
    {
        ImageStore store = await OpenAsync();
        ImageManifest image = await store.AddAsync(Files(), null, default);
        LocalImage local = await LocalAsync(store, image);
        byte[] content = await File.ReadAllBytesAsync(local.DiskPaths[0]);
        content[^1] ^= 1;
        File.SetUnixFileMode(local.DiskPaths[0], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllBytesAsync(local.DiskPaths[0], content);

        Assert.Equal(["root.raw"], await store.VerifyAsync(image.Hash, default));
        Assert.Null(await store.TryGetLocalAsync(image.Hash, default));
        Assert.Equal(["root.raw"], await store.VerifyAsync(image.Hash, default));
    }

    [Fact]
    public async Task A_small_file_that_somebody_removed_is_made_again()
    {
        ImageStore store = await OpenAsync();
        ImageManifest image = await store.AddAsync(Files(), null, default);
        File.Delete((await LocalAsync(store, image)).InitramfsPath!);

        Assert.Equal(TestDirectory.Content(100, 3000), await File.ReadAllBytesAsync((await LocalAsync(store, image)).InitramfsPath!));
    }

    [Fact]
    public async Task A_tag_that_names_no_manifest_is_no_image_after_opening()
    {
        ImageStore store = await OpenAsync();
        ImageManifest image = await store.AddAsync(Files(), null, default);
        using (TempTag other = await _blobs.AddBytesAsync("no manifest"u8.ToArray()))
            _blobs.SetTag($"image/{other.Hash}", other.Content);
        _blobs.SetTag("image/what", ImageCollection.Of(image).Content);

        store = await ReopenAsync();

        Assert.Equal([image.Hash], store.Images.Select(known => known.Hash));
        Assert.Single(_blobs.ListTags("image/"));
    }

    [Fact]
    public async Task Bad_texts_are_refused_before_anything_is_copied()
    {
        ImageStore store = await OpenAsync();

        InvalidManifestException e = await Assert.ThrowsAsync<InvalidManifestException>(
            () => store.AddAsync(Files() with { Name = "No" }, null, default));
        Assert.Contains("'N'", e.Message);
        await Assert.ThrowsAsync<InvalidManifestException>(() => store.AddAsync(Files() with { Tag = "" }, null, default));
        await Assert.ThrowsAsync<InvalidManifestException>(() => store.AddAsync(Files() with { Architecture = "vax" }, null, default));
        await Assert.ThrowsAnyAsync<IOException>(() => store.AddAsync(Files() with { KernelPath = "/nowhere/at/all" }, null, default));
        Assert.Empty(_blobs.List());
    }

    [Fact]
    public async Task Files_with_one_name_are_told_apart()
    {
        string again = Path.Combine(Directory.CreateDirectory(Path.Combine(_directory.Root, "sub")).FullName, "root.raw");
        await File.WriteAllTextAsync(again, "another");
        ImageFiles files = Files();

        ImageManifest image = await (await OpenAsync()).AddAsync(files with { DiskPaths = [files.DiskPaths[0], again, again] }, null, default);

        Assert.Equal(["vmlinuz", "initramfs", "root.raw", "1-root.raw", "2-root.raw"], image.Parts.Select(part => part.FileName));
    }
}

internal sealed class Listener(Action<ImageProgress> told) : IProgress<ImageProgress>
{
    public void Report(ImageProgress value) => told(value);
}
