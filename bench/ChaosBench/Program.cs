using Blixard.Testing.Chaos;
using Blixard.Testing.Namespaces;

namespace ChaosBench;

/// <summary>
/// The cases of tests/Blixard.Chaos.Tests in their long form, one after the other on one cluster:
/// <code>
/// ChaosBench [--short] [--report FILE] [CASE...]
/// </code>
/// Prints each fault as it is overcome and at the end a table in Markdown. Ends with 0 if every case held, with 1 if one did not.
/// </summary>
internal static class Program
{
    private static async Task<int> Main(string[] arguments)
    {
        if (NetworkLab.WhyNot() is { } reason)
        {
            await Console.Error.WriteLineAsync($"error: {reason}");
            return 1;
        }

        ChaosLength length = arguments.Contains("--short") ? ChaosLength.Short : ChaosLength.Long;
        int place = Array.IndexOf(arguments, "--report");
        string? file = place >= 0 && place + 1 < arguments.Length ? arguments[place + 1] : null;
        string[] names = [.. arguments.Where(argument => argument != file && !argument.StartsWith("--", StringComparison.Ordinal))];
        if (names.FirstOrDefault(name => ChaosCases.All.All(one => one.Name != name)) is { } unknown)
        {
            await Console.Error.WriteLineAsync($"error: there is no case '{unknown}'; there are {string.Join(", ", ChaosCases.All.Select(one => one.Name))}");
            return 2;
        }

        var report = new ChaosReport(line => Console.Error.WriteLine($"{DateTime.UtcNow:HH:mm:ss} {line}"));
        var failures = new Dictionary<string, string>(StringComparer.Ordinal);
        await RunAsync(names.Length > 0 ? [.. names.Select(ChaosCases.Find)] : ChaosCases.All, length, report, failures);
        string table = ChaosTable.Render(report.Lines, failures);
        Console.WriteLine(table);
        if (file is not null)
            await File.WriteAllTextAsync(file, table + "\n");
        return failures.Count == 0 ? 0 : 1;
    }

    private static async Task RunAsync(IReadOnlyList<ChaosCase> cases, ChaosLength length, ChaosReport report, Dictionary<string, string> failures)
    {
        ChaosCluster? cluster = null;
        try
        {
            foreach (ChaosCase one in cases)
            {
                cluster ??= await ChaosCluster.StartAsync(ChaosCases.Cluster(AppContext.BaseDirectory));
                try
                {
                    await one.RunAsync(cluster, length, report);
                }
                catch (Exception e) when (e is ChaosException or LabException or TimeoutException)
                {
                    report.Say($"{one.Name} FAILED: {e.Message}");
                    failures[one.Name] = e.Message.Split('\n')[0];
                    // What a failed case leaves is nothing to build on.
                    await cluster.DisposeAsync();
                    cluster = null;
                }
            }
        }
        finally
        {
            if (cluster is not null)
                await cluster.DisposeAsync();
        }
    }
}
