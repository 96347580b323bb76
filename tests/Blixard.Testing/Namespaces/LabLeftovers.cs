using System.Globalization;

namespace Blixard.Testing.Namespaces;

/// <summary>The names that a run gives to what it makes on the machine, and the removal of what a killed run left.</summary>
internal static class LabLeftovers
{
    /// <summary>All names begin with it; process id, start of that process and a number follow.</summary>
    public const string Prefix = "blixard-lab-";

    private static int s_labs;

    /// <summary>A name that no other lab on this machine has.</summary>
    public static string NewName() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Prefix}{Environment.ProcessId}-{LabProcess.StartOf(Environment.ProcessId)}-{Interlocked.Increment(ref s_labs)}");

    /// <summary>Whether something with this name belongs to a process that is no more.</summary>
    public static bool IsLeft(string name)
    {
        string[] parts = name.StartsWith(Prefix, StringComparison.Ordinal) ? name[Prefix.Length..].Split('-') : [];
        return parts.Length >= 3
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int process)
            && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out long start)
            && LabProcess.StartOf(process) != start;
    }

    /// <summary>Ends the processes of dead runs and removes their namespaces, mounts and folders.</summary>
    public static async Task RemoveAsync()
    {
        foreach (string name in await ListNamespacesAsync().ConfigureAwait(false))
        {
            if (IsLeft(name))
                await RemoveNamespaceAsync(name).ConfigureAwait(false);
        }

        foreach (string folder in Directory.EnumerateDirectories(Path.GetTempPath(), Prefix + "*"))
        {
            if (IsLeft(Path.GetFileName(folder)))
                await RemoveFolderAsync(folder).ConfigureAwait(false);
        }
    }

    /// <summary>Ends the processes of a namespace and removes it.</summary>
    public static async Task RemoveNamespaceAsync(string name)
    {
        await new LabHost(name, name, System.Net.IPAddress.None).KillAllAsync().ConfigureAwait(false);
        await LabCommand.RunAsync("ip", ["netns", "delete", name]).ConfigureAwait(false);
    }

    /// <summary>Removes a lab's folder with what is mounted in it.</summary>
    public static async Task RemoveFolderAsync(string folder)
    {
        // Fields are separated by spaces; the second is the place.
        IEnumerable<string> mounted = (await File.ReadAllLinesAsync("/proc/self/mounts").ConfigureAwait(false))
            .Select(line => line.Split(' ')[1]).Where(place => place.StartsWith(folder + "/", StringComparison.Ordinal));
        foreach (string place in mounted.Reverse())
            await LabCommand.RunAsync("umount", ["-l", place]).ConfigureAwait(false);
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>The namespaces of all labs of this machine.</summary>
    public static async Task<IReadOnlyList<string>> ListNamespacesAsync() =>
        [.. (await LabCommand.RunAsync("ip", ["netns", "list"]).ConfigureAwait(false))
            .Split('\n').Select(line => line.Split(' ')[0]).Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))];
}
