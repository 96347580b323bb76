using System.CommandLine;
using Blixard.Cli;
using Blixard.Cli.Blobs;
using Blixard.Cli.Cluster;
using Blixard.Cli.Demo;
using Blixard.Cli.Images;
using Blixard.Cli.Net;
using Blixard.Cli.Relay;
using Blixard.Cli.Store;
using Blixard.Cli.Vms;

var root = new RootCommand("Blixard: microVMs on machines that know each other by key.");
root.Options.Add(CommandRunner.JsonOption);
root.Subcommands.Add(UpCommand.Create());
root.Subcommands.Add(JoinCommand.Create());
root.Subcommands.Add(LeaveCommand.Create());
root.Subcommands.Add(StatusCommand.Create());
root.Subcommands.Add(TokenCommand.Create());
root.Subcommands.Add(ImageCommand.Create());
root.Subcommands.Add(VmCommand.Create());
root.Subcommands.Add(StoreCommand.Create());
root.Subcommands.Add(DemoCommand.Create());
root.Subcommands.Add(NetCommand.Create());
root.Subcommands.Add(BlobCommand.Create());
root.Subcommands.Add(RelayCommand.Create());

ParseResult result = root.Parse(args);
if (result.Errors.Count > 0)
{
    foreach (System.CommandLine.Parsing.ParseError error in result.Errors)
        await Console.Error.WriteLineAsync($"error: {error.Message}");
    await Console.Error.WriteLineAsync($"'blixard {string.Join(' ', Names(result.CommandResult)).Trim()} --help' shows what is possible.".Replace("  ", " ", StringComparison.Ordinal));
    return (int)ExitCode.Usage;
}

return await result.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = CommandRunner.StopLimit });

static IEnumerable<string> Names(System.CommandLine.Parsing.CommandResult command) =>
    command.Parent is System.CommandLine.Parsing.CommandResult parent ? [.. Names(parent), command.Command.Name] : [];
