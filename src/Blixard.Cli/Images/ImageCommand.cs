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
        var labels = new Option<string[]>("--label") { Description = "Only images with this label; of several all must be there.", HelpName = "KEY[=VALUE]" };
        var command = new Command("ls", "List the images of the cluster.") { labels };
        LocalNode.HandleCall(command, ImageMethods.List, _ => new ListImagesRequest(), (result, list, output) =>
        {
            string[] conditions = result.GetValue(labels) ?? [];
            ImageRecord[] images = [.. list.Images.Where(image => LabelText.Matches(image.Labels, conditions))];
            ForeignImage[] foreign = [.. list.Foreign.Where(other => LabelText.Matches(other.Image.Labels, conditions))];
            string none = conditions.Length > 0 ? "no images with these labels" : "no images; 'blixard image add' packs one";
            output.WriteList(
                images.Select(image => ImageJson.Create(image, list.Node)).Concat(foreign.Select(ImageJson.Create)),
                (images.Length + foreign.Length > 0 ? ImageText.Table(images, list.Node, foreign) : none) + NotesOf(list));
            return ExitCode.Done;
        });
        return command;
    }

    private static string NotesOf(ListImagesResponse list) =>
        (list.StaleReason.Length > 0 ? $"\n\nThis may be old: {list.StaleReason}" : "")
        + (list.ForeignLeftOut > 0 ? $"\n\n{list.ForeignLeftOut} more images of others' catalogues are not shown: they would make the answer too long" : "");

    private static Command CreateInspect()
    {
        var reference = new Argument<string>("image") { Description = "NAME, NAME:TAG or the hash." };
        var command = new Command("inspect", "Show everything about an image.") { reference };
        InspectImageRequest RequestOf(ParseResult result) => new() { Reference = result.GetRequiredValue(reference) };
        LocalNode.HandleCall(command, ImageMethods.Inspect, RequestOf, (_, response, output) =>
        {
            ImageRecord image = response.Image;
            output.Write(
                ImageJson.Create(image),
                ImageText.Table([image], "") + ImageText.Labels(image) + "\n\n" + TextTable.Render(
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
        VerifyImageRequest RequestOf(ParseResult result) => new() { Reference = result.GetRequiredValue(reference) };
        LocalNode.HandleCall(command, ImageMethods.Verify, RequestOf, (_, response, output) =>
        {
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
        RemoveImageRequest RequestOf(ParseResult result) => new() { Reference = result.GetRequiredValue(reference), Force = result.GetValue(force) };
        LocalNode.HandleCall(command, ImageMethods.Remove, RequestOf, (result, _, output) => WriteRemoved(result.GetRequiredValue(reference), output));
        return command;
    }

    /// <summary>Says that a name was taken away.</summary>
    public static ExitCode WriteRemoved(string which, CommandOutput output)
    {
        output.Write(new JsonObject { ["removed"] = which }, $"{which} is removed");
        return ExitCode.Done;
    }
}
