using Iroh.Cryptography;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Tests.NatTraversal;

public class HolePunchingTests
{
    private static readonly Instant Start = new(1_000_000_000);

    private readonly ConnectionEvents _events = new();
    private ulong _challenge;

    [Fact]
    public void Nothing_happens_unless_both_ends_take_part()
    {
        foreach ((int local, int peer, bool expected) in new[] { (32, 32, true), (0, 32, false), (32, 0, false) })
        {
            HolePunching client = Create(Side.Client, local, peer);
            client.SetLocalCandidates([A(1)]);
            Assert.Equal(expected, client.IsActive);
            Assert.Equal(expected, client.Start(Start));
            Assert.Equal(expected, client.HasFrames);
            Assert.Equal(expected ? null : TransportErrorCode.ProtocolViolation, client.OnAddAddress(Start, new(0, A(9)))?.Code);
            Assert.Equal(expected ? null : TransportErrorCode.ProtocolViolation, client.OnRemoveAddress(new(0))?.Code);
            HolePunching server = Create(Side.Server, local, peer);
            server.SetLocalCandidates([A(1)]);
            Assert.Equal(expected, server.HasFrames);
            Assert.Equal(expected ? null : TransportErrorCode.ProtocolViolation, server.OnReachOut(Start, new(1, A(9)))?.Code);
        }
    }

    [Fact]
    public void A_client_asks_for_probes_when_the_handshake_is_complete_and_sends_its_own_when_it_is_confirmed()
    {
        var search = new PortSearch(isWanted: false, new SeededRandomSource(1), _events);
        var client = new HolePunching(Side.Client, 32, TimeSpan.FromMilliseconds(333), search, _events);
        client.SetLocalCandidates([A(1)]);
        Assert.False(client.Start(Start));
        client.Negotiate(32, isPeerSearching: false);
        client.OnReceived(default, 1_000);
        Assert.True(client.Start(Start));
        Assert.Equal(["ReachOutFrame 1 1"], Frames(client, out _));
        Assert.Null(client.OnAddAddress(Start, new(0, B(1))));
        Assert.Empty(Probe(client));
        client.Begin();
        Assert.Equal([B(1)], Probe(client));
    }

    [Fact]
    public void A_client_opens_a_path_where_a_probe_came_from_without_waiting_for_the_answer_to_its_own()
    {
        HolePunching client = Create(Side.Client);
        var address = new FourTuple(A(1), B(5));
        client.OnChallengeInAnswerSent(address, new SentProbe(77, Start));
        Assert.True(client.TryPeekOpened(out FourTuple opened));
        Assert.Equal(address, opened);
    }

    [Fact]
    public void An_answered_probe_shows_for_a_moment_that_the_peer_receives_there()
    {
        HolePunching server = Create(Side.Server);
        server.OnReachOut(Start, new(1, B(1)));
        Assert.Equal([B(1)], Probe(server));
        Assert.False(server.HasAnsweredLately(Start, B(1)));
        server.OnResponse(Start, new FourTuple(A(1), B(1)), _challenge);
        Assert.True(server.HasAnsweredLately(Start + TimeSpan.FromSeconds(2), B(1)));
        Assert.False(server.HasAnsweredLately(Start + TimeSpan.FromSeconds(2), B(2)));
        Assert.False(server.HasAnsweredLately(Start + TimeSpan.FromSeconds(4), B(1)));
    }

    [Fact]
    public void A_round_needs_a_client_and_a_candidate_of_its_own()
    {
        HolePunching client = Create(Side.Client);
        Assert.False(client.Start(Start));
        client.SetLocalCandidates([NetworkAddress.FromIPv4([224, 0, 0, 1], 1), NetworkAddress.Virtual(3), default]);
        Assert.False(client.Start(Start));
        client.SetLocalCandidates([A(1)]);
        Assert.True(client.Start(Start));
        HolePunching server = Create(Side.Server);
        server.SetLocalCandidates([A(1)]);
        Assert.False(server.Start(Start));
    }

