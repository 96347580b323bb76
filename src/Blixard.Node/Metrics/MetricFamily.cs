namespace Blixard.Node.Metrics;

/// <summary>What a metric's samples are.</summary>
internal enum MetricKind
{
    /// <summary>A sum that only grows.</summary>
    Counter,

    /// <summary>A value that goes up and down.</summary>
    Gauge,

    /// <summary>A distribution.</summary>
    Histogram,
}

/// <summary>One metric with all its series.</summary>
/// <param name="Name">The instrument's name, such as "blixard.rpc.calls".</param>
/// <param name="Unit">Its unit in UCUM, such as "s" or "By"; words in braces are for people.</param>
/// <param name="Help">One sentence.</param>
/// <param name="Kind">What its samples are.</param>
/// <param name="Samples">A sample for each set of tags.</param>
internal sealed record MetricFamily(string Name, string Unit, string Help, MetricKind Kind, IReadOnlyList<MetricSample> Samples);

/// <summary>The value of one series.</summary>
/// <param name="Tags">Its tags, in order of their names.</param>
/// <param name="Value">The sum or the value; for a histogram the sum of all measurements.</param>
/// <param name="Buckets">For a histogram: how many measurements were at most each bound of <see cref="HistogramBounds"/>, and
/// last how many there were in all; else null.</param>
internal sealed record MetricSample(IReadOnlyList<KeyValuePair<string, string>> Tags, double Value, IReadOnlyList<long>? Buckets = null);

/// <summary>The bounds of all histograms: they measure times, in seconds.</summary>
internal static class HistogramBounds
{
    /// <summary>From a call between neighbours to one that waited for an election.</summary>
    public static readonly double[] Seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
}
