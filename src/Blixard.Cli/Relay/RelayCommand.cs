using System.CommandLine;

namespace Blixard.Cli.Relay;

/// <summary><c>relay</c>: serving others.</summary>
internal static class RelayCommand
{
    public static Command Create() => new("relay", "Relays, which endpoints that cannot reach each other directly talk over.") { RelayServeCommand.Create() };
}
