using System.Diagnostics.Metrics;
using System.Net.Sockets;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Diagnostics;
using Blixard.Rpc.Frames;
using Blixard.Rpc.Peers;
using Blixard.Rpc.Tests.Support;
using Blixard.Rpc.Tunnels;
using Blixard.Testing.Basics;
using Microsoft.Extensions.Logging.Abstractions;

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

    [Fact]
    public async Task Tunnels_are_counted_at_both_ends_by_target_transport_bytes_and_cuts()
    {
        var seen = new SortedDictionary<string, double>(StringComparer.Ordinal);
        using var metrics = new RpcMetrics();
        var served = new RpcMetrics();
        await using TunnelHost host = await TunnelHost.StartAsync(served);
        using MeterListener listener = Listen(seen, metrics, served);
        using var channel = new PeerChannel("b", host.Grpc, TimeProvider.System, metrics);
        channel.OnLinkReady(host.P2p);
        await using (var tunnels = new PeerTunnels(channel, "hold", TimeProvider.System, NullLogger<PeerTunnels>.Instance, metrics))
        {
            (NetworkStream near, NetworkStream far) = await SocketPair.CreateAsync();
            Task carried = tunnels.CarryAsync(far);
            await near.WriteAsync(new byte[5]);
            NetworkStream service = host.Held.Take();
            await service.ReadExactlyAsync(new byte[5]);
            await service.WriteAsync(new byte[3]);
            await near.ReadExactlyAsync(new byte[3]);
            lock (seen)
                Assert.Equal(1, seen["blixard.tunnel.active[target=hold,transport=p2p,side=client]"]);
            await tunnels.DisposeAsync();
            await Assert.ThrowsAsync<RpcException>(() => carried);
            // Reads the end: the serving side has closed its connection, and is about to count that.
            Assert.Equal(0, await service.ReadAsync(new byte[1]));
            await near.DisposeAsync();
        }

        listener.RecordObservableInstruments();
        await host.DisposeAsync();
        foreach (string side in new[] { "client", "server" })
        {
            string tags = $"target=hold,transport=p2p,side={side}";
            Assert.Equal((1, 1, 0), (seen[$"blixard.tunnel.opened[{tags}]"], seen[$"blixard.tunnel.closed[{tags}]"], seen[$"blixard.tunnel.active[{tags}]"]));
            Assert.Equal((5, 3), side == "client"
                ? (seen[$"blixard.tunnel.bytes[{tags},direction=sent]"], seen[$"blixard.tunnel.bytes[{tags},direction=received]"])
                : (seen[$"blixard.tunnel.bytes[{tags},direction=received]"], seen[$"blixard.tunnel.bytes[{tags},direction=sent]"]));
        }

        Assert.Equal(1, seen["blixard.tunnel.cut[target=hold,transport=p2p,reason=Stopped]"]);
        Assert.InRange(seen["blixard.rpc.transport.age[peer=b,transport=p2p]"], 0, 600);
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
