using System.Globalization;

namespace Blixard.Etcd.Tests.Support;

/// <summary>A directory of one test, below which etcd works.</summary>
internal sealed class EtcdDirectory : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("blixard-etcd-").FullName;

    /// <summary>The processes that work in <paramref name="directory"/> or below it, dead ones left out.</summary>
    public static IReadOnlyList<int> ProcessesIn(string directory)
    {
        var found = new List<int>();
        foreach (string entry in Directory.EnumerateDirectories("/proc"))
        {
            try
            {
                if (int.TryParse(Path.GetFileName(entry), NumberStyles.None, CultureInfo.InvariantCulture, out int pid)
                    && new FileInfo($"{entry}/cwd").LinkTarget?.StartsWith(directory, StringComparison.Ordinal) == true)
                {
                    found.Add(pid);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It ended meanwhile, or is somebody else's.
            }
        }

        return found;
    }

    public string At(string name) => Path.Combine(Root, name);

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
