using System.Diagnostics.Metrics;
using Iroh.Dns.Messages;

namespace Iroh.Relay.Server.Names;

/// <summary>What the name server counts. Tags are few and of fixed values.</summary>
internal sealed class NameServerMetrics : IDisposable
{
    public const string MeterName = "Iroh.Relay.Server.Names";

    private readonly Meter _meter;
    private readonly Counter<long> _queries;
    private readonly Counter<long> _puts;

    public NameServerMetrics(IMeterFactory? factory, Func<int> packetCount)
    {
        _meter = factory?.Create(MeterName) ?? new Meter(MeterName);
        _queries = _meter.CreateCounter<long>("iroh.names.queries", "{query}", "DNS queries that were answered, by transport and response code.");
        _puts = _meter.CreateCounter<long>("iroh.names.puts", "{packet}", "Packets that were put, by what became of them.");
        _meter.CreateObservableUpDownCounter("iroh.names.packets", packetCount, "{packet}", "Packets that are kept.");
    }

    /// <param name="transport">"udp", "tcp" or "https".</param>
    /// <param name="answer">The answer's bytes.</param>
    public void CountQuery(string transport, ReadOnlySpan<byte> answer)
    {
        if (_queries.Enabled)
        {
            _queries.Add(
                1,
                new KeyValuePair<string, object?>("transport", transport),
                new KeyValuePair<string, object?>("code", ((DnsResponseCode)(answer[3] & 0xf)).ToString()));
        }
    }

    /// <param name="outcome">"stored", "stale", "malformed" or "limited".</param>
    public void CountPut(string outcome) => _puts.Add(1, new KeyValuePair<string, object?>("outcome", outcome));

    public void Dispose() => _meter.Dispose();
}
