using Iroh.Cryptography;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Diagnostics;
using Iroh.Quic.Protocol.Endpoint;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>An endpoint with its connections: what a driver is in production, without sockets.</summary>
public sealed class SimulatedEndpoint
{
    /// <summary>More rounds of one connection's work at one instant than any script needs.</summary>
    private const int RoundsMax = 100_000;

    private const int TimeoutRoundsMax = 3;

    private readonly SimulatedNetwork _network;
    private readonly byte[] _buffer = new byte[65536];
    private readonly byte[] _response = new byte[1500];

    public SimulatedEndpoint(SimulatedNetwork network, NetworkAddress address, EndpointConfiguration configuration, RandomSource random)
    {
        _network = network;
        Address = address;
        Addresses = [address];
        Core = new EndpointCore(configuration, random);
    }

    /// <summary>The address of the first dial; it names the endpoint in the network.</summary>
    public NetworkAddress Address { get; }

    /// <summary>The addresses of its host, which may come and go.</summary>
    public List<NetworkAddress> Addresses { get; }

    public EndpointCore Core { get; }

    public TraceSink? Trace { get; init; }

    /// <summary>How many datagrams of one size may leave in one transmit.</summary>
    public int SegmentsMax { get; set; } = 10;

    /// <summary>Decides about incoming connections; null refuses them.</summary>
    public Func<Incoming, (ConnectionConfiguration, TlsConfiguration, Application?)?>? OnIncoming { get; set; }

    /// <summary>The most datagrams that left in one transmit.</summary>
    public int LargestBatch { get; private set; }

    public List<SimulatedConnection> Connections { get; } = [];

    /// <summary>Sees every datagram before it is sent.</summary>
    public Action<Transmit, ReadOnlyMemory<byte>>? Sending { get; set; }

    public Instant NextTimeout
    {
        get
        {
            Instant next = Instant.Never;
            foreach (SimulatedConnection c in Connections)
                next = Instant.Min(next, c.Connection.NextTimeout);
            return next;
        }
    }

    public SimulatedConnection Connect(NetworkAddress remote, ConnectionConfiguration configuration, TlsConfiguration tls, Application? application)
    {
        Connection connection = Core.Connect(
            _network.Now, new FourTuple(remote.IsVirtual ? default : Address, remote), configuration, tls, out ConnectionHandle handle, Trace);
        var simulated = new SimulatedConnection(handle, connection, application);
        Connections.Add(simulated);
        Drain(simulated);
        return simulated;
    }

    public void Receive(SimulatedDatagram datagram)
    {
        byte[] bytes = [.. datagram.Payload];
        var path = new FourTuple(datagram.Source.IsVirtual ? default : datagram.Destination, datagram.Source);
        DatagramRoute route = Core.HandleDatagram(_network.Now, path, datagram.Ecn, bytes, _response);
        switch (route.Destination)
        {
            case DatagramDestination.Connection:
                // A test may have taken the connection away: an end that has died.
                if (Connections.Find(c => c.Handle == route.Handle) is not { } connection)
                    break;
                connection.Connection.HandleDatagram(_network.Now, path, datagram.Ecn, bytes);
                Drain(connection);
                break;
            case DatagramDestination.Incoming:
                Decide(route.Incoming!);
                break;
            case DatagramDestination.Response:
                SendAll(route.Response, _response);
                break;
        }
    }

    public void HandleTimeouts()
    {
        foreach (SimulatedConnection c in Connections.ToArray())
        {
            // A timer that has expired may leave another one that has: found losses a probe. More than that is no progress.
            for (int round = 0; c.Connection.NextTimeout <= _network.Now; round++)
            {
                Assert.True(round < TimeoutRoundsMax, $"The {c.Connection.Side}'s timer expires for ever at {_network.Now}.");
                c.Connection.HandleTimeout(_network.Now);
                Drain(c);
            }
        }
    }

    /// <summary>Lets the application act and carries all outputs of the connection where they belong.</summary>
    public void Drain(SimulatedConnection c)
    {
        for (int round = 0; ; round++)
        {
            Assert.True(round < RoundsMax, "The connection or its application is busy for ever.");
            bool progress = false;
            while (c.Connection.TryGetTransmit(_network.Now, _buffer, SegmentsMax, out Transmit transmit))
            {
                DrainEndpointEvents(c);
                SendAll(transmit, _buffer);
                progress = true;
            }

            DrainEndpointEvents(c);
            while (c.Connection.TryGetEvent(out ConnectionEvent e))
            {
                c.Events.Add(e);
                c.Application?.OnEvent(c, e);
                progress = true;
            }

            progress |= c.Application?.Step(c, _network.Now) ?? false;
            if (!progress)
                return;
        }
    }

    private void DrainEndpointEvents(SimulatedConnection c)
    {
        while (c.Connection.TryGetEndpointEvent(out EndpointEvent e))
            Core.HandleConnectionEvent(c.Handle, e);
    }

    private void Decide(Incoming incoming)
    {
        if (OnIncoming?.Invoke(incoming) is not var (configuration, tls, application))
        {
            SendAll(Core.Refuse(incoming, _response), _response);
            return;
        }

        Connection connection = Core.Accept(_network.Now, incoming, configuration, tls, out ConnectionHandle handle, Trace);
        var simulated = new SimulatedConnection(handle, connection, application);
        Connections.Add(simulated);
        Drain(simulated);
    }

    private void SendAll(Transmit transmit, byte[] buffer)
    {
        Assert.InRange(transmit.Length, 1, buffer.Length);
        Assert.InRange(transmit.SegmentCount, 1, SegmentsMax);
        LargestBatch = Math.Max(LargestBatch, transmit.SegmentCount);
        for (int at = 0; at < transmit.Length; at += transmit.SegmentSize)
        {
            var segment = new ReadOnlyMemory<byte>(buffer, at, Math.Min(transmit.SegmentSize, transmit.Length - at));
            Sending?.Invoke(transmit, segment);
            if (TryChooseSource(transmit.Path, out NetworkAddress source))
                _network.Send(source, transmit.Path.Remote, transmit.Ecn, segment.Span);
        }
    }

    // As a system does: the address that was asked for if the host has it, or else its first one of the family.
    private bool TryChooseSource(FourTuple path, out NetworkAddress source)
    {
        source = path.Local;
        if (path.Remote.IsVirtual)
            return true;
        if (!source.IsUnspecified)
            return Addresses.Contains(source);
        int index = Addresses.FindIndex(address => address.IsIPv4 == path.Remote.IsIPv4);
        source = index >= 0 ? Addresses[index] : default;
        return index >= 0;
    }
}
