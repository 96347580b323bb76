using System.Diagnostics;
using System.Globalization;

namespace Blixard.Cli.Demo;

/// <summary>The names of a demo's network namespaces, and the removal of what a killed demo left.</summary>
internal static class DemoLeftovers
{
    /// <summary>All names begin with it; the id of the process and its start follow.</summary>
    private const string Prefix = "blixard-demo-";

    /// <summary>What the names of this process's namespaces begin with. With its start, an id names a process for ever.</summary>
    public static string OwnName() => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{Environment.ProcessId}-{StartOf(Environment.ProcessId)}");

    /// <summary>Whether a namespace with this name belongs to a demo whose process is no more.</summary>
    public static bool IsLeft(string name)
    {
        string[] parts = name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..].Split('-') : [];
        return parts.Length == 3
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int process)
            && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out long start)
            && StartOf(process) != start;
    }

    /// <summary>Ends the processes of dead demos' namespaces and removes these.</summary>
    /// <param name="runAsync">Runs a tool; what it printed, or null if it failed.</param>
    public static async Task RemoveAsync(Func<string, string[], Task<string?>> runAsync)
    {
        foreach (string line in (await runAsync("ip", ["netns", "list"]).ConfigureAwait(false) ?? "").Split('\n'))
        {
            // The name, and perhaps "(id: N)".
            string name = line.Split(' ')[0];
            if (!IsLeft(name))
                continue;
            foreach (string id in (await runAsync("ip", ["netns", "pids", name]).ConfigureAwait(false) ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries))
                Kill(int.Parse(id, NumberStyles.None, CultureInfo.InvariantCulture));
            await runAsync("ip", ["netns", "delete", name]).ConfigureAwait(false);
        }
    }

    private static void Kill(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
        {
            // It has ended meanwhile.
        }
    }

    // proc(5): "id (name) state …", the name with any characters; the start is field 22.
    private static long? StartOf(int process)
    {
        try
        {
            string text = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/stat"));
            return long.Parse(text[(text.LastIndexOf(')') + 2)..].Split(' ')[19], CultureInfo.InvariantCulture);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
