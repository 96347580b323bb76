using System.Globalization;
using Blixard.Testing.Chaos;

namespace ChaosBench;

/// <summary>What happened as a table in Markdown. Faults of one kind, such as twenty killed leaders, are one row with the median and
/// the longest.</summary>
internal static class ChaosTable
{
    public static string Render(IReadOnlyList<ChaosLine> lines, IReadOnlyDictionary<string, string> failures)
    {
        var rows = new List<string> { "| case | fault | times | writes stood still, median | longest | seen |", "|---|---|---|---|---|---|" };
        foreach (IGrouping<(string Case, string Fault), ChaosLine> row in lines.GroupBy(line => (line.Case, Kind(line.Fault))))
        {
            TimeSpan[] gaps = [.. row.Select(line => line.StoodStill).Order()];
            string note = row.Count() == 1 ? row.First().Note : "";
            rows.Add($"| {row.Key.Case} | {row.Key.Fault} | {gaps.Length} | {Seconds(gaps[gaps.Length / 2])} | {Seconds(gaps[^1])} | {note} |");
        }

        rows.AddRange(failures.Select(failure => $"| {failure.Key} | **failed** | | | | {failure.Value} |"));
        return string.Join('\n', rows);
    }

    // The name of the node that was hit is the last word of some faults and does not make another kind of them.
    private static string Kind(string fault) =>
        fault.Contains("kill -9 of the leader", StringComparison.Ordinal)
            ? fault.Contains("with its etcd", StringComparison.Ordinal) ? "kill -9 of the leader with its etcd" : "kill -9 of the leader's node"
            : fault;

    private static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.00} s");
}
