using System.CommandLine;
using Blixard.Cli.Local;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Vms;

/// <summary><c>vm start</c>: wants a stopped VM to run again.</summary>
internal static class VmStartCommand
{
    public static Command Create()
    {
        Argument<string> name = VmCommand.NameArgument();
        var command = new Command("start", "Start a stopped VM.") { name };
        LocalNode.Handle(command, async (result, caller, output, cancellationToken) =>
        {
            StartResponse response = await caller.CallAsync(
                VmMethods.Start, new StartRequest { Name = result.GetRequiredValue(name) }, null, cancellationToken).ConfigureAwait(false);
            output.Write(VmJson.Create(response.Vm), VmText.WhatNext(response.Vm, $"is being started on {response.Vm.Status.Node}"));
            return ExitCode.Done;
        });
        return command;
    }
}
