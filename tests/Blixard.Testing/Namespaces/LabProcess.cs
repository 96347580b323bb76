using System.Globalization;
using System.Runtime.InteropServices;

namespace Blixard.Testing.Namespaces;

/// <summary>Signals that the lab sends (signal(7), Linux on all architectures that .NET runs on).</summary>
public enum LabSignal
{
    /// <summary>SIGKILL.</summary>
    Kill = 9,
    /// <summary>SIGTERM.</summary>
    Terminate = 15,
    /// <summary>SIGCONT.</summary>
    Continue = 18,
    /// <summary>SIGSTOP.</summary>
    Stop = 19,
}

/// <summary>Processes of this machine, as proc(5) shows them.</summary>
public static partial class LabProcess
{
    /// <summary>Sends a signal; nothing happens if the process is gone.</summary>
    public static void Signal(int process, LabSignal signal) => _ = Kill(process, (int)signal);

    /// <summary>The living children of a process whose program has this name.</summary>
    public static IReadOnlyList<int> Children(int parent, string program)
    {
        var found = new List<int>();
        foreach (string directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out int id)
                && TryReadStat(id) is { } stat && stat.Parent == parent && stat.Name == program && stat.State != 'Z')
                found.Add(id);
        }

        return found;
    }

    /// <summary>When a process was started, in clock ticks since the machine's start; null if there is no such process. With its id this
    /// names a process for ever.</summary>
    public static long? StartOf(int process) => TryReadStat(process)?.Start;

    private static Stat? TryReadStat(int process)
    {
        try
        {
            // "id (name) state parent …", the name with any characters; the start is field 22.
            string text = File.ReadAllText($"/proc/{process.ToString(CultureInfo.InvariantCulture)}/stat");
            int open = text.IndexOf('(', StringComparison.Ordinal), close = text.LastIndexOf(')');
            string[] fields = text[(close + 2)..].Split(' ');
            return new Stat(
                text[(open + 1)..close], fields[0][0], int.Parse(fields[1], CultureInfo.InvariantCulture), long.Parse(fields[19], CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);

    private sealed record Stat(string Name, char State, int Parent, long Start);
}