    [Fact]
    public void A_round_asks_for_probes_to_each_own_candidate_and_sends_them_to_each_of_the_peers()
    {
        HolePunching client = Create(Side.Client);
        client.SetLocalCandidates([A(1), A(2), A(1)]);
        client.OnAddAddress(Start, new(0, B(1)));
        client.OnAddAddress(Start, new(1, B(2)));
        Assert.Empty(Probe(client));
        Assert.True(client.Start(Start));
        Assert.Equal(["ReachOutFrame 1 1", "ReachOutFrame 1 2"], Frames(client, out _));
        Assert.Equal([B(1), B(2)], Probe(client));
        Assert.True(client.Start(Start));
        Assert.Equal(["ReachOutFrame 2 1", "ReachOutFrame 2 2"], Frames(client, out _));
    }

    [Fact]
    public void No_more_addresses_are_reached_out_for_than_the_server_holds()
    {
        HolePunching client = Create(Side.Client, 32, 2);
        client.SetLocalCandidates([A(1), A(2), A(3)]);
        client.Start(Start);
        Assert.Equal(2, Frames(client, out _).Count);
    }

    [Fact]
    public void A_lost_REACH_OUT_is_repeated_as_long_as_its_round_lasts()
    {
        HolePunching client = Create(Side.Client);
        client.SetLocalCandidates([A(1), A(2)]);
        client.Start(Start);
        Frames(client, out List<SentFrame> sent);
        client.OnFrameLost(sent[1]);
        Assert.Equal(["ReachOutFrame 1 2"], Frames(client, out _));
        client.Start(Start);
        Frames(client, out _);
        client.OnFrameLost(sent[0]);
        Assert.False(client.HasFrames);
    }

    [Fact]
    public void A_client_holds_no_more_addresses_than_it_said_and_only_such_as_can_be_sent_to()
    {
        HolePunching client = Create(Side.Client, 2, 32);
        client.OnAddAddress(Start, new(0, B(1)));
        client.OnAddAddress(Start, new(1, NetworkAddress.FromIPv4([239, 0, 0, 1], 1)));
        client.OnAddAddress(Start, new(2, B(2)));
        client.OnAddAddress(Start, new(3, B(3)));
        Assert.Equal([B(1), B(2)], client.PeerCandidates);
        client.OnAddAddress(Start, new(2, B(4))); // the same number with another address
        Assert.Equal([B(1), B(4)], client.PeerCandidates);
        client.OnRemoveAddress(new(0));
        client.OnRemoveAddress(new(77));
        Assert.Equal([B(4)], client.PeerCandidates);
        Assert.Equal(4, Events().Count(e => e.Kind == ConnectionEventKind.PeerCandidatesChanged));
    }

    [Fact]
    public void An_address_that_comes_in_the_middle_of_a_round_is_probed_and_after_it_not()
    {
        HolePunching client = Create(Side.Client);
        client.SetLocalCandidates([A(1)]);
        client.OnAddAddress(Start, new(0, B(1)));
        client.Start(Start);
        Probe(client);
        client.OnAddAddress(Start, new(1, B(2)));
        Assert.Equal([B(2)], Probe(client));
        while (client.NextTimeout != Instant.Never)
            client.HandleTimeout(client.NextTimeout, hasDirectPath: false);
        Probe(client);
        client.OnAddAddress(Start, new(2, B(3)));
        Assert.Empty(Probe(client));
    }

    [Fact]
    public void A_server_probes_whom_it_is_asked_to_in_the_newest_round()
    {
        HolePunching server = Create(Side.Server);
        Assert.Null(server.OnReachOut(Start, new(1, B(1))));
        Assert.Null(server.OnReachOut(Start, new(1, B(1)))); // a repeat
        Assert.Equal([B(1)], Probe(server));
        Assert.Null(server.OnReachOut(Start, new(3, B(2))));
        Assert.Null(server.OnReachOut(Start, new(2, B(3)))); // too late
        Assert.Equal([B(2)], Probe(server));
        server.HandleTimeout(server.NextTimeout, hasDirectPath: false);
        Assert.Equal([B(2)], Probe(server));
    }

