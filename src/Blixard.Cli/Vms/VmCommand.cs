using System.CommandLine;

namespace Blixard.Cli.Vms;

/// <summary>The commands about microVMs.</summary>
internal static class VmCommand
{
    public static Command Create() => new("vm", "Run and look after microVMs.")
    {
        VmRunCommand.Create(),
        VmListCommand.Create(),
        VmInspectCommand.Create(),
        VmStartCommand.Create(),
        VmStopCommand.Create(),
        VmRemoveCommand.Create(),
        VmLogsCommand.Create(),
        VmConsoleCommand.Create(),
    };

    /// <summary>The argument that names a VM.</summary>
    public static Argument<string> NameArgument() => new("name") { Description = "The VM's name." };
}
