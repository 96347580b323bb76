using System.CommandLine;
using Blixard.Cli.Cluster;
using Blixard.Cli.Local;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf.WellKnownTypes;

namespace Blixard.Cli.Vms;

/// <summary><c>vm stop</c>: wants a VM powered off.</summary>
internal static class VmStopCommand
{
    public static Command Create()
    {
        Argument<string> name = VmCommand.NameArgument();
        var grace = new Option<TimeSpan>("--grace")
        {
            Description = "How long the guest may take to power off before it is killed.",
            CustomParser = DurationParser.Parse,
            DefaultValueFactory = _ => TimeSpan.FromSeconds(10),
            HelpName = "TIME",
        };
        var command = new Command("stop", "Stop a VM.") { name, grace };
        LocalNode.Handle(command, async (result, caller, output, cancellationToken) =>
        {
            StopResponse response = await caller.CallAsync(
                VmMethods.Stop,
                new StopRequest { Name = result.GetRequiredValue(name), Grace = Duration.FromTimeSpan(result.GetValue(grace)) },
                null,
                cancellationToken).ConfigureAwait(false);
            output.Write(VmJson.Create(response.Vm), $"{response.Vm.Spec.Name} is being stopped; 'blixard vm ls' shows when it has");
            return ExitCode.Done;
        });
        return command;
    }
}
