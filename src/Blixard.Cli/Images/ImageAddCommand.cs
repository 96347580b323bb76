using System.CommandLine;
using Blixard.Cli.Local;
using Blixard.Cli.Output;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Images;

/// <summary><c>image add</c>: packs files of this machine into an image.</summary>
internal static class ImageAddCommand
{
    public static Command Create()
    {
        var name = new Argument<string>("name") { Description = "NAME or NAME:TAG." };
        var kernel = new Option<string>("--kernel") { Description = "The kernel.", Required = true, HelpName = "FILE" };
        var initramfs = new Option<string?>("--initramfs") { Description = "The initial RAM file system.", HelpName = "FILE" };
        var disks = new Option<string[]>("--disk") { Description = "A disk, attached in the order given.", HelpName = "FILE" };
        var kernelArguments = new Option<string?>("--kernel-args") { Description = "The kernel command line of VMs of this image.", HelpName = "TEXT" };
        var copies = new Option<uint>("--copies") { Description = "On how many nodes it should be. Default: wherever it is needed.", HelpName = "N" };
        var labels = new Option<string[]>("--label") { Description = "A label of the image.", HelpName = "KEY=VALUE" };
        var command = new Command("add", "Pack a kernel, an initramfs and disks into an image.") { name, kernel, initramfs, disks, kernelArguments, copies, labels };
        LocalNode.Handle(command, async (result, caller, output, cancellationToken) =>
        {
            string reference = result.GetRequiredValue(name);
            int colon = reference.LastIndexOf(':');
            var request = new AddImageRequest
            {
                Name = colon < 0 ? reference : reference[..colon],
                Tag = colon < 0 ? "" : reference[(colon + 1)..],
                KernelPath = Path.GetFullPath(result.GetRequiredValue(kernel)),
                InitramfsPath = result.GetValue(initramfs) is { } path ? Path.GetFullPath(path) : "",
                DiskPaths = { (result.GetValue(disks) ?? []).Select(Path.GetFullPath) },
                KernelArgs = result.GetValue(kernelArguments) ?? "",
                Copies = result.GetValue(copies),
                Kind = ImageKind.Machine,
                Labels = { LabelText.Parse(result.GetValue(labels)) },
            };
            ImageRecord image = await ImageCommand.FollowAsync(caller.StreamAsync(ImageMethods.Add, request, null, cancellationToken)).ConfigureAwait(false);
            output.Write(ImageJson.Create(image), $"{image.Name}:{image.Tag}  {HumanText.Bytes(image.SizeBytes)}  {Convert.ToHexStringLower(image.Hash.Span)}");
            return ExitCode.Done;
        });
        return command;
    }
}
