using System.CommandLine;
using Blixard.Cli;
using Blixard.Cli.Net;

var root = new RootCommand("Blixard: microVMs on machines that share no network.");
root.Options.Add(CommandRunner.JsonOption);
root.Subcommands.Add(NetCommand.Create());

ParseResult result = root.Parse(args);
if (result.Errors.Count > 0)
{
    foreach (System.CommandLine.Parsing.ParseError error in result.Errors)
        await Console.Error.WriteLineAsync($"error: {error.Message}");
    await Console.Error.WriteLineAsync($"'blixard {string.Join(' ', Names(result.CommandResult)).Trim()} --help' shows what is possible.".Replace("  ", " ", StringComparison.Ordinal));
    return (int)ExitCode.Usage;
}

return await result.InvokeAsync();

static IEnumerable<string> Names(System.CommandLine.Parsing.CommandResult command) =>
    command.Parent is System.CommandLine.Parsing.CommandResult parent ? [.. Names(parent), command.Command.Name] : [];
