namespace Blixard.FakeQemu;

/// <summary>What of QEMU's arguments is of concern here.</summary>
internal sealed record Arguments(string Name, string Uuid, string PidFile, string QmpSocket, string ConsoleSocket)
{
    /// <summary>Null if one is missing.</summary>
    public static Arguments? TryRead(string[] args)
    {
        return After("-name") is { } name && After("-uuid") is { } uuid && After("-pidfile") is { } pidFile
            && Part(After("-qmp"), "unix:") is { } qmp && Part(After("-chardev"), "path=") is { } console
            ? new Arguments(name, uuid, pidFile, qmp, console)
            : null;

        string? After(string option) => Array.IndexOf(args, option) is >= 0 and int index && index + 1 < args.Length ? args[index + 1] : null;
        static string? Part(string? value, string begin) =>
            value?.Split(',').FirstOrDefault(part => part.StartsWith(begin, StringComparison.Ordinal))?[begin.Length..];
    }
}
