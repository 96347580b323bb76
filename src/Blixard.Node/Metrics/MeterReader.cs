using System.Diagnostics.Metrics;
using System.Globalization;

namespace Blixard.Node.Metrics;

/// <summary>Keeps the numbers of a node's meters, to be read at any time. Thread-safe.</summary>
internal sealed class MeterReader : IDisposable
{
    // Services, peers and reasons make some hundred series; what a caller could invent is not a tag. More are a mistake, which
    // must not fill the memory.
    private const int SeriesMax = 2_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<Instrument, Family> _families = [];
    private readonly MeterListener _listener;

    /// <summary>Listens to all meters of <paramref name="meters"/>, also to those that come later.</summary>
    public MeterReader(NodeMeters meters)
    {
        _listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (!ReferenceEquals(instrument.Meter.Scope, meters))
                    return;
                lock (_lock)
                    _families.TryAdd(instrument, new Family(instrument));
                listener.EnableMeasurementEvents(instrument);
            },
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.Start();
    }

    /// <summary>All metrics that have a value, by name.</summary>
    public IReadOnlyList<MetricFamily> Read()
    {
        // Who observes a value tells all its series each time; one that is no longer told is gone.
        lock (_lock)
        {
            foreach (Family family in _families.Values.Where(family => family.Instrument.IsObservable))
                family.Series.Clear();
        }

        _listener.RecordObservableInstruments();
        lock (_lock)
        {
            return
            [
                .. _families.Values.Where(family => family.Series.Count > 0).Select(family => family.ToMetric())
                    .OrderBy(family => family.Name, StringComparer.Ordinal),
            ];
        }
    }

    public void Dispose() => _listener.Dispose();

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var sorted = new KeyValuePair<string, string>[tags.Length];
        for (int i = 0; i < tags.Length; i++)
            sorted[i] = KeyValuePair.Create(tags[i].Key, Convert.ToString(tags[i].Value, CultureInfo.InvariantCulture) ?? "");
        Array.Sort(sorted, static (a, b) => string.CompareOrdinal(a.Key, b.Key));
        string key = string.Join('\u0001', sorted.Select(tag => $"{tag.Key}\u0002{tag.Value}"));
        lock (_lock)
        {
            if (!_families.TryGetValue(instrument, out Family? family))
                return;
            if (!family.Series.TryGetValue(key, out Series? series))
            {
                if (family.Series.Count >= SeriesMax)
                    return;
                family.Series[key] = series = new Series(sorted, family.Kind);
            }

            series.Add(value, family.IsSum);
        }
    }

    private sealed class Family(Instrument instrument)
    {
        public Instrument Instrument => instrument;

        public MetricKind Kind { get; } = KindOf(instrument);

        // Measurements of these are differences; of all others they are values.
        public bool IsSum { get; } = GenericNameOf(instrument) is "Counter`1" or "UpDownCounter`1";

        public Dictionary<string, Series> Series { get; } = new(StringComparer.Ordinal);

        public MetricFamily ToMetric() => new(
            instrument.Name, instrument.Unit ?? "", instrument.Description ?? "", Kind,
            [.. Series.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => pair.Value.ToSample())]);

        private static string GenericNameOf(Instrument instrument) => instrument.GetType().Name;

        private static MetricKind KindOf(Instrument instrument) => GenericNameOf(instrument) switch
        {
            "Counter`1" or "ObservableCounter`1" => MetricKind.Counter,
            "Histogram`1" => MetricKind.Histogram,
            _ => MetricKind.Gauge,
        };
    }

    private sealed class Series(KeyValuePair<string, string>[] tags, MetricKind kind)
    {
        private readonly long[]? _buckets = kind == MetricKind.Histogram ? new long[HistogramBounds.Seconds.Length + 1] : null;
        private double _value;

        public void Add(double value, bool isSum)
        {
            if (_buckets is null)
            {
                _value = isSum ? _value + value : value;
                return;
            }

            _value += value;
            _buckets[^1]++;
            for (int i = HistogramBounds.Seconds.Length - 1; i >= 0 && value <= HistogramBounds.Seconds[i]; i--)
                _buckets[i]++;
        }

        public MetricSample ToSample() => new(tags, _value, _buckets?.ToArray());
    }
}
