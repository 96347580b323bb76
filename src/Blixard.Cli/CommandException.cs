namespace Blixard.Cli;

/// <summary>Ends a command with an exit code and a sentence for the user.</summary>
internal sealed class CommandException(ExitCode exitCode, string message, Exception? inner = null) : Exception(message, inner)
{
    public ExitCode ExitCode { get; } = exitCode;
}
