using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Blixard.Cli.Local;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Vms;

/// <summary><c>vm logs</c>: what a VM wrote to its serial console.</summary>
internal static class VmLogsCommand
{
    public static Command Create()
    {
        Argument<string> name = VmCommand.NameArgument();
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on with what comes later." };
        var tail = new Option<uint>("--tail", "-n") { Description = "Begin with the last N lines.", HelpName = "N" };
        var command = new Command("logs", "Show a VM's console output.") { name, follow, tail };
        LocalNode.Handle(command, async (result, caller, output, cancellationToken) =>
        {
            var request = new LogsRequest { Name = result.GetRequiredValue(name), Follow = result.GetValue(follow), TailLines = result.GetValue(tail) };
            await using Stream raw = Console.OpenStandardOutput();
            await foreach (LogsResponse piece in caller.StreamAsync(VmMethods.Logs, request, null, cancellationToken).ConfigureAwait(false))
            {
                if (output.IsJson)
                    output.Write(new JsonObject { ["text"] = Encoding.UTF8.GetString(piece.Data.Span) }, "");
                else
                    await raw.WriteAsync(piece.Data.Memory, cancellationToken).ConfigureAwait(false);
            }

            return ExitCode.Done;
        });
        return command;
    }
}
