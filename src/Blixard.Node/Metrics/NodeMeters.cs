using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Blixard.Node.Metrics;

/// <summary>Makes the meters of one node, so that several nodes in one process keep their numbers apart: each meter's scope is
/// the factory that made it. Thread-safe.</summary>
internal sealed class NodeMeters : IMeterFactory
{
    private readonly ConcurrentBag<Meter> _meters = [];

    public Meter Create(MeterOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Scope = this;
        var meter = new Meter(options);
        _meters.Add(meter);
        return meter;
    }

    /// <summary>Ends all meters: their instruments are no longer listened to.</summary>
    public void Dispose()
    {
        foreach (Meter meter in _meters)
            meter.Dispose();
    }
}
