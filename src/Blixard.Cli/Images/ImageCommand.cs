using System.CommandLine;
using System.Text.Json.Nodes;
using Blixard.Cli.Local;
using Blixard.Cli.Output;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Images;

/// <summary>The commands about images.</summary>
internal static class ImageCommand
{
    public static Command Create() => new("image", "Pack, list and fetch VM images.")
    {
        ImageAddCommand.Create(),
        ImageImportCommand.Create(),
        ImagePullCommand.Create(),
        CreateList(),
        CreateInspect(),
        CreateVerify(),
        CreateRemove(),
        ImageShareCommand.Create(),
        ImageCatalogueCommand.Create(),
    };

    /// <summary>Shows how far the work is on stderr: bars on a terminal, one for each source beside that of the whole; elsewhere a line for
    /// each tenth. Returns the image.</summary>
    public static async Task<ImageRecord> FollowAsync(IAsyncEnumerable<ImageProgress> steps)
    {
        ImageRecord? image = null;
        using var bars = new ImageProgressBars(Console.Error, isTerminal: !Console.IsErrorRedirected);
        await foreach (ImageProgress progress in steps.ConfigureAwait(false))
        {
            image = progress.Image ?? image;
            bars.Show(progress);
        }

        return image ?? throw new CommandException(ExitCode.Failed, "The node ended without naming the image.");
    }

    private static Command CreateList()
    {
        var command = new Command("ls", "List the images of the cluster.");
        LocalNode.Handle(command, async (_, caller, output, cancellationToken) =>
        {
            ListImagesResponse list =
                await caller.CallAsync(ImageMethods.List, new ListImagesRequest(), null, cancellationToken).ConfigureAwait(false);
            string note = list.StaleReason.Length > 0 ? $"\n\nThis may be old: {list.StaleReason}" : "";
            output.WriteList(
                list.Images.Select(image => ImageJson.Create(image, list.Node)).Concat(list.Foreign.Select(ImageJson.Create)),
                (list.Images.Count + list.Foreign.Count > 0 ? ImageText.Table(list.Images, list.Node, list.Foreign) : "no images; 'blixard image add' packs one") + note);
            return ExitCode.Done;
        });
        return command;
    }

    private static Command CreateInspect()
    {
        var reference = new Argument<string>("image") { Description = "NAME, NAME:TAG or the hash." };
        var command = new Command("inspect", "Show everything about an image.") { reference };
        LocalNode.Handle(command, async (result, caller, output, cancellationToken) =>
        {
            InspectImageResponse response = await caller.CallAsync(
                ImageMethods.Inspect, new InspectImageRequest { Reference = result.GetRequiredValue(reference) }, null, cancellationToken).ConfigureAwait(false);
            ImageRecord image = response.Image;
            output.Write(
                ImageJson.Create(image),
                ImageText.Table([image], "") + "\n\n" + TextTable.Render(
                    ["PART", "NAME", "SIZE", "HASH"],
                    image.Parts.Select(part => (string[])
                        [Cluster.StatusText.Name(part.Kind), part.Name, HumanText.Bytes(part.SizeBytes), Convert.ToHexStringLower(part.Hash.Span)])));
            return ExitCode.Done;
        });
        return command;
    }

    private static Command CreateVerify()
    {
        var reference = new Argument<string>("image") { Description = "NAME, NAME:TAG or the hash." };
        var command = new Command("verify", "Read an image on this node's disk and check it against its hashes.") { reference };
        LocalNode.Handle(command, async (result, caller, output, cancellationToken) =>
        {
            VerifyImageResponse response = await caller.CallAsync(
                ImageMethods.Verify, new VerifyImageRequest { Reference = result.GetRequiredValue(reference) }, null, cancellationToken).ConfigureAwait(false);
            ImageRecord image = response.Image;
            JsonObject json = ImageJson.Create(image);
            json["damaged"] = new JsonArray([.. response.Damaged.Select(part => JsonValue.Create(part))]);
            output.Write(
                json,
                response.Damaged.Count == 0
                    ? $"{image.Name}:{image.Tag} is sound: {HumanText.Bytes(image.SizeBytes)} read"
                    : $"{image.Name}:{image.Tag} is damaged here: {string.Join(", ", response.Damaged)}. 'blixard image pull {image.Name}:{image.Tag}' fetches what is wrong again.");
            return response.Damaged.Count == 0 ? ExitCode.Done : ExitCode.Failed;
        });
        return command;
    }

    private static Command CreateRemove()
    {
        var reference = new Argument<string>("image") { Description = "NAME or NAME:TAG." };
        var force = new Option<bool>("--force") { Description = "Although a VM uses it." };
        var command = new Command("rm", "Take an image's name away.") { reference, force };
        LocalNode.Handle(command, async (result, caller, output, cancellationToken) =>
        {
            string which = result.GetRequiredValue(reference);
            await caller.CallAsync(
                ImageMethods.Remove, new RemoveImageRequest { Reference = which, Force = result.GetValue(force) }, null, cancellationToken).ConfigureAwait(false);
            output.Write(new JsonObject { ["removed"] = which }, $"{which} is removed");
            return ExitCode.Done;
        });
        return command;
    }
}
