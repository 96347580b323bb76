using System.CommandLine;
using System.Text.Json.Nodes;
using Blixard.Cli.Local;
using Blixard.Cli.Output;
using Blixard.Containers;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Images;

/// <summary><c>image import</c>: makes a container image bootable and adds it to the cluster's images.</summary>
internal static class ImageImportCommand
{
    private static readonly Argument<string> s_source = new("source")
    {
        Description = "docker-archive:FILE (docker save), oci-archive:FILE or oci:DIR (OCI image layout).",
    };

    private static readonly Argument<string[]> s_command = new("command")
    {
        Description = "After --: what takes the place of the image's command.", Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string?> s_name = new("--name") { Description = "The image's name here. Default: what the archive calls it.", HelpName = "NAME" };

    private static readonly Option<string?> s_tag = new("--tag") { Description = "Its tag. Default: the archive's.", HelpName = "TAG" };

    private static readonly Option<string?> s_reference = new("--ref") { Description = "Which image of the archive, if it holds several.", HelpName = "NAME:TAG" };

    private static readonly Option<string[]> s_environment = new("--env") { Description = "Sets a variable of the environment.", HelpName = "NAME=VALUE" };

    private static readonly Option<string[]> s_labels = new("--label") { Description = "A label of the image, beside the container image's own.", HelpName = "KEY=VALUE" };

    private static readonly Option<long?> s_diskSize = new("--disk-size")
    {
        Description = "The disk's size in MiB. Default: what the files need and a quarter, at least 64 MiB, to write.", HelpName = "MIB",
    };

    private static readonly Option<string> s_guest = new("--guest")
    {
        Description = "The folder of build/guest-image.sh: kernel, modules, busybox.", DefaultValueFactory = _ => GuestCache.Directory, HelpName = "DIR",
    };

    private static readonly Option<string?> s_kernel = new("--kernel") { Description = "Another kernel (bzImage).", HelpName = "FILE" };

    private static readonly Option<string?> s_modules = new("--modules") { Description = "Its modules, such as /lib/modules/VERSION.", HelpName = "DIR" };

    private static readonly Option<string?> s_busybox = new("--busybox") { Description = "Another static busybox.", HelpName = "FILE" };

    public static Command Create()
    {
        var command = new Command("import", "Make a container image bootable.")
        {
            s_source, s_command, s_name, s_tag, s_reference, s_environment, s_labels, s_diskSize, s_guest, s_kernel, s_modules, s_busybox,
        };
        s_source.Validators.Add(static result =>
        {
            if (!ContainerSource.TryParse(result.GetValueOrDefault<string>(), out _))
                result.AddError($"'{result.GetValueOrDefault<string>()}' is not docker-archive:FILE, oci-archive:FILE or oci:DIR.");
        });
        s_diskSize.Validators.Add(static result =>
        {
            if (result.GetValueOrDefault<long?>() is { } size && (size < 1 || size > ContainerLimits.DiskBytesMax >> 20))
                result.AddError($"--disk-size is {size}; 1 to {ContainerLimits.DiskBytesMax >> 20} are possible.");
        });
        LocalNode.Handle(command, RunAsync);
        return command;
    }

    private static async Task<ExitCode> RunAsync(ParseResult result, IRpcCaller caller, CommandOutput output, CancellationToken cancellationToken)
    {
        if (!ContainerSource.TryParse(result.GetRequiredValue(s_source), out ContainerSource? source))
            throw new CommandException(ExitCode.Usage, "The source is not docker-archive:FILE, oci-archive:FILE or oci:DIR.");
        Dictionary<string, string> asked = LabelText.Parse(result.GetValue(s_labels));
        if (ImportedLabels.Check(asked) is { } wrong)
            throw new CommandException(ExitCode.Usage, $"--label: {wrong}.");
        GuestFiles guest = FindGuest(result);
        string directory = Directory.CreateTempSubdirectory("blixard-import-").FullName;
        try
        {
            BootableImage made = await MakeAsync(result, source, guest, directory, cancellationToken).ConfigureAwait(false);
            (string name, string tag) = ImportedName.Of(source, made.Reference);
            (IReadOnlyDictionary<string, string> labels, int leftOut) = ImportedLabels.Of(made.Digest, asked, made.Labels);
            var request = new AddImageRequest
            {
                Name = result.GetValue(s_name) ?? name,
                Tag = result.GetValue(s_tag) ?? tag,
                Architecture = "x86_64",
                KernelPath = Path.GetFullPath(guest.KernelPath),
                InitramfsPath = made.InitramfsPath,
                DiskPaths = { made.DiskPath },
                KernelArgs = made.KernelArguments,
                Kind = ImageKind.Container,
                Labels = { labels.ToDictionary() },
            };
            ImageRecord image = await ImageCommand.FollowAsync(caller.StreamAsync(ImageMethods.Add, request, null, cancellationToken)).ConfigureAwait(false);
            JsonObject json = ImageJson.Create(image);
            json["container"] = ContainerJson(made, leftOut);
            output.Write(json, TextOf(image, made) + (leftOut > 0 ? $"\n{leftOut} labels of the container image were left out: too many, too long, or not printable ASCII" : ""));
            return ExitCode.Done;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<BootableImage> MakeAsync(
        ParseResult result, ContainerSource source, GuestFiles guest, string directory, CancellationToken cancellationToken)
    {
        string[] words = result.GetValue(s_command) ?? [];
        var request = new ContainerImportRequest
        {
            Source = source,
            Reference = result.GetValue(s_reference),
            Guest = guest,
            OutputDirectory = directory,
            DiskBytes = result.GetValue(s_diskSize) << 20,
            Command = words.Length > 0 ? words : null,
            Environment = result.GetValue(s_environment) ?? [],
        };
        await using var bar = new ProgressLine(Console.Error, isTerminal: !Console.IsErrorRedirected);
        return await ContainerImport.RunAsync(request, new BarProgress(bar), cancellationToken).ConfigureAwait(false);
    }

    private static GuestFiles FindGuest(ParseResult result)
    {
        string directory = result.GetRequiredValue(s_guest);
        GuestFiles packed = GuestFiles.In(directory);
        var guest = new GuestFiles(
            result.GetValue(s_kernel) ?? packed.KernelPath, result.GetValue(s_modules) ?? packed.ModulesDirectory, result.GetValue(s_busybox) ?? packed.BusyboxPath);
        foreach (string path in (string[])[guest.KernelPath, guest.ModulesDirectory, guest.BusyboxPath])
        {
            if (!Path.Exists(path))
                throw new CommandException(
                    ExitCode.Failed, $"There is no {path}. 'build/guest-image.sh {directory}' packs a kernel, its modules and busybox; or name yours with --kernel, --modules and --busybox.");
        }

        return guest;
    }

    private static JsonObject ContainerJson(BootableImage made, int labelsLeftOut) => new()
    {
        ["reference"] = made.Reference,
        ["digest"] = made.Digest,
        ["labelsLeftOut"] = labelsLeftOut,
        ["layers"] = made.LayerCount,
        ["files"] = made.FileCount,
        ["diskBytes"] = made.DiskBytes,
        ["command"] = made.Command,
        ["user"] = made.User,
    };

    private static string TextOf(ImageRecord image, BootableImage made) =>
        $"{image.Name}:{image.Tag}  {HumanText.Bytes(image.SizeBytes)}  {Convert.ToHexStringLower(image.Hash.Span)}\n"
        + $"{made.FileCount} files of {made.LayerCount} layers on a disk of {HumanText.Bytes((ulong)made.DiskBytes)}; runs '{made.Command}' as {made.User}";

    // Called on the working thread only, while the command waits for it.
    private sealed class BarProgress(ProgressLine bar) : IProgress<ImportProgress>
    {
        public void Report(ImportProgress value) => bar.Show(value.Stage, (ulong)value.Done, (ulong)value.Total, 0);
    }
}
