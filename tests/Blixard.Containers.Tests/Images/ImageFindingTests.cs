using System.Text;
using System.Text.Json.Nodes;
using Blixard.Containers.Archives;
using Blixard.Containers.Images;
using Iroh.Cryptography;

namespace Blixard.Containers.Tests.Images;

public sealed class ImageFindingTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_docker_archive_says_how_the_image_is_run()
    {
        TestImage image = Sample();
        image.Run["Entrypoint"] = new JsonArray("/bin/server");
        image.Run["Env"] = new JsonArray("A=1", "B=");
        image.Run["User"] = "app";
        image.Run["WorkingDir"] = "/srv";
        image.Run["StopSignal"] = "SIGQUIT";
        image.Run["Labels"] = new JsonObject { ["org.example.title"] = "Web", ["empty"] = "" };
        using TarArchive archive = Open(image.DockerArchive("registry.example/web:2"));
        ContainerImage found = DockerArchive.Find(archive, null);
        ImageConfiguration run = found.Configuration;
        Assert.Equal(("registry.example/web:2", TestImage.Digest(image.Configuration())), (found.Reference, found.ConfigurationDigest.ToString()));
        Assert.Equal(["/bin/server"], run.EntryPoint);
        Assert.Equal(["/app"], run.Command);
        Assert.Equal(["A=1", "B="], run.Environment);
        Assert.Equal(("app", "/srv", "SIGQUIT"), (run.User, run.WorkingDirectory, run.StopSignal));
        Assert.Equal(new Dictionary<string, string> { ["org.example.title"] = "Web", ["empty"] = "" }, run.Labels);
        Assert.Equal(["layer0/layer.tar", "layer1/layer.tar"], found.Layers.Select(layer => layer.FileName));
    }

    [Fact]
    public void Old_archives_may_link_to_a_layer_that_comes_twice()
    {
        byte[] tar = TestImage.Tar(writer =>
        {
            writer.AddFile("a/layer.tar", "content");
            writer.AddSymbolicLink("b/layer.tar", "../a/layer.tar");
            writer.AddSymbolicLink("c", "c");
            writer.AddSymbolicLink("d", "../../etc/passwd");
            writer.AddHardLink("e", "./a/layer.tar");
        });
        using TarArchive archive = Open(tar);
        Assert.Equal("content", Read("b/layer.tar"));
        Assert.Equal("content", Read("./e"));
        Assert.Null(Read("c"));
        Assert.Null(Read("d"));
        Assert.Null(Read("../x"));

        string? Read(string name)
        {
            if (!archive.TryOpen(name, out Stream? stream))
                return null;
            using var reader = new StreamReader(stream);
            return reader.ReadToEnd();
        }
    }

    [Fact]
    public void An_OCI_layout_is_read_as_archive_and_as_directory()
    {
        Dictionary<string, byte[]> files = Sample().OciFiles("demo:2");
        using TarArchive archive = Open(TestImage.Archive(files));
        ContainerImage found = OciLayout.Find(archive, null);
        Assert.Equal("demo:2", found.Reference);
        Assert.Equal(2, found.Layers.Count);
        Assert.All(found.Layers, layer => Assert.Equal(LayerCompression.Gzip, layer.Compression));

        foreach ((string name, byte[] content) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_directory.File("layout/" + name))!);
            File.WriteAllBytes(_directory.File("layout/" + name), content);
        }

        using var directory = new DirectoryArchive(_directory.File("layout")) { Description = "layout" };
        Assert.Equal(found.ConfigurationDigest, OciLayout.Find(directory, "demo:2").ConfigurationDigest);
        Assert.False(directory.TryOpen("../image.tar", out _));
    }

    [Theory]
    [InlineData("holds no image 'other'; it holds demo:1", ContainerImageFailure.NotFound)]
    [InlineData("holds no image", ContainerImageFailure.NotFound)]
    [InlineData("is for linux/arm64; VMs are linux/amd64", ContainerImageFailure.WrongPlatform)]
    [InlineData("is not there for linux/amd64, but for linux/arm64", ContainerImageFailure.WrongPlatform)]
    [InlineData("another digest than its name says", ContainerImageFailure.Malformed)]
    [InlineData("bytes and should have", ContainerImageFailure.Malformed)]
    [InlineData("compressed with zstd", ContainerImageFailure.Unsupported)]
    [InlineData("unknown media type 'application/vnd.example'", ContainerImageFailure.Unsupported)]
    [InlineData("is not a sha256 one", ContainerImageFailure.Unsupported)]
    [InlineData("is malformed", ContainerImageFailure.Malformed)]
    [InlineData("this is no container image", ContainerImageFailure.Unsupported)]
    [InlineData("names 3 layers and the configuration 2", ContainerImageFailure.Malformed)]
    [InlineData("index.json is no valid JSON", ContainerImageFailure.Malformed)]
    [InlineData("has no oci-layout", ContainerImageFailure.NotFound)]
    [InlineData("has version 2.0", ContainerImageFailure.Unsupported)]
    [InlineData("index.json has", ContainerImageFailure.TooLarge)]
    public void What_is_wrong_with_a_layout_is_named(string message, ContainerImageFailure failure)
    {
        TestImage image = Sample();
        Dictionary<string, byte[]> files = image.OciFiles(
            changeManifest: manifest =>
            {
                JsonObject layer = manifest["layers"]![0]!.AsObject(), config = manifest["config"]!.AsObject();
                switch (message)
                {
                    case "compressed with zstd":
                        layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar+zstd";
                        break;
                    case "unknown media type 'application/vnd.example'":
                        layer["mediaType"] = "application/vnd.example";
                        break;
                    case "is not a sha256 one":
                        layer["digest"] = "sha512:" + new string('0', 128);
                        break;
                    case "is malformed":
                        layer["digest"] = "sha256:../../etc/passwd";
                        break;
                    case "this is no container image":
                        config["mediaType"] = "application/vnd.example.chart";
                        break;
                    case "names 3 layers and the configuration 2":
                        manifest["layers"]!.AsArray().Add(layer.DeepClone());
                        break;
                    case "bytes and should have":
                        config["size"] = 5;
                        break;
                    case "another digest than its name says":
                        string other = layer["digest"]!.GetValue<string>();
                        config["digest"] = other;
                        break;
                }
            },
            changeIndex: index =>
            {
                if (message == "holds no image")
                    index["manifests"] = new JsonArray();
                if (message.StartsWith("is not there"))
                    index["manifests"]!.AsArray().Add(JsonNode.Parse("{}"));
            });
        string? reference = message.Contains("'other'") ? "other" : null;
        switch (message)
        {
            case "another digest than its name says":
                // The configuration's descriptor leads to a layer of another length; make the length right and the content wrong.
                string blob = files.Keys.First(name => name.StartsWith("blobs/") && files[name].AsSpan().StartsWith("{\"architecture\""u8));
                files = image.OciFiles();
                files[blob] = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(files[blob]).Replace("linux", "LINUX"));
                break;
            case "is for linux/arm64; VMs are linux/amd64":
                TestImage wrong = Sample();
                wrong.Architecture = "arm64";
                files = wrong.OciFiles(changeIndex: index => index["manifests"]![0]!["platform"] = null);
                files = Direct(wrong, files);
                break;
            case "is not there for linux/amd64, but for linux/arm64":
                TestImage arm = Sample();
                arm.Architecture = "arm64";
                files = arm.OciFiles();
                break;
            case "index.json is no valid JSON":
                files["index.json"] = "{\"manifests\": [}"u8.ToArray();
                break;
            case "has no oci-layout":
                files.Remove("oci-layout");
                break;
            case "has version 2.0":
                files["oci-layout"] = """{"imageLayoutVersion":"2.0"}"""u8.ToArray();
                break;
            case "index.json has":
                files["index.json"] = new byte[ContainerLimits.JsonLengthMax + 1];
                break;
        }

        using TarArchive archive = Open(TestImage.Archive(files));
        ContainerImageException e = Assert.Throws<ContainerImageException>(() =>
        {
            ContainerImage found = OciLayout.Find(archive, reference);
            // Layers are looked at when they are opened.
            Assert.Fail($"{found.ConfigurationDigest} was found");
        });
        Assert.Contains(message, e.Message);
        Assert.Equal(failure, e.Failure);
    }

    [Fact]
    public void Spoilt_JSON_ends_in_an_image_or_a_named_error()
    {
        TestImage image = Sample();
        image.Run["Env"] = new JsonArray("A=1");
        Dictionary<string, byte[]> good = image.OciFiles();
        string[] names = [.. good.Keys.Where(name => good[name][0] == '{').Order(StringComparer.Ordinal)];
        for (ulong seed = 0; seed < 2000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] json = [.. good[names[(int)random.NextBelow((ulong)names.Length)]]];
            for (ulong change = random.NextBelow(4) + 1; change > 0; change--)
                json[(int)random.NextBelow((ulong)json.Length)] = (byte)random.NextBelow(256);
            var files = new Dictionary<string, byte[]>(good) { ["index.json"] = json, ["manifest.json"] = json };
            var archive = new MemoryArchive(files) { Description = "archive" };
            foreach (Action read in (Action[])[() => OciLayout.Find(archive, null), () => ImageConfiguration.Read(json), () => DockerArchive.Find(archive, null)])
            {
                try
                {
                    read();
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
    }

    private static TestImage Sample() => new TestImage()
        .Layer(writer => writer.AddFile("app", "1", 0x1ED))
        .Layer(writer => writer.AddFile("b", "2"));

    // index.json names the manifest itself, without a platform.
    private static Dictionary<string, byte[]> Direct(TestImage image, Dictionary<string, byte[]> files)
    {
        byte[] manifest = files.Values.Single(content => content.AsSpan().StartsWith("{\"schemaVersion\":2,\"config\""u8));
        files["index.json"] = Encoding.UTF8.GetBytes(new JsonObject
        {
            ["manifests"] = new JsonArray(new JsonObject
            {
                ["mediaType"] = "application/vnd.oci.image.manifest.v1+json", ["digest"] = TestImage.Digest(manifest), ["size"] = manifest.Length,
            }),
        }.ToJsonString());
        Assert.Equal("arm64", image.Architecture);
        return files;
    }

    private TarArchive Open(byte[] tar)
    {
        File.WriteAllBytes(_directory.File("image.tar"), tar);
        return TarArchive.Open(_directory.File("image.tar"), "image.tar");
    }

    private sealed class MemoryArchive(Dictionary<string, byte[]> files) : ImageArchive
    {
        public override bool TryOpen(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Stream? stream)
        {
            stream = files.TryGetValue(name, out byte[]? content) ? new MemoryStream(content) : null;
            return stream is not null;
        }

        public override void Dispose()
        {
        }
    }
}
