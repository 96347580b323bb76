using System.CommandLine;
using Blixard.Cli.Output;
using Blixard.Containers;
using Blixard.Node;
using Blixard.Node.Maintenance;
using Blixard.Rpc.Calls;
using Iroh;
using Iroh.Quic;

namespace Blixard.Cli;

/// <summary>Runs the body of a command and turns what it throws into a sentence on stderr and an exit code.</summary>
internal static class CommandRunner
{
    /// <summary>Machine-readable output; every command has it.</summary>
    public static Option<bool> JsonOption { get; } = new("--json") { Description = "Print JSON: one object, or one a line for what goes on.", Recursive = true };

    /// <summary>How long a command may take to end in order after Ctrl-C or SIGTERM: the demo has three nodes and a VM to end.</summary>
    public static TimeSpan StopLimit { get; } = TimeSpan.FromSeconds(60);

    /// <summary>Gives a command its body.</summary>
    public static void Handle(Command command, Func<ParseResult, CommandOutput, CancellationToken, Task<ExitCode>> body) =>
        command.SetAction(async (result, cancellationToken) =>
        {
            var output = new CommandOutput(result.GetValue(JsonOption), Console.Out);
            try
            {
                return (int)await body(result, output, cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return (int)ExitCode.Done;
            }
            catch (Exception exception) when (Explain(exception) is { } failure)
            {
                await Console.Error.WriteLineAsync($"error: {exception.Message}").ConfigureAwait(false);
                return (int)failure;
            }
        });

    /// <summary>The exit code of an expected failure; null for a bug of ours, which shows its stack.</summary>
    private static ExitCode? Explain(Exception exception) => exception switch
    {
        CommandException command => command.ExitCode,
        NodeStartException { Failure: NodeStartFailure.Usage } => ExitCode.Usage,
        NodeStartException { Failure: NodeStartFailure.Unreachable } => ExitCode.Unreachable,
        NodeStartException { Failure: NodeStartFailure.Refused } => ExitCode.Refused,
        NodeStartException => ExitCode.Failed,
        StoreMaintenanceException { Failure: StoreMaintenanceFailure.Usage } => ExitCode.Usage,
        StoreMaintenanceException { Failure: StoreMaintenanceFailure.Refused } => ExitCode.Refused,
        StoreMaintenanceException => ExitCode.Failed,
        RpcException { StatusCode: RpcStatusCode.Unavailable or RpcStatusCode.DeadlineExceeded } => ExitCode.Unreachable,
        RpcException { StatusCode: RpcStatusCode.Unauthenticated or RpcStatusCode.PermissionDenied or RpcStatusCode.FailedPrecondition } => ExitCode.Refused,
        RpcException { StatusCode: RpcStatusCode.InvalidArgument } => ExitCode.Usage,
        RpcException => ExitCode.Failed,
        IrohConnectException { Failure: IrohConnectFailure.TimedOut or IrohConnectFailure.NoAddress } => ExitCode.Unreachable,
        IrohConnectException { Failure: IrohConnectFailure.Self } => ExitCode.Usage,
        IrohConnectException => ExitCode.Refused,
        QuicConnectionException { Kind: QuicCloseKind.TimedOut or QuicCloseKind.Reset } => ExitCode.Unreachable,
        ContainerImageException => ExitCode.Failed,
        QuicException or SecretKeyFileException or IOException or UnauthorizedAccessException => ExitCode.Failed,
        _ => null,
    };
}
