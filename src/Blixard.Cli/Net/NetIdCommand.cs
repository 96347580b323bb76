using System.CommandLine;
using System.Text.Json.Nodes;
using Iroh;
using Iroh.Base;

namespace Blixard.Cli.Net;

/// <summary><c>net id</c>: shows the endpoint id of a key file.</summary>
internal static class NetIdCommand
{
    public static Command Create()
    {
        var key = new Option<string?>("--key")
        {
            Description = "File with the secret key, created (mode 0600) if absent. Without it a new random id is shown.",
            HelpName = "FILE",
        };
        var command = new Command("id", "Show the endpoint id of a key.") { key };
        CommandRunner.Handle(command, (result, output, _) =>
        {
            EndpointId id = (result.GetValue(key) is { } path ? SecretKeyFile.LoadOrCreate(path) : SecretKey.Generate()).PublicKey;
            output.Write(new JsonObject { ["endpointId"] = id.ToString() }, id.ToString());
            return Task.FromResult(ExitCode.Done);
        });
        return command;
    }
}
