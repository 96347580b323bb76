using System.CommandLine;
using System.Text.Json.Nodes;
using Blixard.Cli.Local;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Vms;

/// <summary><c>vm rm</c>: removes a VM and all that belongs to it.</summary>
internal static class VmRemoveCommand
{
    public static Command Create()
    {
        Argument<string> name = VmCommand.NameArgument();
        var force = new Option<bool>("--force") { Description = "Kill it if it runs." };
        var command = new Command("rm", "Remove a VM.") { name, force };
        LocalNode.Handle(command, async (result, caller, output, cancellationToken) =>
        {
            string which = result.GetRequiredValue(name);
            await caller.CallAsync(
                VmMethods.Remove, new RemoveVmRequest { Name = which, Force = result.GetValue(force) }, null, cancellationToken).ConfigureAwait(false);
            output.Write(new JsonObject { ["removed"] = which }, $"{which} is removed");
            return ExitCode.Done;
        });
        return command;
    }
}
