using System.Diagnostics.Metrics;

namespace Iroh.Relay.Server.AddressDiscovery;

/// <summary>What the address discovery server counts.</summary>
internal sealed class AddressDiscoveryMetrics : IDisposable
{
    public const string MeterName = "Iroh.Relay.Server.AddressDiscovery";

    private readonly Meter _meter;
    private readonly Counter<long> _accepted;
    private readonly Counter<long> _refused;

    /// <param name="factory">Makes the meter; null makes one that all listeners see.</param>
    /// <param name="connections">How many are open.</param>
    public AddressDiscoveryMetrics(IMeterFactory? factory, Func<int> connections)
    {
        _meter = factory?.Create(MeterName) ?? new Meter(MeterName);
        _accepted = _meter.CreateCounter<long>("iroh.address_discovery.accepted", "{connection}", "Connections of clients that asked for their address.");
        _refused = _meter.CreateCounter<long>("iroh.address_discovery.refused", "{connection}", "Connections closed because there were too many, of all or from one address.");
        _meter.CreateObservableUpDownCounter("iroh.address_discovery.connections", connections, "{connection}", "Connections that are open.");
    }

    public void CountAccepted() => _accepted.Add(1);

    public void CountRefused() => _refused.Add(1);

    public void Dispose() => _meter.Dispose();
}
