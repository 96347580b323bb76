using System.CommandLine;
using System.Text.Json.Nodes;
using Blixard.Cli.Local;
using Blixard.Cli.Output;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Images;

/// <summary><c>image catalogue</c>: the catalogues of other clusters.</summary>
internal static class ImageCatalogueCommand
{
    public static Command Create() => new("catalogue", "Follow the catalogues of other clusters.") { CreateAdd(), CreateList(), CreateRemove() };

    private static Command CreateAdd()
    {
        var name = new Argument<string>("name") { Description = "What it is to be called here: a-z, 0-9, '.', '_', '-'." };
        var ticket = new Argument<string>("ticket") { Description = "What 'blixard image share' printed there." };
        var command = new Command("add", "Follow another cluster's catalogue.") { name, ticket };
        AddCatalogueRequest RequestOf(ParseResult result) => new() { Name = result.GetRequiredValue(name), Ticket = result.GetRequiredValue(ticket) };
        LocalNode.HandleCall(command, ImageMethods.AddCatalogue, RequestOf, (result, _, output) =>
        {
            string which = result.GetRequiredValue(name);
            output.Write(new JsonObject { ["added"] = which }, $"{which} is added. 'blixard image ls' lists its images as they arrive; 'blixard image pull {which}//IMAGE' fetches one.");
            return ExitCode.Done;
        });
        return command;
    }

    private static Command CreateList()
    {
        var command = new Command("ls", "List the catalogues of other clusters.");
        LocalNode.HandleCall(command, ImageMethods.ListCatalogues, _ => new ListCataloguesRequest(), (_, list, output) =>
        {
            output.WriteList(
                list.Catalogues.Select(catalogue => new JsonObject
                {
                    ["name"] = catalogue.Name,
                    ["document"] = Convert.ToHexStringLower(catalogue.Document.Span),
                    ["addedBy"] = catalogue.AddedBy,
                    ["images"] = catalogue.Images,
                    ["reason"] = catalogue.Reason,
                }),
                list.Catalogues.Count == 0
                    ? "no catalogues of others; 'blixard image catalogue add' follows one"
                    : TextTable.Render(
                        ["CATALOGUE", "IMAGES", "ADDED BY", "DOCUMENT", "TROUBLE"],
                        list.Catalogues.Select(catalogue => (string[])
                            [catalogue.Name, $"{catalogue.Images}", catalogue.AddedBy, Convert.ToHexStringLower(catalogue.Document.Span)[..10], catalogue.Reason])));
            return ExitCode.Done;
        });
        return command;
    }

    private static Command CreateRemove()
    {
        var name = new Argument<string>("name") { Description = "What it is called here." };
        var command = new Command("rm", "Follow another cluster's catalogue no more; images that were pulled stay.") { name };
        RemoveCatalogueRequest RequestOf(ParseResult result) => new() { Name = result.GetRequiredValue(name) };
        LocalNode.HandleCall(command, ImageMethods.RemoveCatalogue, RequestOf, (result, _, output) => ImageCommand.WriteRemoved(result.GetRequiredValue(name), output));
        return command;
    }
}
