using Blixard.Node.Metrics;

namespace Blixard.Node.Tests.Metrics;

public sealed class MetricsTextTests
{
    [Fact]
    public void A_page_has_help_type_names_with_units_and_escaped_labels()
    {
        string text = MetricsText.Render(
        [
            new MetricFamily("blixard.rpc.bytes", "By", "Encoded \\ messages,\nwithout framing.", MetricKind.Counter,
                [new MetricSample([KeyValuePair.Create("peer.name", "a\"b\\c\nd"), KeyValuePair.Create("side", "client")], 12)]),
            new MetricFamily("blixard.link.rtt", "s", "RTT.", MetricKind.Gauge, [new MetricSample([], 0.00025)]),
        ]);
        Assert.Equal(
            "# HELP blixard_rpc_bytes_total Encoded \\\\ messages,\\nwithout framing.\n" +
            "# TYPE blixard_rpc_bytes_total counter\n" +
            "blixard_rpc_bytes_total{peer_name=\"a\\\"b\\\\c\\nd\",side=\"client\"} 12\n" +
            "# HELP blixard_link_rtt_seconds RTT.\n" +
            "# TYPE blixard_link_rtt_seconds gauge\n" +
            "blixard_link_rtt_seconds 0.00025\n",
            text);
    }

    [Fact]
    public void A_histogram_has_its_buckets_up_to_infinity_its_sum_and_its_count()
    {
        long[] buckets = [.. Enumerable.Range(1, HistogramBounds.Seconds.Length + 1)];
        string[] lines = MetricsText.Render(
            [new MetricFamily("x", "s", "X.", MetricKind.Histogram, [new MetricSample([KeyValuePair.Create("a", "b")], 1.5, buckets)])]).Split('\n');
        Assert.Equal("x_seconds_bucket{a=\"b\",le=\"0.0005\"} 1", lines[2]);
        Assert.Equal("x_seconds_bucket{a=\"b\",le=\"+Inf\"} 15", lines[2 + HistogramBounds.Seconds.Length]);
        Assert.Equal("x_seconds_sum{a=\"b\"} 1.5", lines[^3]);
        Assert.Equal("x_seconds_count{a=\"b\"} 15", lines[^2]);
    }
}
