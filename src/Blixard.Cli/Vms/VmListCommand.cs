using System.CommandLine;
using Blixard.Cli.Local;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Vms;

/// <summary><c>vm ls</c>: all VMs.</summary>
internal static class VmListCommand
{
    public static Command Create()
    {
        var command = new Command("ls", "List VMs.");
        LocalNode.Handle(command, async (_, caller, output, cancellationToken) =>
        {
            ListVmsResponse list = await caller.CallAsync(VmMethods.List, new ListVmsRequest(), null, cancellationToken).ConfigureAwait(false);
            output.WriteList(list.Vms.Select(VmJson.Create), list.Vms.Count > 0 ? VmText.Table(list.Vms) : "no VMs; 'blixard vm run' starts one");
            return ExitCode.Done;
        });
        return command;
    }
}
