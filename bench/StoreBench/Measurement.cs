using System.Globalization;

namespace StoreBench;

/// <summary>One load on one way.</summary>
/// <param name="Way">"alone", "slack", "p2p" or "grpc".</param>
/// <param name="Clients">How many put at a time, each waiting for its answer.</param>
/// <param name="PutsPerSecond">All clients together.</param>
/// <param name="Median">Half of the puts were faster.</param>
/// <param name="P99">99 of 100 puts were faster.</param>
/// <param name="Etcd">What all etcd processes together consumed for a put.</param>
/// <param name="Nodes">What all nodes together consumed for a put.</param>
internal sealed record Measurement(
    string Way, int Clients, double PutsPerSecond, TimeSpan Median, TimeSpan P99, PerPut Etcd, PerPut Nodes)
{
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Way}, {Clients} clients: {PutsPerSecond:0} puts/s, median {Median.TotalMilliseconds:0.00} ms, 99 % {P99.TotalMilliseconds:0.00} ms; for a put: etcd {Etcd}; nodes {Nodes}");
}

/// <summary>What one put costs.</summary>
/// <param name="Milliseconds">Time on a processor.</param>
/// <param name="Compiling">The part of it in which .NET compiled.</param>
/// <param name="Sleeps">Times that a thread went to sleep.</param>
internal readonly record struct PerPut(double Milliseconds, double Compiling, double Sleeps)
{
    public static PerPut Of(Consumption all, int puts) =>
        new(all.Processor.TotalMilliseconds / puts, all.Compiler.TotalMilliseconds / puts, (double)all.Sleeps / puts);

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"{Milliseconds:0.00} ms of a core ({Compiling:0.00} compiling), {Sleeps:0.0} sleeps");
}

/// <summary>The measurements as a table in Markdown, each cell with the range over all rounds.</summary>
internal static class Table
{
    public static string Render(IReadOnlyList<Measurement> measured)
    {
        var lines = new List<string> { "| clients | Raft traffic | puts/s | median ms | 99 % ms | median / alone | ms of a core for a put: etcd | nodes | of it compiling |", "|---|---|---|---|---|---|---|---|---|" };
        foreach (IGrouping<(int Clients, string Way), Measurement> row in measured.GroupBy(one => (one.Clients, one.Way)).OrderBy(row => row.Key.Clients))
        {
            Measurement[] alone = [.. measured.Where(one => one.Clients == row.Key.Clients && one.Way == "alone")];
            IEnumerable<double> ratios = row.Zip(alone, (one, other) => one.Median / other.Median);
            lines.Add(
                $"| {row.Key.Clients} | {row.Key.Way} | {Span(row.Select(one => one.PutsPerSecond), "0")} | {Span(row.Select(one => one.Median.TotalMilliseconds), "0.00")} "
                + $"| {Span(row.Select(one => one.P99.TotalMilliseconds), "0.0")} | {Span(ratios, "0.00")} "
                + $"| {Span(row.Select(one => one.Etcd.Milliseconds), "0.00")} | {Span(row.Select(one => one.Nodes.Milliseconds), "0.00")} | {Span(row.Select(one => one.Nodes.Compiling), "0.00")} |");
        }

        return string.Join('\n', lines);
    }

    private static string Span(IEnumerable<double> values, string format)
    {
        double[] all = [.. values];
        if (all.Length == 0)
            return "";
        string low = all.Min().ToString(format, CultureInfo.InvariantCulture), high = all.Max().ToString(format, CultureInfo.InvariantCulture);
        return low == high ? low : $"{low} to {high}";
    }
}
