using Blixard.Node.Configuration;

namespace Blixard.Node;

/// <summary>What holds when nothing else is said.</summary>
public static class NodeDefaults
{
    /// <summary>The most virtual CPUs that a node offers (common.proto, NodeCapacity).</summary>
    public const int VcpusMax = 4096;

    /// <summary>The most memory that a node offers in MiB: 64 TiB (common.proto, NodeCapacity).</summary>
    public const long MemoryMibMax = 64L << 20;

    /// <summary>The least that images may be allowed to take, 16 MiB: with less no kernel fits.</summary>
    public const long ImageQuotaBytesMin = 16L << 20;

    /// <summary><c>/var/lib/blixard</c> for root, else <c>blixard</c> in the XDG state directory (XDG base directory
    /// specification: <c>$XDG_STATE_HOME</c>, or <c>~/.local/state</c>).</summary>
    public static string DataDirectory()
    {
        if (Environment.IsPrivilegedProcess && OperatingSystem.IsLinux())
            return "/var/lib/blixard";
        string? state = Environment.GetEnvironmentVariable("XDG_STATE_HOME");
        // The specification: relative paths are invalid and ignored.
        if (string.IsNullOrEmpty(state) || !Path.IsPathFullyQualified(state))
            state = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "state");
        return Path.Combine(state, "blixard");
    }

    /// <summary>The machine's name, made a valid name of a node.</summary>
    public static string Name() => NodeName.From(Environment.MachineName);

    /// <summary>The local API's socket of the node in a data directory.</summary>
    public static string ApiSocketPath(string dataDirectory) => Path.Combine(dataDirectory, "api.sock");

    internal static uint Vcpus() => (uint)Environment.ProcessorCount;

    // A quarter stays with the machine and the node itself.
    internal static ulong MemoryMib() => (ulong)GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1 << 20) * 3 / 4;
}
