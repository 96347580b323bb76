using System.Diagnostics.Metrics;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Peers;
using Blixard.Rpc.Tests.Support;

namespace Blixard.Rpc.Tests.Diagnostics;

public sealed class RpcMetricsTests
{
    [Fact]
    public async Task Calls_errors_bytes_and_switches_are_counted_by_service_and_transport()
    {
        var seen = new SortedDictionary<string, double>(StringComparer.Ordinal);
        using var metrics = new RpcMetrics();
        await using (var host = new FrameHost())
        {
            using MeterListener listener = Listen(seen, metrics, host.Probe.Metrics);
            var caller = new P2pCaller(host.Link.OpenAsync, TimeProvider.System, metrics);
            await caller.CallAsync(ProbeMethods.Echo, new EchoRequest { Text = "12345" });
            await Assert.ThrowsAsync<RpcException>(() => caller.CallAsync(ProbeMethods.Fail, new FailRequest { Code = 5 }));
            await Assert.ThrowsAsync<RpcException>(() => caller.CallAsync(HealthMethods.Check, new V1.HealthCheckRequest()));

            var channel = new PeerChannel("b", null, TimeProvider.System, metrics);
            channel.OnLinkReady(caller);
        }

        const string Probe = "service=blixard.probe.v1.Probe,transport=p2p";
        Assert.Equal(2, seen[$"blixard.rpc.calls[{Probe},side=client]"]);
        Assert.Equal(2, seen[$"blixard.rpc.calls[{Probe},side=server]"]);
        Assert.Equal(1, seen[$"blixard.rpc.errors[{Probe},side=client,code=NotFound]"]);
        Assert.Equal(1, seen[$"blixard.rpc.errors[{Probe},side=server,code=NotFound]"]);
        Assert.Equal(1, seen["blixard.rpc.errors[service=unknown,transport=p2p,side=server,code=Unimplemented]"]);
        // Echo: tag, length and five letters; Fail: tag and code.
        Assert.Equal(9, seen[$"blixard.rpc.bytes[{Probe},side=client,direction=sent]"]);
        Assert.Equal(9, seen[$"blixard.rpc.bytes[{Probe},side=server,direction=received]"]);
        Assert.Equal(
            seen[$"blixard.rpc.bytes[{Probe},side=server,direction=sent]"],
            seen[$"blixard.rpc.bytes[{Probe},side=client,direction=received]"]);
        Assert.Equal(1, seen["blixard.rpc.transport.switches[peer=b,from=grpc,to=p2p,reason=LinkReady]"]);
        Assert.Contains($"blixard.rpc.call.duration[{Probe},side=client]", seen.Keys);
    }

    private static MeterListener Listen(SortedDictionary<string, double> seen, params RpcMetrics[] metrics)
    {
        var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listening) =>
            {
                if (metrics.Any(m => m.Owns(instrument.Meter)))
                    listening.EnableMeasurementEvents(instrument);
            },
        };
        void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var parts = new List<string>();
            foreach (KeyValuePair<string, object?> tag in tags)
                parts.Add($"{tag.Key}={tag.Value}");
            string key = $"{instrument.Name}[{string.Join(',', parts)}]";
            lock (seen)
                seen[key] = seen.GetValueOrDefault(key) + value;
        }
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        listener.Start();
        return listener;
    }
}
