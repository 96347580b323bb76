using System.Text.Json.Nodes;
using Iroh.Cryptography;

namespace Blixard.Containers.Tests;

/// <summary>From the archive to the disk, without a boot.</summary>
[Collection(nameof(Guest))]
public sealed class ContainerImportTests(Guest guest) : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task All_forms_of_an_image_give_the_same_bytes()
    {
        TestImage image = Sample();
        string[] disks = [];
        string[] initramfs = [];
        foreach ((byte[] archive, ContainerSourceKind kind) in ((byte[], ContainerSourceKind)[])
        [
            (image.DockerArchive(), ContainerSourceKind.DockerArchive),
            (image.DockerArchive(pack: TestImage.Gzip), ContainerSourceKind.DockerArchive),
            (TestImage.Gzip(image.DockerArchive()), ContainerSourceKind.DockerArchive),
            (TestImage.Archive(image.OciFiles()), ContainerSourceKind.OciArchive),
            (TestImage.Archive(image.OciFiles()), ContainerSourceKind.DockerArchive),
            (TestImage.Archive(image.NewDockerFiles()), ContainerSourceKind.DockerArchive),
            (TestImage.Archive(image.NewDockerFiles()), ContainerSourceKind.OciArchive),
        ])
        {
            BootableImage made = await ImportAsync(archive, kind);
            disks = [.. disks, TestImage.Digest(await File.ReadAllBytesAsync(made.DiskPath))];
            initramfs = [.. initramfs, TestImage.Digest(await File.ReadAllBytesAsync(made.InitramfsPath))];
            Assert.Equal(("demo:1", "/app with words", "5:6", 2), (made.Reference, made.Command, made.User, made.LayerCount));
        }

        Assert.Single(disks.Distinct());
        Assert.Single(initramfs.Distinct());
    }

    [Fact]
    public async Task Progress_is_told_and_ends_at_the_whole()
    {
        var steps = new List<ImportProgress>();
        await ImportAsync(Sample().DockerArchive(), progress: new Recorder(steps));
        Assert.Equal(["reading layers", "writing the disk"], steps.Select(step => step.Stage).Distinct());
        Assert.All(steps, step => Assert.InRange(step.Done, 0, step.Total));
        Assert.Equal(2, steps.Count(step => step.Done == step.Total));
    }

    [Theory]
    [InlineData("is no program in it", ContainerImageFailure.NotFound)]
    [InlineData("says nothing of what to run", ContainerImageFailure.NotFound)]
    [InlineData("the user 'nobody'", ContainerImageFailure.NotFound)]
    [InlineData("is no directory", ContainerImageFailure.NotFound)]
    [InlineData("stop signal 'SIGNOTHING'", ContainerImageFailure.Malformed)]
    [InlineData("is not NAME=VALUE", ContainerImageFailure.Malformed)]
    [InlineData("bytes; 131072 are possible", ContainerImageFailure.TooLarge)]
    [InlineData("layer 2 of 2: the content of", ContainerImageFailure.Malformed)]
    [InlineData("layer 1 of 2: a layer is compressed with zstd", ContainerImageFailure.Unsupported)]
    [InlineData("layer 1 of 2: a layer's gzip stream is damaged", ContainerImageFailure.Malformed)]
    [InlineData("has no layer", ContainerImageFailure.NotFound)]
    [InlineData("is no container image", ContainerImageFailure.NotFound)]
    [InlineData("does not exist", ContainerImageFailure.NotFound)]
    [InlineData("damaged gzip file", ContainerImageFailure.Malformed)]
    [InlineData("no tar archive", ContainerImageFailure.Malformed)]
    public async Task What_cannot_be_run_is_named(string message, ContainerImageFailure failure)
    {
        TestImage image = Sample();
        switch (message)
        {
            case "is no program in it":
                image.Run["Entrypoint"] = new JsonArray("data");
                break;
            case "says nothing of what to run":
                image.Run["Entrypoint"] = null;
                image.Run["Cmd"] = null;
                break;
            case "the user 'nobody'":
                image.Run["User"] = "nobody";
                break;
            case "is no directory":
                image.Run["WorkingDir"] = "/data";
                break;
            case "stop signal 'SIGNOTHING'":
                image.Run["StopSignal"] = "SIGNOTHING";
                break;
            case "is not NAME=VALUE":
                image.Run["Env"] = new JsonArray("=x");
                break;
            case "bytes; 131072 are possible":
                image.Run["Env"] = new JsonArray("A=" + new string('x', ContainerLimits.CommandLengthMax));
                break;
        }

        byte[] archive = message switch
        {
            "layer 2 of 2: the content of" => image.DockerArchive(pack: layer => layer == image.Layers[1] ? TestImage.Tar(writer => writer.AddFile("other", "")) : layer),
            "layer 1 of 2: a layer is compressed with zstd" => image.DockerArchive(pack: _ => [0x28, 0xB5, 0x2F, 0xFD, 0]),
            "layer 1 of 2: a layer's gzip stream is damaged" => image.DockerArchive(pack: layer => [.. TestImage.Gzip(layer)[..20], 0xFF, 0xFF, 0xFF, 0xFF, .. new byte[50]]),
            "has no layer" => TestImage.Tar(writer =>
            {
                writer.AddFile("config.json", image.Configuration());
                writer.AddFile("manifest.json", """[{"Config":"config.json","Layers":["a","b"]}]""");
            }),
            "is no container image" => TestImage.Tar(writer => writer.AddFile("some", "file")),
            "damaged gzip file" => [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            "no tar archive" => [.. Enumerable.Repeat((byte)'x', 2000)],
            _ => image.DockerArchive(),
        };
        ContainerImageException e = await Assert.ThrowsAsync<ContainerImageException>(
            () => ImportAsync(archive, path: message == "does not exist" ? _directory.File("nowhere.tar") : null));
        Assert.Contains(message, e.Message);
        Assert.Equal(failure, e.Failure);
    }

    [Fact]
    public async Task A_bomb_of_zeros_takes_no_room_on_the_disk()
    {
        var image = new TestImage();
        image.Layer(writer =>
        {
            writer.AddFile("app", "1", 0x1ED);
            writer.AddFile("zeros", new byte[64 << 20]);
        });
        byte[] archive = image.DockerArchive(pack: TestImage.Gzip);
        Assert.True(archive.Length < 4 << 20);
        BootableImage made = await ImportAsync(archive);
        Assert.True(made.DiskBytes > 64 << 20);
        (_, string output) = await Tool.RunAsync("debugfs", "-R", "stat /zeros", made.DiskPath);
        Assert.Contains($"Size: {64 << 20}", output);
        using var du = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("/usr/bin/du", ["-k", made.DiskPath]) { RedirectStandardOutput = true })!;
        long kilobytes = long.Parse((await du.StandardOutput.ReadToEndAsync()).Split('\t')[0]);
        await du.WaitForExitAsync();
        Assert.InRange(kilobytes, 1, 16 << 10);
    }

    [Fact]
    public async Task The_command_and_the_environment_can_be_replaced_and_modules_must_fit_the_kernel()
    {
        byte[] archive = Sample().DockerArchive();
        await File.WriteAllBytesAsync(_directory.File("image.tar"), archive);
        ContainerImportRequest request = Request(_directory.File("image.tar")) with { Command = ["other"], Environment = ["A=2"] };
        Assert.Equal("/app other", (await ContainerImport.RunAsync(request, null, CancellationToken.None)).Command);

        ContainerImageException noModules = await FailAsync(request with { Guest = guest.Files with { ModulesDirectory = _directory.Path } });
        Assert.Contains("the kernel's module evdev is not below", noModules.Message);
        ContainerImageException noKernel = await FailAsync(request with { Guest = guest.Files with { KernelPath = guest.Files.BusyboxPath } });
        Assert.Contains("is no bzImage of Linux", noKernel.Message);
        ContainerImageException noBusybox = await FailAsync(request with { Guest = guest.Files with { BusyboxPath = guest.Files.KernelPath } });
        Assert.Contains("is no statically linked program", noBusybox.Message);
    }

    [Fact]
    public async Task Spoilt_archives_end_in_a_disk_or_a_named_error()
    {
        byte[] good = Sample().DockerArchive(pack: TestImage.Gzip);
        for (ulong seed = 0; seed < 25; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] bytes = [.. good];
            for (ulong change = random.NextBelow(3) + 1; change > 0; change--)
                bytes[(int)random.NextBelow((ulong)bytes.Length)] ^= (byte)(random.NextBelow(255) + 1);
            try
            {
                await ImportAsync(bytes);
            }
            catch (ContainerImageException)
            {
                // Named.
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}: {e}");
            }
        }
    }

    private static TestImage Sample()
    {
        TestImage image = new TestImage()
            .Layer(writer =>
            {
                writer.AddFile("app", "#!/bin/sh\n", 0x1ED, 5, 6);
                writer.AddFile("data", new string('d', 50_000));
            })
            .Layer(writer => writer.AddFile("etc/conf", "x=1\n"));
        image.Run["Entrypoint"] = new JsonArray("/app");
        image.Run["Cmd"] = new JsonArray("with", "words");
        image.Run["User"] = "5:6";
        return image;
    }

    private async Task<BootableImage> ImportAsync(
        byte[] archive, ContainerSourceKind kind = ContainerSourceKind.DockerArchive, IProgress<ImportProgress>? progress = null, string? path = null)
    {
        await File.WriteAllBytesAsync(_directory.File("image.tar"), archive);
        ContainerImportRequest request = Request(path ?? _directory.File("image.tar"));
        return await ContainerImport.RunAsync(request with { Source = new ContainerSource(kind, request.Source.Path) }, progress, CancellationToken.None);
    }

    private ContainerImportRequest Request(string path) => new()
    {
        Source = new ContainerSource(ContainerSourceKind.DockerArchive, path), Guest = guest.Files, OutputDirectory = _directory.Path,
    };

    private static Task<ContainerImageException> FailAsync(ContainerImportRequest request) =>
        Assert.ThrowsAsync<ContainerImageException>(() => ContainerImport.RunAsync(request, null, CancellationToken.None));

    private sealed class Recorder(List<ImportProgress> steps) : IProgress<ImportProgress>
    {
        public void Report(ImportProgress value) => steps.Add(value);
    }
}
