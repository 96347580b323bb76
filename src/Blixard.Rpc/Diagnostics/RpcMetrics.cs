using System.Diagnostics;
using System.Diagnostics.Metrics;
using Blixard.Rpc.Calls;

namespace Blixard.Rpc.Diagnostics;

/// <summary>The counters of all calls: meter "Blixard.Rpc". Thread-safe; one per node.</summary>
/// <remarks>Tags: <c>service</c> (full name, or "unknown" for names that only callers know), <c>transport</c> (p2p, grpc, local),
/// <c>side</c> (client, server), <c>code</c> (the status' name), <c>direction</c> (sent, received), <c>from</c>, <c>to</c>,
/// <c>reason</c>.</remarks>
public sealed class RpcMetrics : IDisposable
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Blixard.Rpc";

    private readonly Meter _meter;
    private readonly Counter<long> _calls;
    private readonly Counter<long> _errors;
    private readonly Histogram<double> _duration;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _switches;

    /// <summary>Counters on a meter of their own.</summary>
    /// <param name="factory">Makes the meter; null = without dependency injection.</param>
    public RpcMetrics(IMeterFactory? factory = null)
    {
        _meter = factory?.Create(new MeterOptions(MeterName)) ?? new Meter(MeterName);
        _calls = _meter.CreateCounter<long>("blixard.rpc.calls", "{call}", "Calls that ended, well or not.");
        _errors = _meter.CreateCounter<long>("blixard.rpc.errors", "{call}", "Calls that did not succeed, by status code.");
        _duration = _meter.CreateHistogram<double>("blixard.rpc.call.duration", "s", "Time from the call to its end.");
        _bytes = _meter.CreateCounter<long>("blixard.rpc.bytes", "By", "Encoded messages, without framing.");
        _switches = _meter.CreateCounter<long>("blixard.rpc.transport.switches", "{switch}", "Times that a peer's transport changed.");
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    internal bool Owns(Meter meter) => ReferenceEquals(meter, _meter);

    internal void CallServed(
        RpcMethod? method, RpcTransport transport, RpcStatusCode code, TimeSpan elapsed, long received, long sent) =>
        Ended("server", method, transport, code, elapsed, received, sent);

    internal void CallMade(
        RpcMethod method, RpcTransport transport, RpcStatusCode code, TimeSpan elapsed, long received, long sent) =>
        Ended("client", method, transport, code, elapsed, received, sent);

    internal void Switched(RpcTransport from, RpcTransport to, string reason) =>
        _switches.Add(1, new("from", NameOf(from)), new("to", NameOf(to)), new("reason", reason));

    private static string NameOf(RpcTransport transport) => transport switch
    {
        RpcTransport.P2p => "p2p",
        RpcTransport.Grpc => "grpc",
        _ => "local",
    };

    private void Ended(
        string side, RpcMethod? method, RpcTransport transport, RpcStatusCode code, TimeSpan elapsed, long received, long sent)
    {
        TagList tags = [new("service", method?.Service ?? "unknown"), new("transport", NameOf(transport)), new("side", side)];
        _calls.Add(1, tags);
        _duration.Record(elapsed.TotalSeconds, tags);
        if (code != RpcStatusCode.Ok)
        {
            TagList errorTags = tags;
            errorTags.Add("code", code.ToString());
            _errors.Add(1, errorTags);
        }
        AddBytes(tags, "received", received);
        AddBytes(tags, "sent", sent);
    }

    private void AddBytes(TagList tags, string direction, long count)
    {
        if (count == 0)
            return;
        tags.Add("direction", direction);
        _bytes.Add(count, tags);
    }
}
