using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Endpoint;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Streams;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

/// <summary>Runs when no other test does: these take blocks from the pool that all connections share.</summary>
[CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
public class AllocationTestsCollection;

/// <summary>Two connections back to back, without the simulated network, which copies every datagram.</summary>
[Collection(nameof(AllocationTests))]
public class AllocationTests
{
    private readonly Pair _pair = new Pair().Establish();
    private readonly byte[] _buffer = new byte[65536];
    private readonly byte[] _response = new byte[EndpointCore.ResponseLengthMax];
    private Instant _now;

    [Fact]
    public void Packets_cost_no_allocation_once_a_transfer_runs()
    {
        _pair.RunFor(TimeSpan.FromSeconds(1));
        _now = _pair.Network.Now;
        Assert.True(_pair.ClientSide.Connection.TryOpenStream(StreamDirection.Bidirectional, out StreamId id));
        for (int i = 0; i < 200; i++)
            Transfer(id);
        ulong packetsBefore = Packets;
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 200; i++)
            Transfer(id);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        ulong packets = Packets - packetsBefore;
        Assert.True(packets > 10_000, $"{packets} packets");
        Assert.True(allocated < (long)packets / 100, $"{allocated} bytes for {packets} packets");
    }

    private ulong Packets => _pair.ClientSide.Connection.Statistics.PacketsSent + _pair.ServerSide.Connection.Statistics.PacketsSent;

    private void Transfer(StreamId id)
    {
        Span<byte> data = stackalloc byte[4096];
        while (_pair.ClientSide.Connection.Write(id, data).Status == StreamStatus.Ok)
        {
        }

        _pair.ClientSide.Connection.SendDatagram(data[..1000]);
        Pump(_pair.Client, _pair.ClientSide, _pair.Server, _pair.ServerSide);
        while (_pair.ServerSide.Connection.Read(id, data).Status == StreamStatus.Ok)
        {
        }

        while (_pair.ServerSide.Connection.TryReceiveDatagram(data, out _))
        {
        }

        Pump(_pair.Server, _pair.ServerSide, _pair.Client, _pair.ClientSide);
        _now += TimeSpan.FromMilliseconds(1);
    }

    private void Pump(SimulatedEndpoint from, SimulatedConnection sender, SimulatedEndpoint to, SimulatedConnection receiver)
    {
        if (sender.Connection.NextTimeout <= _now)
            sender.Connection.HandleTimeout(_now);
        while (sender.Connection.TryGetTransmit(_now, _buffer, 10, out Transmit transmit))
        {
            var path = new FourTuple(to.Address, from.Address);
            for (int at = 0; at < transmit.Length; at += transmit.SegmentSize)
            {
                Span<byte> datagram = _buffer.AsSpan(at, Math.Min(transmit.SegmentSize, transmit.Length - at));
                DatagramRoute route = to.Core.HandleDatagram(_now, path, transmit.Ecn, datagram, _response);
                if (route.Destination == DatagramDestination.Connection)
                    receiver.Connection.HandleDatagram(_now, path, transmit.Ecn, datagram);
            }
        }

        while (sender.Connection.TryGetEvent(out _))
        {
        }
    }
}
