using System.Diagnostics.Metrics;

namespace Iroh.Quic;

/// <summary>The measurements of the meter "Iroh.Quic". One instance an endpoint; costs nearly nothing while nobody listens.</summary>
internal sealed class QuicMetrics : IDisposable
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Iroh.Quic";

    private static readonly KeyValuePair<string, object?> Sent = new("network.io.direction", "transmit");
    private static readonly KeyValuePair<string, object?> Received = new("network.io.direction", "receive");
    private static readonly KeyValuePair<string, object?> Client = new("iroh.quic.side", "client");
    private static readonly KeyValuePair<string, object?> Server = new("iroh.quic.side", "server");

    private readonly Meter _meter;
    private readonly UpDownCounter<long> _connections;
    private readonly Histogram<double> _handshake;
    private readonly Counter<long> _datagrams;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _dropped;
    private readonly Counter<long> _failures;

    /// <summary>Creates the instruments.</summary>
    /// <param name="factory">Owns the meter; null for a meter of its own, which every listener to the name hears.</param>
    public QuicMetrics(IMeterFactory? factory)
    {
        _meter = factory?.Create(MeterName) ?? new Meter(MeterName);
        _connections = _meter.CreateUpDownCounter<long>(
            "iroh.quic.connections", "{connection}", "Connections whose handshake is complete and that have not ended.");
        _handshake = _meter.CreateHistogram<double>(
            "iroh.quic.handshake.duration", "s", "From the first packet to the completion of the handshake at this end.");
        _datagrams = _meter.CreateCounter<long>("iroh.quic.datagrams", "{datagram}", "UDP datagrams.");
        _bytes = _meter.CreateCounter<long>("iroh.quic.io", "By", "UDP payload.");
        _dropped = _meter.CreateCounter<long>(
            "iroh.quic.datagrams.unrouted", "{datagram}", "Received datagrams that belonged to no connection and started none.");
        _failures = _meter.CreateCounter<long>(
            "iroh.quic.failures", "{failure}", "Exceptions inside the protocol that ended a connection or lost a datagram: bugs.");
    }

    /// <summary>Counts a batch that was handed to a socket.</summary>
    public void OnSent(int datagrams, int bytes)
    {
        if (_datagrams.Enabled)
            _datagrams.Add(datagrams, Sent);
        if (_bytes.Enabled)
            _bytes.Add(bytes, Sent);
    }

    /// <summary>Counts a batch that arrived.</summary>
    public void OnReceived(int datagrams, int bytes)
    {
        if (_datagrams.Enabled)
            _datagrams.Add(datagrams, Received);
        if (_bytes.Enabled)
            _bytes.Add(bytes, Received);
    }

    /// <summary>Counts a received datagram that was for nobody.</summary>
    public void OnUnrouted() => _dropped.Add(1);

    /// <summary>Counts a failure inside.</summary>
    public void OnFailure() => _failures.Add(1);

    /// <summary>Counts a connection whose handshake is complete.</summary>
    public void OnConnected(bool isClient, TimeSpan handshake)
    {
        _connections.Add(1, isClient ? Client : Server);
        _handshake.Record(handshake.TotalSeconds, isClient ? Client : Server);
    }

    /// <summary>Counts the end of a connection that <see cref="OnConnected"/> had counted.</summary>
    public void OnEnded(bool isClient) => _connections.Add(-1, isClient ? Client : Server);

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();
}
