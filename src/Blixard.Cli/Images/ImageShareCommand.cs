using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Blixard.Cli.Cluster;
using Blixard.Cli.Local;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf.WellKnownTypes;

namespace Blixard.Cli.Images;

/// <summary><c>image share</c>: lets others read this cluster's catalogue and fetch its images.</summary>
internal static class ImageShareCommand
{
    public static Command Create()
    {
        var ttl = new Option<TimeSpan?>("--ttl")
        {
            Description = "How long the ticket is good: a number with s, m, h or d. Default: 24h.",
            CustomParser = result => DurationParser.Parse(result),
            HelpName = "TIME",
        };
        var revoke = new Option<bool>("--revoke") { Description = "End all sharing: no ticket is good any more." };
        var command = new Command("share", "Print a ticket with which others read the catalogue and fetch its images.") { ttl, revoke };
        command.Validators.Add(result =>
        {
            if (result.GetValue(revoke) && result.GetValue(ttl) is not null)
                result.AddError("--revoke ends all sharing at once; --ttl says nothing with it.");
        });
        LocalNode.Handle(command, async (result, caller, output, cancellationToken) =>
        {
            if (result.GetValue(revoke))
            {
                await caller.CallAsync(ImageMethods.RevokeCatalogue, new RevokeCatalogueRequest(), null, cancellationToken).ConfigureAwait(false);
                output.Write(new JsonObject { ["revoked"] = true }, "The catalogue is shared no more. Tickets that were given out are not good any more.");
                return ExitCode.Done;
            }

            ShareCatalogueResponse shared = await caller.CallAsync(
                ImageMethods.ShareCatalogue,
                new ShareCatalogueRequest { Ttl = Duration.FromTimeSpan(result.GetValue(ttl) ?? TimeSpan.FromHours(24)) },
                null,
                cancellationToken).ConfigureAwait(false);
            string until = shared.Until.ToDateTimeOffset().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
            output.Write(
                new JsonObject { ["ticket"] = shared.Ticket, ["until"] = until },
                $"{shared.Ticket}\n\nIn another cluster, before {until}:  blixard image catalogue add NAME TICKET");
            return ExitCode.Done;
        });
        return command;
    }
}
