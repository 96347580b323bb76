using System.Diagnostics.Metrics;

namespace Iroh.Relay.Client;

/// <summary>
/// The measurements of the meter "Iroh.Relay" and the totals of one endpoint. Thread-safe; costs nearly nothing while nobody listens.
/// </summary>
internal sealed class RelayMetrics : IDisposable
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Iroh.Relay";

    private static readonly KeyValuePair<string, object?> s_sent = new("network.io.direction", "transmit");
    private static readonly KeyValuePair<string, object?> s_received = new("network.io.direction", "receive");
    private static readonly KeyValuePair<string, object?> s_queueFull = new("reason", "queue_full");
    private static readonly KeyValuePair<string, object?> s_notConnected = new("reason", "not_connected");

    private readonly Meter _meter;
    private readonly Counter<long> _datagrams;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _dropped;
    private readonly Counter<long> _attempts;
    private readonly UpDownCounter<long> _connections;
    private long _datagramsSent;
    private long _bytesSent;
    private long _datagramsReceived;
    private long _bytesReceived;
    private long _droppedQueueFull;
    private long _droppedNotConnected;

    /// <summary>Creates the instruments.</summary>
    /// <param name="factory">Owns the meter; null for a meter of its own, which every listener to the name hears.</param>
    public RelayMetrics(IMeterFactory? factory)
    {
        _meter = factory?.Create(MeterName) ?? new Meter(MeterName);
        _datagrams = _meter.CreateCounter<long>("iroh.relay.datagrams", "{datagram}", "QUIC datagrams over relays.");
        _bytes = _meter.CreateCounter<long>("iroh.relay.io", "By", "Bytes in QUIC datagrams over relays.");
        _dropped = _meter.CreateCounter<long>("iroh.relay.dropped", "{datagram}", "Datagrams for relays that were not sent.");
        _attempts = _meter.CreateCounter<long>("iroh.relay.dials", "{dial}", "Attempts to connect to relays, by result.");
        _connections = _meter.CreateUpDownCounter<long>("iroh.relay.connections", "{connection}", "Connections to relays.");
    }

    /// <summary>The totals.</summary>
    public RelayStatistics Statistics => new(
        Volatile.Read(ref _datagramsSent),
        Volatile.Read(ref _bytesSent),
        Volatile.Read(ref _datagramsReceived),
        Volatile.Read(ref _bytesReceived),
        Volatile.Read(ref _droppedQueueFull),
        Volatile.Read(ref _droppedNotConnected));

    /// <summary>Counts bytes that were taken for sending.</summary>
    public void OnQueued(int bytes)
    {
        Interlocked.Add(ref _bytesSent, bytes);
        _bytes.Add(bytes, s_sent);
    }

    /// <summary>Counts datagrams handed to the network.</summary>
    public void OnSent(int datagrams)
    {
        Interlocked.Add(ref _datagramsSent, datagrams);
        _datagrams.Add(datagrams, s_sent);
    }

    /// <summary>Counts what came.</summary>
    public void OnReceived(int datagrams, int bytes)
    {
        Interlocked.Add(ref _datagramsReceived, datagrams);
        Interlocked.Add(ref _bytesReceived, bytes);
        _datagrams.Add(datagrams, s_received);
        _bytes.Add(bytes, s_received);
    }

    /// <summary>Counts what found no room.</summary>
    public void OnQueueFull(int datagrams)
    {
        Interlocked.Add(ref _droppedQueueFull, datagrams);
        _dropped.Add(datagrams, s_queueFull);
    }

    /// <summary>Counts what waited in vain.</summary>
    public void OnNotConnected(int datagrams)
    {
        if (datagrams == 0)
            return;
        Interlocked.Add(ref _droppedNotConnected, datagrams);
        _dropped.Add(datagrams, s_notConnected);
    }

    /// <summary>Counts a dial's result.</summary>
    /// <param name="failure">How it failed, or null.</param>
    public void OnDialled(RelayFailure? failure) =>
        _attempts.Add(1, new KeyValuePair<string, object?>("result", failure switch
        {
            null => "connected",
            RelayFailure.Unreachable => "unreachable",
            RelayFailure.TimedOut => "timed_out",
            RelayFailure.TlsFailed => "tls_failed",
            RelayFailure.NotARelay => "not_a_relay",
            RelayFailure.Denied => "denied",
            _ => "lost",
        }));

    /// <summary>Counts connections: +1 and -1.</summary>
    public void OnConnections(int change) => _connections.Add(change);

    public void Dispose() => _meter.Dispose();
}
