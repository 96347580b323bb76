using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Peers;
using Blixard.Rpc.Tunnels;

namespace Blixard.Rpc.Diagnostics;

/// <summary>The counters of all calls: meter "Blixard.Rpc". Thread-safe; one per node.</summary>
/// <remarks>Tags: <c>service</c> (full name, or "unknown" for names that only callers know), <c>transport</c> (p2p, grpc, local),
/// <c>side</c> (client, server), <c>code</c> (the status' name), <c>direction</c> (sent, received), <c>from</c>, <c>to</c>,
/// <c>reason</c>, <c>peer</c> (the peer's name), <c>target</c> (the service that a tunnel leads to).
/// <list type="bullet">
/// <item><c>blixard.rpc.calls</c>, <c>.errors</c>, <c>.call.duration</c>, <c>.bytes</c>: all calls, among them those that carry tunnels.</item>
/// <item><c>blixard.rpc.transport.switches</c> by peer, from, to, reason; <c>blixard.rpc.transport.age</c> by peer and transport: seconds
/// since the last switch, or since the peer became known.</item>
/// <item><c>blixard.tunnel.opened</c>, <c>.closed</c>, <c>.active</c>, <c>.bytes</c> (with direction) by target, transport, side.</item>
/// <item><c>blixard.tunnel.cut</c> by target, transport, reason (<see cref="Tunnels.TunnelCutReason"/>): those that this side ended
/// before their connections did.</item>
/// </list></remarks>
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
    private readonly Counter<long> _tunnelsOpened;
    private readonly Counter<long> _tunnelsClosed;
    private readonly UpDownCounter<long> _tunnelsActive;
    private readonly Counter<long> _tunnelsCut;
    private readonly ConcurrentDictionary<PeerChannel, byte> _channels = new();

    // As many as there are services that tunnels lead to, times transports and sides.
    private readonly ConcurrentDictionary<(string Target, RpcTransport Transport, string Side), TunnelTraffic> _traffic = new();

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
        _meter.CreateObservableGauge("blixard.rpc.transport.age", Ages, "s", "Time since a peer's transport changed.");
        _tunnelsOpened = _meter.CreateCounter<long>("blixard.tunnel.opened", "{tunnel}", "Tunnels that were opened.");
        _tunnelsClosed = _meter.CreateCounter<long>("blixard.tunnel.closed", "{tunnel}", "Tunnels that ended, well or not.");
        _tunnelsActive = _meter.CreateUpDownCounter<long>("blixard.tunnel.active", "{tunnel}", "Tunnels that are open.");
        // Observed, not told: to tell a listener of each piece that passes would cost an eighth of the passing.
        _meter.CreateObservableCounter("blixard.tunnel.bytes", TunnelBytes, "By", "Bytes of the connections that tunnels carry.");
        _tunnelsCut = _meter.CreateCounter<long>("blixard.tunnel.cut", "{tunnel}", "Tunnels that this side cut.");
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

    internal void Switched(string peer, RpcTransport from, RpcTransport to, string reason) =>
        _switches.Add(1, [new("peer", peer), new("from", NameOf(from)), new("to", NameOf(to)), new("reason", reason)]);

    /// <summary>Shows the age of a channel's transport until <see cref="Forget"/>.</summary>
    internal void Show(PeerChannel channel) => _channels.TryAdd(channel, 0);

    internal void Forget(PeerChannel channel) => _channels.TryRemove(channel, out _);

    internal void TunnelOpened(in TagList tags)
    {
        _tunnelsOpened.Add(1, tags);
        _tunnelsActive.Add(1, tags);
    }

    internal void TunnelClosed(in TagList tags)
    {
        _tunnelsClosed.Add(1, tags);
        _tunnelsActive.Add(-1, tags);
    }

    /// <summary>Where tunnels of one kind count their bytes.</summary>
    /// <param name="target">The service that they lead to; one that exists, as each is kept.</param>
    /// <param name="transport">Their transport.</param>
    /// <param name="side">"client" or "server".</param>
    internal TunnelTraffic TrafficOf(string target, RpcTransport transport, string side) =>
        _traffic.GetOrAdd((target, transport, side), static _ => new TunnelTraffic());

    internal void TunnelCut(string target, RpcTransport transport, string reason) =>
        _tunnelsCut.Add(1, new("target", target), new("transport", NameOf(transport)), new("reason", reason));

    private IEnumerable<Measurement<double>> Ages()
    {
        foreach (PeerChannel channel in _channels.Keys)
        {
            PeerChannelStatus status = channel.Status;
            yield return new Measurement<double>(status.Age.TotalSeconds, new("peer", channel.Name), new("transport", NameOf(status.Transport)));
        }
    }

    private IEnumerable<Measurement<long>> TunnelBytes()
    {
        foreach (((string target, RpcTransport transport, string side), TunnelTraffic traffic) in _traffic)
        {
            TagList tags = [new("target", target), new("transport", NameOf(transport)), new("side", side)];
            yield return new Measurement<long>(traffic.Sent, [.. tags, new("direction", "sent")]);
            yield return new Measurement<long>(traffic.Received, [.. tags, new("direction", "received")]);
        }
    }

    internal static string NameOf(RpcTransport transport) => transport switch
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
