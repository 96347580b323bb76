using System.Text.Json.Nodes;
using Blixard.Cli.Images;
using Blixard.Cli.Tests.Cluster;
using Blixard.Cli.Tests.Vms;
using Blixard.Containers;
using Blixard.Testing.Basics;

namespace Blixard.Cli.Tests.Images;

[Collection(nameof(CliCluster))]
public sealed class ImageImportTests
{
    private const string HelloLine = "hello from box-1: app in /srv, kernel ";

    [Fact]
    public async Task A_container_image_is_imported_and_runs_as_a_VM()
    {
        await using var cluster = new CliCluster();
        string guest = Path.Combine(RepositoryRoot, "artifacts", "guest"), archive = Path.Combine(cluster.Folder, "hello.tar");
        await RunScriptAsync("guest-image.sh", guest);
        await RunScriptAsync("container-image.sh", archive);
        await cluster.StartAsync("one", "up");

        string temporary = Directory.CreateDirectory(Path.Combine(cluster.Folder, "tmp")).FullName;
        await using CliProcess importing = CliProcess.StartIn(
            temporary, "image", "import", "docker-archive:" + archive, "--guest", guest, "--label", "stage=test", "--json", "--data-dir", cluster.DirectoryOf("one"));
        CliResult import = await importing.WaitAsync();
        Assert.True(import.ExitCode == 0, import.Errors);
        JsonNode image = Assert.Single(import.Lines);
        Assert.Equal(("hello", "latest", "reboot=t,force"), (Text(image["name"]), Text(image["tag"]), Text(image["kernelArgs"])));
        Assert.Equal(["kernel", "initramfs", "disk"], image["parts"]!.AsArray().Select(part => Text(part!["kind"])));
        JsonNode container = image["container"]!;
        Assert.Equal(
            ("container", "test", "hello", Text(container["digest"])),
            (Text(image["kind"]), Text(image["labels"]!["stage"]), Text(image["labels"]!["org.opencontainers.image.title"]), Text(image["labels"]!["container.digest"])));
        Assert.Equal(("hello:latest", "/bin/serve", "1000:1000", 2),
            (Text(container["reference"]), Text(container["command"]), Text(container["user"]), container["layers"]!.GetValue<int>()));
        Assert.StartsWith("sha256:", Text(container["digest"]));
        Assert.Contains("reading layers", import.Errors);
        Assert.Contains("writing the disk", import.Errors);
        Assert.Equal([], Directory.EnumerateDirectories(temporary, "blixard-import-*"));

        int port = FreePort.Find();
        await cluster.JsonAsync("one", "vm", "run", "box-1", "--image", "hello", "-p", $"{port}:8080");
        await using (CliProcess logs = CliProcess.Start("vm", "logs", "box-1", "-f", "--data-dir", cluster.DirectoryOf("one")))
        {
            Assert.Contains(HelloLine, await logs.ReadUntilAsync(HelloLine));
            await logs.EndAsync("INT");
        }

        Assert.Equal("hello from a container image\n", await Page.FetchAsync(port));

        JsonNode stopped = await cluster.JsonAsync("one", "vm", "stop", "box-1");
        Assert.Equal("box-1", Text(stopped["name"]));
        await cluster.JsonAsync("one", "vm", "rm", "box-1");
    }

    [Fact]
    public async Task What_cannot_be_imported_is_named()
    {
        await using var cluster = new CliCluster();
        string guest = Path.Combine(RepositoryRoot, "artifacts", "guest"), file = Path.Combine(cluster.Folder, "file");
        await RunScriptAsync("guest-image.sh", guest);
        await File.WriteAllTextAsync(file, "no archive");
        foreach ((int exitCode, string message, string[] arguments) in ((int, string, string[])[])
        [
            (2, "'nginx:latest' is not docker-archive:FILE, oci-archive:FILE or oci:DIR.", ["nginx:latest"]),
            (2, "--label: the label container.digest says which", ["oci:" + file, "--label", "container.digest=x"]),
            (2, "--disk-size is 0; 1 to 262144 are possible.", ["oci:" + file, "--disk-size", "0"]),
            (1, "the tar archive is malformed at byte 0: it is cut off inside a header", ["docker-archive:" + file, "--guest", guest]),
            (1, $"the file {file}-not does not exist", ["oci-archive:" + file + "-not", "--guest", guest]),
            (1, $"'build/guest-image.sh {file}' packs a kernel, its modules and busybox", ["docker-archive:" + file, "--guest", file]),
        ])
        {
            CliResult result = await cluster.RunAsync("nobody", ["image", "import", .. arguments]);
            Assert.Equal((exitCode, ""), (result.ExitCode, result.Output));
            Assert.Contains(message, result.Errors);
        }
    }

    [Theory]
    [InlineData("docker-archive:/x/web.tar", "registry.example:5000/team/Web:1.2", "web", "1.2")]
    [InlineData("docker-archive:/x/web.tar", "hello", "hello", "latest")]
    [InlineData("docker-archive:/x/Web App.tar.gz", null, "web-app", "latest")]
    [InlineData("oci-archive:/x/web.tgz", "v1", "web", "v1")]
    [InlineData("oci:/x/layout/", "docker.io/library/nginx@sha256:00", "nginx", "latest")]
    public void A_name_is_found(string source, string? reference, string name, string tag)
    {
        Assert.True(ContainerSource.TryParse(source, out ContainerSource? parsed));
        Assert.Equal((name, tag), ImportedName.Of(parsed, reference));
    }

    private static string RepositoryRoot
    {
        get
        {
            DirectoryInfo? directory = new(AppContext.BaseDirectory);
            while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Blixard.slnx")))
                directory = directory.Parent;
            return directory?.FullName ?? throw new DirectoryNotFoundException("Blixard.slnx is in no parent of the tests");
        }
    }

    private static Task RunScriptAsync(string name, string argument) => BuildScript.RunAsync(Path.Combine(RepositoryRoot, "build", name), argument);

    private static string Text(JsonNode? node) => node!.GetValue<string>();
}
