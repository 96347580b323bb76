using System.Text;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.Endpoint;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls;

namespace Iroh.Quic.Protocol.Tests.Simulation;

/// <summary>A client and a server with a network between them, all from one seed.</summary>
public sealed class Pair
{
    /// <summary>More datagrams and expiries than any test needs: beyond that the pair is busy for ever.</summary>
    public const int StepsMax = 2_000_000;

    public static readonly byte[] Protocol = Encoding.ASCII.GetBytes("test/1");

    private readonly byte[] _clientSeed = new byte[Ed25519.SeedLength];
    private readonly byte[] _serverSeed = new byte[Ed25519.SeedLength];

    public Pair(ulong seed = 1, LinkConditions? conditions = null, EndpointConfiguration? serverConfiguration = null)
    {
        Random = new SeededRandomSource(seed);
        Random.Fill(_clientSeed);
        Random.Fill(_serverSeed);
        ClientTls = new TlsConfiguration
        {
            ApplicationProtocols = [Protocol],
            PrivateKeySeed = _clientSeed,
            ExpectedPeerPublicKey = ServerPublicKey,
            TransportParameters = default,
        };
        ServerTls = ClientTls with { PrivateKeySeed = _serverSeed, ExpectedPeerPublicKey = null };
        Network = new SimulatedNetwork(Random, conditions ?? new LinkConditions());
        Client = new SimulatedEndpoint(Network, ClientAddress, new EndpointConfiguration { AcceptsConnections = false }, Random) { Trace = ClientTrace };
        Server = new SimulatedEndpoint(Network, ServerAddress, serverConfiguration ?? new EndpointConfiguration(), Random) { Trace = ServerTrace };
        Amplification = new AmplificationChecker(Network, Server, ServerTrace);
        Server.OnIncoming = _ => (ServerConfiguration, ServerTls, ServerApplication);
    }

    public static NetworkAddress ClientAddress { get; } = NetworkAddress.FromIPv4([10, 0, 0, 1], 1111);

    public static NetworkAddress ServerAddress { get; } = NetworkAddress.FromIPv4([10, 0, 0, 2], 2222);

    public RandomSource Random { get; }

    public SimulatedNetwork Network { get; }

    public SimulatedEndpoint Client { get; }

    public SimulatedEndpoint Server { get; }

    public RecordingTrace ClientTrace { get; } = new();

    public RecordingTrace ServerTrace { get; } = new();

    public AmplificationChecker Amplification { get; }

    public ConnectionConfiguration ClientConfiguration { get; set; } = new() { KeepAliveInterval = TimeSpan.Zero };

    public ConnectionConfiguration ServerConfiguration { get; set; } = new() { KeepAliveInterval = TimeSpan.Zero };

    public Application? ServerApplication { get; set; }

    /// <summary>What the client offers; change it before connecting.</summary>
    public TlsConfiguration ClientTls { get; set; }

    public TlsConfiguration ServerTls { get; set; }

    public byte[] ServerPublicKey => PublicKeyOf(_serverSeed);

    public byte[] ClientPublicKey => PublicKeyOf(_clientSeed);

    public int Steps { get; private set; }

    /// <summary>The newest connection at each end.</summary>
    public SimulatedConnection ClientSide => Client.Connections[^1];

    public SimulatedConnection ServerSide => Server.Connections[^1];

    public SimulatedConnection Connect(Application? application = null, NetworkAddress? remote = null) =>
        Client.Connect(remote ?? ServerAddress, ClientConfiguration, ClientTls, application);

    /// <summary>Connects over a network without faults and runs until both ends have confirmed the handshake.</summary>
    public Pair Establish(Application? clientApplication = null)
    {
        Connect(clientApplication);
        RunUntil(() => ClientSide.Has(ConnectionEventKind.HandshakeConfirmed) && ServerSide.Has(ConnectionEventKind.HandshakeConfirmed));
        return this;
    }

    /// <summary>Runs until the condition holds; fails when the pair has nothing left to do before that.</summary>
    public void RunUntil(Func<bool> condition)
    {
        while (!condition())
            Assert.True(Step(Instant.Never), $"The pair went idle at {Network.Now} before the condition held.");
    }

    /// <summary>Runs for a span of virtual time.</summary>
    public void RunFor(TimeSpan duration)
    {
        Instant end = Network.Now + duration;
        while (Step(end))
        {
        }

        Network.AdvanceTo(end);
    }

    /// <summary>Runs until no datagram is on its way and no timer is set.</summary>
    public void RunUntilQuiet()
    {
        while (Step(Instant.Never))
        {
        }
    }

    /// <summary>Lets both ends do what they can at this instant, after a command from outside.</summary>
    public void Drain()
    {
        foreach (SimulatedConnection c in Client.Connections)
            Client.Drain(c);
        foreach (SimulatedConnection c in Server.Connections)
            Server.Drain(c);
    }

    private bool Step(Instant end)
    {
        Instant next = Instant.Min(Network.NextArrival, Instant.Min(Client.NextTimeout, Server.NextTimeout));
        if (next == Instant.Never || next > end)
            return false;
        Assert.True(Steps++ < StepsMax, "The pair is busy for ever.");
        Network.AdvanceTo(next);
        if (Network.TryReceive(out SimulatedDatagram datagram))
        {
            // A relay's way ends at the endpoint, whatever has become of the address by which the network knows it.
            if (Belongs(datagram, Client))
                Client.Receive(datagram);
            else if (Belongs(datagram, Server))
                Server.Receive(datagram);
            return true;
        }

        Client.HandleTimeouts();
        Server.HandleTimeouts();
        return true;
    }

    private static bool Belongs(SimulatedDatagram datagram, SimulatedEndpoint endpoint) =>
        endpoint.Addresses.Contains(datagram.Destination) || (datagram.Source.IsVirtual && datagram.Destination == endpoint.Address);

    private static byte[] PublicKeyOf(byte[] seed)
    {
        byte[] key = new byte[Ed25519.PublicKeyLength];
        Ed25519.DerivePublicKey(seed, key);
        return key;
    }
}
