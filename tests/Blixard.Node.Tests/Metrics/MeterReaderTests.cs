using System.Diagnostics.Metrics;
using Blixard.Node.Metrics;

namespace Blixard.Node.Tests.Metrics;

public sealed class MeterReaderTests
{
    [Fact]
    public void Counters_add_up_gauges_keep_the_last_value_and_histograms_count_into_their_buckets()
    {
        using var meters = new NodeMeters();
        using var reader = new MeterReader(meters);
        Meter meter = meters.Create(new MeterOptions("Blixard.Test"));
        Counter<long> calls = meter.CreateCounter<long>("blixard.test.calls", "{call}", "Calls.");
        UpDownCounter<int> open = meter.CreateUpDownCounter<int>("blixard.test.open");
        Gauge<double> level = meter.CreateGauge<double>("blixard.test.level");
        Histogram<double> duration = meter.CreateHistogram<double>("blixard.test.duration", "s", "Time.");

        calls.Add(2, new KeyValuePair<string, object?>("b", "x"), new KeyValuePair<string, object?>("a", 1));
        calls.Add(3, new KeyValuePair<string, object?>("a", 1), new KeyValuePair<string, object?>("b", "x"));
        open.Add(5);
        open.Add(-2);
        level.Record(7);
        level.Record(4.5);
        duration.Record(0.001);
        duration.Record(0.003);
        duration.Record(60);

        IReadOnlyList<MetricFamily> families = reader.Read();
        Assert.Equal(["blixard.test.calls", "blixard.test.duration", "blixard.test.level", "blixard.test.open"], families.Select(family => family.Name));
        MetricSample sum = Assert.Single(families[0].Samples);
        Assert.Equal(5, sum.Value);
        Assert.Equal(["a=1", "b=x"], sum.Tags.Select(tag => $"{tag.Key}={tag.Value}"));
        MetricSample times = Assert.Single(families[1].Samples);
        Assert.Equal([0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3], times.Buckets!);
        Assert.Equal(60.004, times.Value, 6);
        Assert.Equal(4.5, Assert.Single(families[2].Samples).Value);
        Assert.Equal(3, Assert.Single(families[3].Samples).Value);
    }

    [Fact]
    public void What_is_observed_is_asked_at_each_read_and_series_that_are_gone_are_not_shown()
    {
        using var meters = new NodeMeters();
        using var reader = new MeterReader(meters);
        var peers = new Dictionary<string, long> { ["a"] = 1, ["b"] = 2 };
        meters.Create(new MeterOptions("Blixard.Test")).CreateObservableGauge(
            "blixard.test.peers", () => peers.Select(pair => new Measurement<long>(pair.Value, new KeyValuePair<string, object?>("peer", pair.Key))));

        Assert.Equal([1d, 2d], Assert.Single(reader.Read()).Samples.Select(sample => sample.Value));
        peers.Remove("a");
        peers["b"] = 9;
        Assert.Equal([9d], Assert.Single(reader.Read()).Samples.Select(sample => sample.Value));
        peers.Clear();
        Assert.Empty(reader.Read());
    }

    [Fact]
    public void Two_nodes_in_one_process_keep_their_numbers_apart()
    {
        using var metersOne = new NodeMeters();
        using var metersTwo = new NodeMeters();
        using var readerOne = new MeterReader(metersOne);
        using var readerTwo = new MeterReader(metersTwo);
        metersOne.Create(new MeterOptions("Blixard.Test")).CreateCounter<long>("blixard.test.calls").Add(1);
        Assert.Single(readerOne.Read());
        Assert.Empty(readerTwo.Read());
    }

    [Fact]
    public void More_series_than_there_can_be_are_not_kept()
    {
        using var meters = new NodeMeters();
        using var reader = new MeterReader(meters);
        Counter<long> counter = meters.Create(new MeterOptions("Blixard.Test")).CreateCounter<long>("blixard.test.calls");
        for (int i = 0; i < 5_000; i++)
            counter.Add(1, new KeyValuePair<string, object?>("i", i));
        Assert.Equal(2_000, Assert.Single(reader.Read()).Samples.Count);
    }
}