    [Fact]
    public void One_address_more_in_a_round_than_agreed_is_a_protocol_violation()
    {
        HolePunching server = Create(Side.Server, 3, 32);
        for (byte i = 1; i <= 3; i++)
            Assert.Null(server.OnReachOut(Start, new(1, B(i))));
        Assert.Null(server.OnReachOut(Start, new(1, B(2))));
        Assert.Equal(TransportErrorCode.ProtocolViolation, server.OnReachOut(Start, new(1, B(4)))?.Code);
    }

    [Fact]
    public void The_client_opens_a_path_where_an_answer_came_from_and_the_server_only_stops()
    {
        foreach (Side side in new[] { Side.Client, Side.Server })
        {
            HolePunching room = Create(side);
            room.SetLocalCandidates([A(1)]);
            room.OnAddAddress(Start, new(0, B(1)));
            if (side == Side.Client)
                room.Start(Start);
            else
                room.OnReachOut(Start, new(1, B(1)));
            Assert.Equal([B(1)], Probe(room));
            Assert.False(room.OnResponse(Start, new FourTuple(A(1), B(2)), _challenge));
            Assert.False(room.OnResponse(Start, new FourTuple(A(1), B(1)), _challenge + 1));
            Events();
            Assert.True(room.OnResponse(Start, new FourTuple(A(1), B(1)), _challenge));
            Assert.Equal([new ConnectionEvent(ConnectionEventKind.HolePunched, Address: B(1))], Events());
            Assert.Equal(side == Side.Client, room.TryPeekOpened(out FourTuple opened));
            if (side == Side.Client)
            {
                Assert.Equal(new FourTuple(A(1), B(1)), opened);
                room.RemoveOpened();
                Assert.False(room.TryPeekOpened(out _));
            }

            room.HandleTimeout(room.NextTimeout, hasDirectPath: false);
            Assert.Empty(Probe(room));
        }
    }

    [Fact]
    public void The_challenge_in_a_clients_answer_to_a_probe_opens_a_path_too()
    {
        HolePunching client = Create(Side.Client);
        Assert.True(client.WantsChallengeInAnswer);
        client.OnChallengeInAnswerSent(new FourTuple(A(1), B(5)), new SentProbe(77, Start));
        Assert.False(client.OnResponse(Start, new FourTuple(A(1), B(6)), 77));
        Assert.True(client.OnResponse(Start, new FourTuple(A(1), B(5)), 77));
        Assert.True(client.TryPeekOpened(out FourTuple opened));
        Assert.Equal(B(5), opened.Remote);
        Assert.False(Create(Side.Server).WantsChallengeInAnswer);
    }

    [Fact]
    public void The_challenge_in_an_answer_is_repeated_as_other_probes_are()
    {
        HolePunching client = Create(Side.Client);
        client.OnChallengeInAnswerSent(new FourTuple(A(1), B(5)), new SentProbe(77, Start));
        Assert.Empty(Probe(client)); // the answer was the first
        client.HandleTimeout(client.NextTimeout, hasDirectPath: false);
        Assert.Equal([B(5)], Probe(client));
        Assert.True(client.OnResponse(Start, new FourTuple(A(1), B(5)), 77));
        Assert.False(client.OnResponse(Start, new FourTuple(A(1), B(5)), 77)); // once is enough
        client.HandleTimeout(client.NextTimeout, hasDirectPath: false);
        Assert.Empty(Probe(client));
    }

    [Fact]
    public void Own_addresses_are_not_probed_and_the_own_host_only_when_it_is_a_candidate_here_too()
    {
        NetworkAddress loopback = NetworkAddress.FromIPv4([127, 0, 0, 1], 9);
        HolePunching server = Create(Side.Server);
        server.SetLocalCandidates([A(1)]);
        server.OnReachOut(Start, new(1, A(1)));
        server.OnReachOut(Start, new(1, loopback));
        server.OnReachOut(Start, new(1, NetworkAddress.FromIPv4([255, 255, 255, 255], 9)));
        Assert.Empty(Probe(server));
        server.SetLocalCandidates([NetworkAddress.FromIPv4([127, 0, 0, 1], 8)]);
        server.OnReachOut(Start, new(2, loopback));
        Assert.Equal([loopback], Probe(server));
    }

