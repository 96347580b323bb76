using System.CommandLine;
using Blixard.Cli.Local;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Vms;

/// <summary><c>vm run</c>: records a VM that should run.</summary>
internal static class VmRunCommand
{
    public static Command Create()
    {
        Argument<string> name = VmCommand.NameArgument();
        var image = new Option<string>("--image") { Description = "The image, as NAME or NAME:TAG.", Required = true, HelpName = "IMAGE" };
        var node = new Option<string?>("--node") { Description = "The node that must run it. Default: the one with the most free memory.", HelpName = "NAME" };
        var cpus = new Option<uint>("--cpus") { Description = "Virtual CPUs.", DefaultValueFactory = _ => 1, HelpName = "N" };
        var memory = new Option<ulong>("--memory") { Description = "Memory in MiB.", DefaultValueFactory = _ => 256, HelpName = "MIB" };
        var restart = new Option<string>("--restart")
        {
            Description = "When to start it again after it ended (never, on-failure or always), and what to do when its node is lost "
                + "(here: wait for it; elsewhere: start it on another node); both with a comma, such as always,elsewhere.",
            DefaultValueFactory = _ => "on-failure,here",
            HelpName = "POLICY",
        };
        restart.Validators.Add(result =>
        {
            if (RestartOption.Check(result.GetValueOrDefault<string>()) is { } wrong)
                result.AddError(wrong);
        });
        var kernelArguments = new Option<string?>("--kernel-args") { Description = "Added to the image's kernel command line.", HelpName = "TEXT" };
        var command = new Command("run", "Run a VM.") { name, image, node, cpus, memory, restart, kernelArguments };
        LocalNode.Handle(command, async (result, caller, output, cancellationToken) =>
        {
            RunResponse response = await caller.CallAsync(
                VmMethods.Run,
                new RunRequest
                {
                    Spec = new VmSpec
                    {
                        Name = result.GetRequiredValue(name),
                        Image = result.GetRequiredValue(image),
                        Node = result.GetValue(node) ?? "",
                        Vcpus = result.GetValue(cpus),
                        MemoryMib = result.GetValue(memory),
                        Restart = RestartOption.Read(result.GetRequiredValue(restart)).Restart,
                        OnNodeLoss = RestartOption.Read(result.GetRequiredValue(restart)).OnNodeLoss,
                        KernelArgs = result.GetValue(kernelArguments) ?? "",
                        Desired = DesiredState.Running,
                    },
                },
                null,
                cancellationToken).ConfigureAwait(false);
            output.Write(VmJson.Create(response.Vm), VmText.WhatNext(response.Vm, $"is placed on {response.Vm.Status.Node} ({response.Vm.Status.Reason}), which fetches the image if it must, and starts it"));
            return ExitCode.Done;
        });
        return command;
    }
}
