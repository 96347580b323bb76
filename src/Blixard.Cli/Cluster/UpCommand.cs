using System.CommandLine;
using Blixard.Node;

namespace Blixard.Cli.Cluster;

/// <summary><c>up</c>: runs the first node of a cluster, or a node that belongs to one already, in the foreground.</summary>
internal static class UpCommand
{
    public static Command Create()
    {
        var engine = new Option<string?>("--engine")
        {
            Description = "What keeps the cluster's state: sqlite (one server) or etcd (one server or more). Default: what the cluster has, sqlite for a new one.",
            DefaultValueFactory = _ => Environment.GetEnvironmentVariable("BLIXARD_ENGINE") is { Length: > 0 } name ? name : null,
            HelpName = "sqlite|etcd",
        };
        engine.AcceptOnlyFromAmong("sqlite", "etcd");
        var options = new NodeCommandOptions();
        var command = new Command("up", "Run a node: the first of a new cluster, or one that belongs to a cluster already.") { engine };
        options.AddTo(command);
        CommandRunner.Handle(command, (result, output, cancellationToken) =>
            NodeForeground.RunAsync(options.Read(result), new NodeStart.Up(result.GetValue(engine)), options.IsVerbose(result), output, cancellationToken));
        return command;
    }
}
