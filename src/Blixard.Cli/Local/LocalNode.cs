using System.CommandLine;
using Blixard.Cli.Output;
using Blixard.Node;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Grpc;
using Google.Protobuf;

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

    /// <summary>Gives a command the body that most have: one call of the node, and what to say of its answer.</summary>
    /// <param name="command">The command.</param>
    /// <param name="method">What is called.</param>
    /// <param name="request">Makes the request of the command line.</param>
    /// <param name="answer">Writes the answer, and returns how the command ends.</param>
    public static void HandleCall<TRequest, TResponse>(
        Command command, RpcMethod<TRequest, TResponse> method, Func<ParseResult, TRequest> request, Func<ParseResult, TResponse, CommandOutput, ExitCode> answer)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>, new() =>
        Handle(command, async (result, caller, output, cancellationToken) =>
            answer(result, await caller.CallAsync(method, request(result), null, cancellationToken).ConfigureAwait(false), output));

    /// <summary>A caller of the node's local API; nothing is connected before the first call.</summary>
    public static GrpcCaller Open(string directory) =>
        new(new GrpcCallerOptions { UnixSocketPath = NodeDefaults.ApiSocketPath(Path.GetFullPath(directory)) }, TimeProvider.System);
}
