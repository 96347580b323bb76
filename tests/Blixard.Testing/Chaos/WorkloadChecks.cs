using System.Globalization;
using System.Text;
using Blixard.Cluster.Store;

namespace Blixard.Testing.Chaos;

/// <summary>Judges what the clients of a <see cref="Workload"/> noted against what the store holds. Pure.</summary>
public static class WorkloadChecks
{
    // A message with thousands of keys helps nobody.
    private const int NamedMax = 10;

    /// <summary>What is wrong with the sequence, each in a sentence: entries that were acknowledged and are lost or changed, written
    /// twice, refused although nobody else writes them, or there although nobody wrote them.</summary>
    /// <param name="appends">What was appended.</param>
    /// <param name="found">The sequence's keys as the store has them.</param>
    public static IReadOnlyList<string> CheckSequence(IReadOnlyList<Append> appends, IReadOnlyList<StoreEntry> found)
    {
        Dictionary<string, StoreEntry> entries = found.ToDictionary(entry => entry.Key, StringComparer.Ordinal);
        HashSet<string> tried = [.. appends.Select(append => append.Key)];
        var problems = new List<string>();
        Report("acknowledged and lost", appends.Where(append => append.Outcome == Outcome.Done && !entries.ContainsKey(append.Key)).Select(Describe));
        Report("with another value than was written", appends
            .Where(append => entries.TryGetValue(append.Key, out StoreEntry? entry) && Encoding.ASCII.GetString(entry.Value.Span) != append.Value).Select(Describe));
        Report("refused although nobody else writes them", appends.Where(append => append.Outcome == Outcome.Refused).Select(Describe));
        Report("there although the store said that it took none", appends.Where(append => append.Outcome == Outcome.NotTaken && entries.ContainsKey(append.Key)).Select(Describe));
        Report("written more than once", found.Where(entry => entry.Version != 1).Select(entry => entry.Key));
        Report("there although nobody wrote them", found.Where(entry => !tried.Contains(entry.Key)).Select(entry => entry.Key));
        return problems;

        void Report(string what, IEnumerable<string> which)
        {
            string[] all = [.. which];
            if (all.Length > 0)
                problems.Add($"{all.Length} entries {what}: {string.Join(", ", all.Take(NamedMax))}");
        }
    }

    /// <summary>What is wrong with what a watch of the sequence told: each revision once and in order, and in the end all that the store has.</summary>
    /// <param name="told">What the watch told, in order.</param>
    /// <param name="found">The sequence's keys as the store has them.</param>
    public static IReadOnlyList<string> CheckWatch(IReadOnlyList<StoreChange> told, IReadOnlyList<StoreEntry> found)
    {
        var problems = new List<string>();
        long before = 0;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (StoreChange change in told)
        {
            if (change.Entry is not { } entry)
                problems.Add($"the watch told that {change.Key} was removed");
            else if (entry.ModRevision <= before)
                problems.Add($"the watch told {change.Key} of revision {entry.ModRevision} after revision {before}");
            else
                before = entry.ModRevision;
            if (!seen.Add(change.Key))
                problems.Add($"the watch told {change.Key} twice");
        }

        string[] missed = [.. found.Select(entry => entry.Key).Where(key => !seen.Contains(key))];
        if (missed.Length > 0)
            problems.Add($"the watch missed {missed.Length} entries: {string.Join(", ", missed.Take(NamedMax))}");
        return problems;
    }

    private static string Describe(Append append) =>
        string.Create(CultureInfo.InvariantCulture, $"{append.Key} ({append.Outcome} at {append.At.TotalSeconds:0.000} s)");
}
