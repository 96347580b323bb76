using System.Diagnostics;

namespace Blixard.Cli;

/// <summary>Starts this program again with other arguments.</summary>
internal static class SelfProcess
{
    public static ProcessStartInfo Create(IReadOnlyList<string> arguments)
    {
        string program = Environment.ProcessPath ?? throw new InvalidOperationException("This process does not know its program.");
        // Started as "dotnet blixard.dll", the program is the runtime and the assembly its first argument.
        bool isRuntime = Path.GetFileNameWithoutExtension(program) == "dotnet";
        return new ProcessStartInfo(program, isRuntime ? [Path.Combine(AppContext.BaseDirectory, "blixard.dll"), .. arguments] : arguments);
    }
}
