using System.CommandLine;
using Blixard.Cluster.Tokens;
using Blixard.Node;

namespace Blixard.Cli.Cluster;

/// <summary><c>join</c>: joins a cluster with a ticket and runs the node in the foreground.</summary>
internal static class JoinCommand
{
    public static Command Create()
    {
        var ticket = new Argument<string>("ticket") { Description = "From 'blixard token create' on a member." };
        var role = new Option<string>("--role")
        {
            Description = "The part that the node plays: a worker runs VMs; a server also holds a copy of the cluster's state and votes.",
            DefaultValueFactory = _ => "worker",
            HelpName = "server|worker",
        };
        role.AcceptOnlyFromAmong("server", "worker");
        var replace = new Option<string?>("--replace") { Description = "A dead server whose place the node takes; its name is free then.", HelpName = "NAME" };
        var options = new NodeCommandOptions();
        var command = new Command("join", "Join a cluster with a ticket and run the node.") { ticket, role, replace };
        options.AddTo(command);
        CommandRunner.Handle(command, (result, output, cancellationToken) =>
            JoinTicket.TryParse(result.GetRequiredValue(ticket), out JoinTicket? parsed, out string? problem)
                ? NodeForeground.RunAsync(
                    options.Read(result), new NodeStart.Join(parsed, result.GetRequiredValue(role) == "server", result.GetValue(replace)), options.IsVerbose(result), output, cancellationToken)
                : throw new CommandException(ExitCode.Usage, problem));
        return command;
    }
}
