using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Blixard.Cli.Images;
using Blixard.Cli.Output;
using Blixard.Containers;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Demo;

/// <summary>The demo's step with a container image: imported on one node, run as a microVM on another.</summary>
internal sealed class DemoContainer(DemoCluster cluster)
{
    private const string ImageName = "hello";
    private const string VmName = "hello-vm";
    private const string GuestLine = "hello from";

    // Where the sample serves its page.
    private const uint GuestPort = 8080;

    // Below what systems give away to whoever asks for any port (net.ipv4.ip_local_port_range), so that nobody gets it by chance.
    private const int HostPortFirst = 20_000;
    private const int HostPortEnd = 30_000;

    // For one try. A program that does not listen yet refuses at once; far more than an answer takes.
    private static readonly TimeSpan s_pageLimit = TimeSpan.FromSeconds(10);

    /// <summary>Imports the sample that <c>./demo</c> packed, and waits until it answers on the port that it publishes.</summary>
    public async Task<(string Seen, JsonObject Facts)> RunAsync(CancellationToken cancellationToken)
    {
        string archive = Path.Combine(GuestCache.Directory, "hello.tar");
        if (!File.Exists(archive))
            throw new CommandException(ExitCode.Failed, $"There is no container image to import: {archive} does not exist. ./demo packs one, as build/container-image.sh does.");
        ImageRecord image = await ImportAsync(archive, cancellationToken).ConfigureAwait(false);
        DemoNode three = cluster["three"];
        await DemoScript.UntilAsync(three, status => status.Images.Any(known => known.Name == ImageName), cancellationToken).ConfigureAwait(false);
        int port = FindPort();
        var spec = new VmSpec
        {
            Name = VmName, Image = ImageName, Node = "three", Vcpus = 1, MemoryMib = 256, Desired = DesiredState.Running, Restart = RestartPolicy.Never,
            Network = new VmNetwork { Ports = { new PublishedPort { HostPort = (uint)port, GuestPort = GuestPort } } },
        };
        await three.Api.CallAsync(VmMethods.Run, new RunRequest { Spec = spec }, null, cancellationToken).ConfigureAwait(false);
        await UntilAsync(three, VmState.Running, cancellationToken).ConfigureAwait(false);
        string line = await ReadLineAsync(three, cancellationToken).ConfigureAwait(false);
        var page = new Uri($"http://127.0.0.1:{port}/");
        string served = await FetchAsync(page, cancellationToken).ConfigureAwait(false);
        await three.Api.CallAsync(VmMethods.Stop, new StopRequest { Name = VmName }, null, cancellationToken).ConfigureAwait(false);
        await UntilAsync(three, VmState.Stopped, cancellationToken).ConfigureAwait(false);
        JsonObject facts = ImageJson.Create(image);
        facts["console"] = line;
        facts["url"] = page.OriginalString;
        facts["page"] = served;
        return ($"{image.Name}:{image.Tag}, {HumanText.Bytes(image.SizeBytes)}, imported on one, run on three\n| {line}\n{page} answers: {served}", facts);
    }

    private static int FindPort()
    {
        int port;
        do
            port = Random.Shared.Next(HostPortFirst, HostPortEnd);
        while (!IsFree(port));
        return port;
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Asks for a page until somebody answers; the step's limit ends it.</summary>
    private static async Task<string> FetchAsync(Uri page, CancellationToken cancellationToken)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = s_pageLimit };
        while (true)
        {
            try
            {
                return (await http.GetStringAsync(page, cancellationToken).ConfigureAwait(false)).Trim();
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
            {
                await Task.Delay(DemoScript.PollInterval, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task<ImageRecord> ImportAsync(string archive, CancellationToken cancellationToken)
    {
        string directory = Directory.CreateTempSubdirectory("blixard-import-").FullName;
        try
        {
            if (!ContainerSource.TryParse($"docker-archive:{archive}", out ContainerSource? source))
                throw new CommandException(ExitCode.Failed, $"{archive} cannot be named as a docker archive.");
            var guest = GuestFiles.In(GuestCache.Directory);
            BootableImage made = await ContainerImport.RunAsync(
                new ContainerImportRequest { Source = source, Guest = guest, OutputDirectory = directory, Environment = [] }, null, cancellationToken).ConfigureAwait(false);
            var request = new AddImageRequest
            {
                Name = ImageName,
                KernelPath = guest.KernelPath,
                InitramfsPath = made.InitramfsPath,
                DiskPaths = { made.DiskPath },
                KernelArgs = made.KernelArguments,
                Kind = ImageKind.Container,
                Labels = { [ImportedLabels.DigestKey] = made.Digest },
            };
            ImageRecord? image = null;
            await foreach (ImageProgress progress in cluster["one"].Api.StreamAsync(ImageMethods.Add, request, null, cancellationToken).ConfigureAwait(false))
                image = progress.Image ?? image;
            return image!;
        }
        catch (ContainerImageException e)
        {
            throw new CommandException(ExitCode.Failed, e.Message, e);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<string> ReadLineAsync(DemoNode node, CancellationToken cancellationToken)
    {
        var console = new StringBuilder();
        await foreach (LogsResponse piece in node.Api.StreamAsync(
            VmMethods.Logs, new LogsRequest { Name = VmName, Follow = true }, null, cancellationToken).ConfigureAwait(false))
        {
            console.Append(Encoding.UTF8.GetString(piece.Data.Span));
            string[] lines = console.ToString().Split('\n');
            if (lines[..^1].FirstOrDefault(line => line.Contains(GuestLine, StringComparison.Ordinal)) is { } said)
                return said.Trim();
        }

        throw new CommandException(ExitCode.Failed, $"the console ended before the container said anything: {console}");
    }

    private static Task<StatusResponse> UntilAsync(DemoNode node, VmState wanted, CancellationToken cancellationToken) => DemoScript.UntilAsync(
        node,
        status => status.Vms.FirstOrDefault(vm => vm.Spec.Name == VmName)?.Status switch
        {
            { State: VmState.Failed } failed => throw new CommandException(ExitCode.Failed, $"{VmName} failed: {failed.Reason}"),
            { } vm => vm.State == wanted,
            null => false,
        },
        cancellationToken);
}
