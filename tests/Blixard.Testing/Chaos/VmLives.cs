using System.Globalization;

namespace Blixard.Testing.Chaos;

/// <summary>When one process ran a VM, on the machine's monotonic clock.</summary>
/// <param name="Vm">The VM's name.</param>
/// <param name="Host">The machine on which it ran.</param>
/// <param name="From">Its start.</param>
/// <param name="To">Its end, or its last sign of life.</param>
/// <param name="HasEnded">Whether it ended in order; false also while it runs.</param>
public sealed record VmLife(string Vm, string Host, TimeSpan From, TimeSpan To, bool HasEnded);

/// <summary>The records that the VMs' processes of all nodes keep in one folder (see tests/Blixard.FakeQemu).</summary>
public static class VmLives
{
    /// <summary>The lives of all VMs so far, in the order of their starts.</summary>
    public static IReadOnlyList<VmLife> Read(string folder) =>
        Directory.Exists(folder)
            ? [.. Directory.EnumerateFiles(folder, "*.life").Select(path => TryParse(File.ReadAllText(path))).OfType<VmLife>().OrderBy(life => life.From)]
            : [];

    /// <summary>A record; null as long as its first line is not complete.</summary>
    public static VmLife? TryParse(string text)
    {
        // The last line may still be being written.
        string[] lines = text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (lines.Length == 0 || lines[0].Split(' ') is not [var from, "start", var vm, var host])
            return null;
        string[] last = lines[^1].Split(' ');
        return new VmLife(vm, host, Time(from), Time(last[0]), last[1] == "end");
    }

    /// <summary>Pairs of lives of one VM that overlap: moments at which it ran twice.</summary>
    public static IReadOnlyList<(VmLife First, VmLife Second)> Overlaps(IEnumerable<VmLife> lives)
    {
        var overlaps = new List<(VmLife, VmLife)>();
        foreach (IGrouping<string, VmLife> vm in lives.GroupBy(life => life.Vm, StringComparer.Ordinal))
        {
            // One long life may overlap several later ones, so the latest end so far is what counts.
            VmLife? latest = null;
            foreach (VmLife life in vm.OrderBy(life => life.From))
            {
                if (latest is not null && life.From <= latest.To)
                    overlaps.Add((latest, life));
                if (latest is null || life.To > latest.To)
                    latest = life;
            }
        }

        return overlaps;
    }

    private static TimeSpan Time(string nanoseconds) => TimeSpan.FromTicks(long.Parse(nanoseconds, CultureInfo.InvariantCulture) / 100);
}
