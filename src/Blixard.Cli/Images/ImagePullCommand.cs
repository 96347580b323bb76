using System.CommandLine;
using Blixard.Cli.Local;
using Blixard.Cli.Output;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Images;

/// <summary><c>image pull</c>: fetches an image of the cluster to this node.</summary>
internal static class ImagePullCommand
{
    public static Command Create()
    {
        var reference = new Argument<string>("image") { Description = "NAME, NAME:TAG, the hash, or CATALOGUE//NAME:TAG of another cluster." };
        var command = new Command("pull", "Fetch an image to this node.") { reference };
        LocalNode.Handle(command, async (result, caller, output, cancellationToken) =>
        {
            ImageRecord image = await ImageCommand.FollowAsync(caller.StreamAsync(
                ImageMethods.Pull, new PullImageRequest { Reference = result.GetRequiredValue(reference) }, null, cancellationToken)).ConfigureAwait(false);
            output.Write(ImageJson.Create(image), $"{image.Name}:{image.Tag} is here: {HumanText.Bytes(image.SizeBytes)}");
            return ExitCode.Done;
        });
        return command;
    }
}
