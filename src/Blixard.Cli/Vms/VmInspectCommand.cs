using System.CommandLine;
using System.Text.Json.Nodes;
using Blixard.Cli.Local;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Vms;

/// <summary><c>vm inspect</c>: everything about one VM.</summary>
internal static class VmInspectCommand
{
    public static Command Create()
    {
        Argument<string> name = VmCommand.NameArgument();
        var command = new Command("inspect", "Show everything about a VM.") { name };
        LocalNode.Handle(command, async (result, caller, output, cancellationToken) =>
        {
            InspectVmResponse response = await caller.CallAsync(
                VmMethods.Inspect, new InspectVmRequest { Name = result.GetRequiredValue(name) }, null, cancellationToken).ConfigureAwait(false);
            JsonObject json = VmJson.Create(response.Vm);
            output.Write(json, Output.TextTable.Render(["FIELD", "VALUE"], json.Select(item => (string[])[item.Key, Text(response.Vm, item)])));
            return ExitCode.Done;
        });
        return command;
    }

    private static string Text(VmRecord vm, KeyValuePair<string, JsonNode?> item) => item.Key == "ports" ? VmText.Ports(vm) : item.Value?.ToString() ?? "";
}
