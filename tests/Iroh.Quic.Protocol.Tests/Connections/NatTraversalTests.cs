using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Paths;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Tests.Simulation;

namespace Iroh.Quic.Protocol.Tests.Connections;

public class NatTraversalTests
{
    private static readonly NetworkAddress AtClient = NetworkAddress.Virtual(1);
    private static readonly NetworkAddress AtServer = NetworkAddress.Virtual(2);
    private static readonly NetworkAddress ClientNat = NetworkAddress.FromIPv4([203, 0, 113, 1], 0);
    private static readonly NetworkAddress ServerNat = NetworkAddress.FromIPv4([198, 51, 100, 1], 0);
    private static readonly NetworkAddress Reflector = NetworkAddress.FromIPv4([192, 0, 2, 53], 3478);

    // What iroh's own matrix passes.
    [Theory]
    [InlineData(null, null)]
    [InlineData(NatKind.EndpointIndependent, null)]
    [InlineData(null, NatKind.EndpointIndependent)]
    [InlineData(NatKind.PortRestricted, null)]
    [InlineData(null, NatKind.PortRestricted)]
    [InlineData(NatKind.RandomPort, null)]
    [InlineData(null, NatKind.RandomPort)]
    [InlineData(NatKind.EndpointIndependent, NatKind.EndpointIndependent)]
    [InlineData(NatKind.EndpointIndependent, NatKind.PortRestricted)]
    [InlineData(NatKind.PortRestricted, NatKind.EndpointIndependent)]
    [InlineData(NatKind.PortRestricted, NatKind.PortRestricted)]
    [InlineData(NatKind.EndpointIndependent, NatKind.RandomPort)]
    [InlineData(NatKind.RandomPort, NatKind.EndpointIndependent)]
    public void A_relayed_connection_becomes_direct_through_NATs(NatKind? client, NatKind? server)
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            Pair pair = Create(client, server, seed, lossRate: seed % 2 == 0 ? 0 : 0.1);
            Instant start = Establish(pair);
            pair.RunUntil(() => IsDirect(pair) || pair.Network.Now - start > TimeSpan.FromSeconds(5));
            Assert.True(IsDirect(pair), $"seed {seed}");
            Assert.True(seed % 2 == 1 || pair.Network.Now - start < TimeSpan.FromMilliseconds(150), $"seed {seed}: {pair.Network.Now - start}");
            Assert.Null(pair.ClientSide.Connection.CloseReason);
            Assert.Null(pair.ServerSide.Connection.CloseReason);
        }
    }

    [Fact]
    public void The_new_path_is_a_backup_until_the_application_says_otherwise()
    {
        Pair pair = Create(NatKind.PortRestricted, NatKind.PortRestricted, 1);
        Establish(pair);
        pair.RunUntil(() => IsDirect(pair));
        var paths = new PathSnapshot[8];
        int count = pair.ClientSide.Connection.CopyPaths(paths);
        PathSnapshot direct = Assert.Single(paths[..count], p => !p.Address.Remote.IsVirtual && p.IsValidated);
        Assert.Equal(PathStatus.Backup, direct.Status);
        Assert.True(direct.Address.Remote.HasSameAddress(ServerNat));
    }

    [Fact]
    public void Candidates_reach_the_client_and_leave_it()
    {
        Pair pair = Create(null, null, 1);
        pair.Connect(remote: AtClient);
        pair.RunUntil(() => pair.Server.Connections.Count > 0);
        NetworkAddress second = NetworkAddress.FromIPv4([10, 9, 9, 9], 9);
        pair.ServerSide.Connection.SetLocalCandidates(pair.Network.Now, [Pair.ServerAddress, second]);
        pair.Drain();
        pair.RunUntil(() => pair.ClientSide.Connection.PeerCandidates.Count == 2);
        Assert.Equal([Pair.ServerAddress, second], pair.ClientSide.Connection.PeerCandidates);
        pair.ServerSide.Connection.SetLocalCandidates(pair.Network.Now, [second]);
        pair.Drain();
        pair.RunUntil(() => pair.ClientSide.Connection.PeerCandidates.Count == 1);
        Assert.Equal([second], pair.ClientSide.Connection.PeerCandidates);
        Assert.True(pair.ClientSide.Has(ConnectionEventKind.PeerCandidatesChanged));
        Assert.Empty(pair.ServerSide.Connection.PeerCandidates);
    }

    [Fact]
    public void Without_multipath_or_at_a_server_no_round_starts()
    {
        Pair pair = Create(null, null, 1);
        pair.ClientConfiguration = pair.ClientConfiguration with { ConcurrentPathsMax = 1 };
        pair.Establish();
        pair.ClientSide.Connection.SetLocalCandidates(pair.Network.Now, [Pair.ClientAddress]);
        pair.ServerSide.Connection.SetLocalCandidates(pair.Network.Now, [Pair.ServerAddress]);
        Assert.False(pair.ClientSide.Connection.StartHolePunching(pair.Network.Now));
        Assert.False(pair.ServerSide.Connection.StartHolePunching(pair.Network.Now));
        pair.Drain();
        pair.RunFor(TimeSpan.FromSeconds(1));
        Assert.Empty(pair.ClientSide.Connection.PeerCandidates);
        Assert.Null(pair.ClientSide.Connection.CloseReason);
    }

    [Fact]
    public void Probes_to_nobody_end_and_leave_the_relayed_path_as_it_was()
    {
        Pair pair = Create(null, null, 1);
        NetworkAddress nobody = NetworkAddress.FromIPv4([10, 99, 0, 1], 9);
        var probes = new List<int>();
        pair.Network.Intercept = d =>
        {
            if (d.Destination == nobody)
                probes.Add(d.Payload.Length);
            return d.Destination != nobody;
        };
        pair.Connect(remote: AtClient);
        pair.RunUntil(() => pair.ClientSide.Has(ConnectionEventKind.HandshakeConfirmed));
        pair.ServerSide.Connection.SetLocalCandidates(pair.Network.Now, [nobody]);
        pair.ClientSide.Connection.SetLocalCandidates(pair.Network.Now, [NetworkAddress.FromIPv4([10, 99, 0, 2], 9)]);
        pair.Drain();
        pair.RunUntil(() => pair.ClientSide.Connection.PeerCandidates.Count == 1);
        Assert.True(pair.ClientSide.Connection.StartHolePunching(pair.Network.Now));
        pair.Drain();
        pair.RunFor(TimeSpan.FromSeconds(10));
        Assert.Equal(9, probes.Count);
        Assert.True(probes.TrueForAll(length => length < 50), "probes are short");
        Assert.Equal(1, pair.ClientSide.Connection.PathCount);
        Assert.Null(pair.ClientSide.Connection.CloseReason);
        Assert.Equal(0UL, pair.ClientSide.Connection.Statistics.BytesLost);
    }

    [Theory]
    [InlineData(NatKind.RandomPort, NatKind.PortRestricted)]
    [InlineData(NatKind.PortRestricted, NatKind.RandomPort)]
    public void A_port_search_makes_the_mixed_case_direct(NatKind client, NatKind server)
    {
        const int Runs = 100;
        var times = new List<double>();
        for (ulong seed = 0; seed < Runs; seed++)
        {
            Pair pair = Create(client, server, seed, lossRate: seed % 4 == 0 ? 0.05 : 0);
            Instant start = Establish(pair);
            OpenSocketsWhenWanted(pair);
            pair.RunUntil(() => IsDirect(pair) || pair.Network.Now - start > TimeSpan.FromSeconds(6));
            if (IsDirect(pair))
                times.Add((pair.Network.Now - start).TotalSeconds);
            Assert.Null(pair.ClientSide.Connection.CloseReason);
            Assert.Null(pair.ServerSide.Connection.CloseReason);
        }

        times.Sort();
        Assert.True(times.Count >= Runs - 1, $"{times.Count} of {Runs}");
        Assert.True(times[Runs - 2] < 3, $"{times[^1]} s");
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void One_option_at_either_end_switches_port_searches_off(bool client, bool server)
    {
        Pair pair = Create(NatKind.RandomPort, NatKind.PortRestricted, 1);
        pair.ClientConfiguration = pair.ClientConfiguration with { SearchesPorts = client };
        pair.ServerConfiguration = pair.ServerConfiguration with { SearchesPorts = server };
        Establish(pair);
        pair.RunFor(TimeSpan.FromSeconds(6));
        Assert.False(pair.ClientSide.Has(ConnectionEventKind.PortSearchSocketsWanted));
        Assert.False(IsDirect(pair));
    }

    [Fact]
    public void Two_NATs_that_map_by_destination_stay_relayed_without_a_search()
    {
        Pair pair = Create(NatKind.RandomPort, NatKind.RandomPort, 1);
        Establish(pair);
        pair.RunFor(TimeSpan.FromSeconds(10));
        Assert.False(pair.ClientSide.Has(ConnectionEventKind.PortSearchSocketsWanted));
        Assert.False(pair.ServerSide.Has(ConnectionEventKind.PortSearchSocketsWanted));
        Assert.False(IsDirect(pair));
        Assert.Null(pair.ClientSide.Connection.CloseReason);
    }

    internal static Pair Create(NatKind? client, NatKind? server, ulong seed, double lossRate = 0)
    {
        var pair = new Pair(seed, new LinkConditions { LossRate = lossRate });
        pair.Network.Relay(Pair.ClientAddress, AtClient, Pair.ServerAddress, AtServer);
        pair.Network.SetConditions(AtClient, AtServer, new LinkConditions { Latency = TimeSpan.FromMilliseconds(25) });
        if (client is { } c)
            pair.Network.PutBehind(Pair.ClientAddress, new SimulatedNat(c, ClientNat, pair.Random));
        if (server is { } s)
            pair.Network.PutBehind(Pair.ServerAddress, new SimulatedNat(s, ServerNat, pair.Random));
        pair.ClientConfiguration = new ConnectionConfiguration();
        pair.ServerConfiguration = new ConnectionConfiguration();
        return pair;
    }

    // Connects over the relay and starts a round when the client knows the server's candidates.
    internal static Instant Establish(Pair pair)
    {
        pair.Connect(remote: AtClient);
        pair.RunUntil(() => pair.ClientSide.Has(ConnectionEventKind.HandshakeConfirmed));
        Prepare(pair, pair.ClientSide.Connection, Pair.ClientAddress);
        Prepare(pair, pair.ServerSide.Connection, Pair.ServerAddress);
        pair.Drain();
        pair.RunUntil(() => pair.ClientSide.Connection.PeerCandidates.Count > 0);
        Assert.True(pair.ClientSide.Connection.StartHolePunching(pair.Network.Now));
        pair.Drain();
        return pair.Network.Now;
    }

    private static void Prepare(Pair pair, Connection connection, NetworkAddress own)
    {
        NetworkAddress seen = pair.Network.SeenFrom(own, Reflector);
        NetworkAddress seenElsewhere = pair.Network.SeenFrom(own, Reflector.WithPort(3479));
        connection.SetLocalCandidates(pair.Network.Now, [own, seen]);
        connection.SetNatMapping(pair.Network.Now, new NatMapping(seen, seen != seenElsewhere));
    }

    private static bool IsDirect(Pair pair) => IsDirect(pair.ClientSide) && IsDirect(pair.ServerSide);

    private static bool IsDirect(SimulatedConnection side) =>
        side.Events.Exists(e => e.Kind == ConnectionEventKind.PathOpened && !e.Address.IsVirtual);

    private static void OpenSocketsWhenWanted(Pair pair)
    {
        pair.ClientSide.Application = new SearchingApplication(pair.Client);
        pair.ServerSide.Application = new SearchingApplication(pair.Server);
    }

    /// <summary>Does what a driver does about port searches: opens sockets on the host's address.</summary>
    private sealed class SearchingApplication(SimulatedEndpoint endpoint) : Application
    {
        private bool _isWanted;

        public override void OnEvent(SimulatedConnection connection, in ConnectionEvent e) =>
            _isWanted |= e.Kind == ConnectionEventKind.PortSearchSocketsWanted;

        public override bool Step(SimulatedConnection connection, Instant now)
        {
            if (!_isWanted)
                return false;
            _isWanted = false;
            NetworkAddress[] sockets = [.. Enumerable.Range(20_000, 256).Select(port => endpoint.Address.WithPort((ushort)port))];
            endpoint.Addresses.AddRange(sockets);
            connection.Connection.OpenSearchSockets(now, sockets);
            return true;
        }
    }
}
