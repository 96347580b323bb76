using System.CommandLine;
using Blixard.Cli.Output;
using Blixard.Node;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Grpc;

namespace Blixard.Cli.Local;

/// <summary>The node of this machine that a command speaks to, through the socket in its data directory.</summary>
internal static class LocalNode
{
    /// <summary>Which node is meant.</summary>
    public static Option<string> DataDirectoryOption { get; } = new("--data-dir")
    {
        Description = "The node's data directory.",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("BLIXARD_DATA_DIR") is { Length: > 0 } path ? path : NodeDefaults.DataDirectory(),
        HelpName = "DIR",
        Recursive = true,
    };

    /// <summary>Gives a command a body that calls the node.</summary>
    public static void Handle(Command command, Func<ParseResult, IRpcCaller, CommandOutput, CancellationToken, Task<ExitCode>> body)
    {
        command.Options.Add(DataDirectoryOption);
        CommandRunner.Handle(command, async (result, output, cancellationToken) =>
        {
            string directory = result.GetRequiredValue(DataDirectoryOption);
            using GrpcCaller caller = Open(directory);
            try
            {
                return await body(result, caller, output, cancellationToken).ConfigureAwait(false);
            }
            catch (RpcException exception) when (exception.Stage == RpcFailureStage.NotSent)
            {
                throw new CommandException(
                    ExitCode.Unreachable,
                    $"No node runs with the data directory {directory}. Start one with 'blixard up' or 'blixard join', or name another with --data-dir.",
                    exception);
            }
        });
    }

    /// <summary>A caller of the node's local API; nothing is connected before the first call.</summary>
    public static GrpcCaller Open(string directory) =>
        new(new GrpcCallerOptions { UnixSocketPath = NodeDefaults.ApiSocketPath(Path.GetFullPath(directory)) }, TimeProvider.System);
}
