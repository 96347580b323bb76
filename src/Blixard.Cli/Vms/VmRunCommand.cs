using System.CommandLine;
using Blixard.Cli.Local;
using Blixard.Cli.Output;
using Blixard.Rpc.Calls;
using Blixard.V1;

namespace Blixard.Cli.Vms;

/// <summary><c>vm run</c>: records a VM that should run.</summary>
internal static class VmRunCommand
{
    private static readonly Argument<string> s_name = VmCommand.NameArgument();

    private static readonly Option<string> s_image = new("--image") { Description = "The image, as NAME or NAME:TAG.", Required = true, HelpName = "IMAGE" };

    private static readonly Option<string?> s_node = new("--node")
    {
        Description = "The node that must run it. Default: the one with the most free memory.", HelpName = "NAME",
    };

    private static readonly Option<uint> s_cpus = new("--cpus") { Description = "Virtual CPUs.", DefaultValueFactory = _ => 1, HelpName = "N" };

    private static readonly Option<ulong> s_memory = new("--memory") { Description = "Memory in MiB.", DefaultValueFactory = _ => 256, HelpName = "MIB" };

    private static readonly Option<string> s_restart = new("--restart")
    {
        Description = "When to start it again after it ended (never, on-failure or always), and what to do when its node is lost "
            + "(here: wait for it; elsewhere: start it on another node); both with a comma, such as always,elsewhere.",
        DefaultValueFactory = _ => "on-failure,here",
        HelpName = "POLICY",
        Validators =
        {
            static result =>
            {
                if (RestartOption.Check(result.GetValueOrDefault<string>()) is { } wrong)
                    result.AddError(wrong);
            },
        },
    };

    private static readonly Option<string[]> s_publish = new("--publish", "-p")
    {
        Description = "Make 127.0.0.1:HOST of the VM's node lead to the VM's TCP port GUEST; may be given several times.",
        HelpName = "HOST:GUEST",
        Validators =
        {
            static result =>
            {
                if (PublishOption.Check(result.GetValueOrDefault<string[]>() ?? []) is { } wrong)
                    result.AddError(wrong);
            },
        },
    };

    private static readonly Option<bool> s_noNetwork = new("--no-network") { Description = "No network card. Default: one that reaches what the node reaches." };

    private static readonly Option<string?> s_kernelArguments = new("--kernel-args") { Description = "Added to the image's kernel command line.", HelpName = "TEXT" };

    public static Command Create()
    {
        var command = new Command("run", "Run a VM.") { s_name, s_image, s_node, s_cpus, s_memory, s_restart, s_publish, s_noNetwork, s_kernelArguments };
        command.Validators.Add(static result =>
        {
            if (result.GetValue(s_noNetwork) && result.GetResult(s_publish) is not null)
                result.AddError("--publish needs the network card that --no-network leaves out; give one of the two.");
        });
        LocalNode.Handle(command, RunAsync);
        return command;
    }

    private static async Task<ExitCode> RunAsync(ParseResult result, IRpcCaller caller, CommandOutput output, CancellationToken cancellationToken)
    {
        RunResponse response = await caller.CallAsync(VmMethods.Run, new RunRequest { Spec = ReadSpec(result) }, null, cancellationToken).ConfigureAwait(false);
        VmRecord vm = response.Vm;
        string what = $"is placed on {vm.Status.Node} ({vm.Status.Reason}), which fetches the image if it must, and starts it";
        output.Write(VmJson.Create(vm), VmText.WhatNext(vm, what + VmText.Published(vm)));
        return ExitCode.Done;
    }

    /// <summary>What a user asked for, as far as nothing was wrong with it.</summary>
    public static VmSpec ReadSpec(ParseResult result)
    {
        (RestartPolicy restart, NodeLossPolicy onNodeLoss) = RestartOption.Read(result.GetRequiredValue(s_restart));
        return new VmSpec
        {
            Name = result.GetRequiredValue(s_name),
            Image = result.GetRequiredValue(s_image),
            Node = result.GetValue(s_node) ?? "",
            Vcpus = result.GetValue(s_cpus),
            MemoryMib = result.GetValue(s_memory),
            Restart = restart,
            OnNodeLoss = onNodeLoss,
            KernelArgs = result.GetValue(s_kernelArguments) ?? "",
            Network = result.GetValue(s_noNetwork) ? null : PublishOption.Read(result.GetValue(s_publish) ?? []),
            Desired = DesiredState.Running,
        };
    }
}