    [Fact]
    public void A_peer_that_has_sent_little_gets_few_probes()
    {
        HolePunching server = Create(Side.Server, received: 0);
        for (byte i = 0; i < 32; i++)
            server.OnReachOut(Start, new(1, B(i)));
        Assert.Empty(Probe(server));
        server.OnReceived(default, 100);
        Assert.InRange(Probe(server).Count, 1, 300 / ProbeLength);
    }

    [Fact]
    public void Whatever_a_peer_claims_memory_and_traffic_stay_bounded()
    {
        for (ulong seed = 0; seed < 100; seed++)
        {
            var random = new SeededRandomSource(seed);
            Side side = seed % 2 == 0 ? Side.Client : Side.Server;
            HolePunching room = Create(side, 8, 8, received: 0);
            room.SetLocalCandidates([A(1), A(2)]);
            long received = 0;
            int probes = 0;
            Instant now = Start;
            for (int i = 0; i < 3_000; i++)
            {
                now += TimeSpan.FromMilliseconds(random.NextBelow(20));
                ulong number = side == Side.Server ? (ulong)(i / 8) + random.NextBelow(2) : random.NextBelow(40);
                NetworkAddress address = NetworkAddress.FromIPv4(
                    [(byte)random.NextBelow(256), 0, (byte)random.NextBelow(3), 1], (ushort)random.NextBelow(50));
                room.OnReceived(default, 50);
                received += 50;
                if (side == Side.Server)
                    room.OnReachOut(now, new(number, address));
                else if (random.NextBelow(3) == 0)
                    room.OnRemoveAddress(new(number));
                else
                    room.OnAddAddress(now, new(number, address));
                if (side == Side.Client && random.NextBelow(20) == 0)
                    room.Start(now);
                room.OnResponse(Start, new FourTuple(A(1), address), random.NextBelow((ulong)i + 1));
                if (random.NextBelow(4) == 0)
                    room.HandleTimeout(Instant.Min(room.NextTimeout, now), hasDirectPath: false);
                List<NetworkAddress> targets = Probe(room);
                Assert.DoesNotContain(targets, t => !Iroh.Quic.Protocol.AddressDiscovery.AddressRules.IsReachable(t));
                probes += targets.Count;
                Assert.True(probes * ProbeLength <= 3 * received, $"seed {seed}, step {i}");
                Assert.True(room.PeerCandidates.Count <= 8);
                Frames(room, out _);
                Events();
            }

            double seconds = (now - Start).TotalSeconds;
            Assert.True(probes <= (ProbeBudget.TargetsMax + (seconds * ProbeBudget.TargetsPerSecond)) * ProbeRound.TriesMax, $"seed {seed}");
            Assert.True(probes > 20, $"seed {seed}: only {probes} probes");
        }
    }

    private const int ProbeLength = 40;

    private static NetworkAddress A(byte number) => NetworkAddress.FromIPv4([192, 0, 2, 1], number);

    private static NetworkAddress B(byte number) => NetworkAddress.FromIPv4([198, 51, 100, 1], (ushort)(1 + number));

    private HolePunching Create(Side side, int local = 32, int peer = 32, int received = 100_000)
    {
        var search = new PortSearch(isWanted: false, new SeededRandomSource(1), _events);
        var room = new HolePunching(side, local, TimeSpan.FromMilliseconds(333), search, _events);
        room.Negotiate(peer, isPeerSearching: true);
        room.Begin();
        room.OnReceived(default, received);
        return room;
    }

    private List<NetworkAddress> Probe(HolePunching room)
    {
        var targets = new List<NetworkAddress>();
        while (room.TryPeekProbe(out FourTuple address))
        {
            Assert.True(address.Local.IsUnspecified);
            room.OnProbeSent(address, new SentProbe(++_challenge, Start), ProbeLength);
            targets.Add(address.Remote);
        }

        return targets;
    }

    private static List<string> Frames(HolePunching room, out List<SentFrame> sent) => RoomOutput.Frames(room.WriteFrames, out sent);

    private List<ConnectionEvent> Events() => RoomOutput.Take(_events);
}
