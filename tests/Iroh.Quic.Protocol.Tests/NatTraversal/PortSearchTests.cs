using Iroh.Cryptography;
using Iroh.Quic.Protocol.Codec.Frames;
using Iroh.Quic.Protocol.Connections;
using Iroh.Quic.Protocol.NatTraversal;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Quic.Protocol.Spaces;

namespace Iroh.Quic.Protocol.Tests.NatTraversal;

public class PortSearchTests
{
    private static readonly Instant Start = new(1_000_000_000);
    private static readonly NetworkAddress Easy = NetworkAddress.FromIPv4([198, 51, 100, 1], 7000);
    private static readonly NetworkAddress Hard = NetworkAddress.FromIPv4([203, 0, 113, 1], 9000);

    private readonly ConnectionEvents _events = new();

    [Fact]
    public void An_order_of_ports_visits_each_once()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            var order = new PortOrder(new SeededRandomSource(seed));
            var seen = new HashSet<ushort>();
            for (int i = 0; i < PortOrder.Count; i++)
                seen.Add(order[i]);
            Assert.Equal(64_512, seen.Count);
            Assert.Equal(1024, seen.Min());
        }
    }

    [Fact]
    public void A_scan_tries_a_thousand_ports_a_second_and_each_only_once()
    {
        var scan = new PortScan();
        var tried = new HashSet<NetworkAddress>();
        Instant now = Start;
        scan.Start(now, Hard, new SeededRandomSource(1));
        while (scan.IsScanning)
        {
            now = scan.NextTimeout;
            scan.HandleTimeout(now);
            scan.OnAsked(now);
            while (scan.TryPeek(out NetworkAddress address))
            {
                Assert.True(tried.Add(address));
                Assert.True(address.HasSameAddress(Hard));
                scan.OnSent(new SentProbe((ulong)tried.Count, Start));
            }

            Assert.True(tried.Count <= 1 + ((now - Start).TotalSeconds * PortScan.PortsPerSecond));
        }

        Assert.Equal(PortScan.PortsMax, tried.Count);
        Assert.InRange((now - Start).TotalSeconds, 2.4, 2.6);
    }

    [Fact]
    public void A_scan_that_nobody_asks_for_any_more_ends()
    {
        var scan = new PortScan();
        scan.Start(Start, Hard, new SeededRandomSource(1));
        int tried = 0;
        while (scan.IsScanning)
        {
            scan.HandleTimeout(scan.NextTimeout);
            for (; scan.TryPeek(out _); tried++)
                scan.OnSent(new SentProbe(1, Start));
        }

        Assert.InRange(tried, 400, 510);
    }

    [Fact]
    public void An_answer_ends_a_scan_only_from_the_port_that_was_probed_with_it()
    {
        var scan = new PortScan();
        scan.Start(Start, Hard, new SeededRandomSource(1));
        scan.HandleTimeout(scan.NextTimeout);
        Assert.True(scan.TryPeek(out NetworkAddress first));
        scan.OnSent(new SentProbe(11, Start));
        Assert.True(scan.TryPeek(out NetworkAddress second));
        scan.OnSent(new SentProbe(22, Start));
        Assert.False(scan.OnResponse(first, 22, out _));
        Assert.False(scan.OnResponse(second, 33, out _));
        Assert.True(scan.IsScanning);
        Assert.True(scan.OnResponse(second, 22, out _));
        Assert.False(scan.IsScanning);
        Assert.False(scan.TryPeek(out _));
    }

    [Fact]
    public void After_a_late_timer_a_scan_does_not_flood()
    {
        var scan = new PortScan();
        scan.Start(Start, Hard, new SeededRandomSource(1));
        scan.HandleTimeout(Start + TimeSpan.FromMilliseconds(400));
        int owed = 0;
        for (; scan.TryPeek(out _); owed++)
            scan.OnSent(new SentProbe(1, Start));
        Assert.Equal(50, owed);
    }

    [Fact]
    public void A_round_without_success_makes_the_end_with_the_hard_NAT_ask_for_sockets()
    {
        PortSearch room = Create(Hard, varies: true);
        Meet(room, Easy, varies: false);
        room.OnRound(Start);
        Assert.Empty(Events());
        room.HandleTimeout(room.NextTimeout, hasDirectPath: false);
        Assert.Equal([new ConnectionEvent(ConnectionEventKind.PortSearchSocketsWanted, Code: 256)], Events());
        Assert.False(room.TryPeekProbe(out _));
        room.OpenSockets(Start, Sockets(256));
        var probed = new HashSet<FourTuple>();
        for (; room.TryPeekProbe(out FourTuple address); room.OnProbeSent(new SentProbe((ulong)probed.Count, Start)))
            probed.Add(address);
        Assert.Equal(256, probed.Count);
        Assert.True(probed.All(p => p.Remote == Easy));
        Assert.Equal(["PortSearch 1"], Frames(room, out _));
    }

    [Theory]
    [InlineData(true, true, false, "both vary: chances are too low")]
    [InlineData(false, false, false, "neither varies: probes meet anyhow")]
    [InlineData(false, true, false, "the other end waits")]
    [InlineData(true, false, true, "there is a direct path")]
    public void Otherwise_it_does_not(bool ownVaries, bool peerVaries, bool hasDirectPath, string why)
    {
        PortSearch room = Create(Hard, ownVaries);
        Meet(room, Easy, peerVaries);
        room.OnRound(Start);
        room.HandleTimeout(room.NextTimeout, hasDirectPath);
        Assert.True(Events().Count == 0, why);
    }

    [Fact]
    public void Behind_one_NAT_or_with_different_families_there_is_nothing_to_search()
    {
        foreach (NetworkAddress peer in new[] { Hard.WithPort(1), NetworkAddress.FromIPv6([0x20, 1, .. new byte[13], 1], 7000) })
        {
            PortSearch room = Create(Hard, varies: true);
            Meet(room, peer, varies: false);
            room.OnRound(Start);
            room.HandleTimeout(room.NextTimeout, hasDirectPath: false);
            Assert.Empty(Events());
        }
    }

    [Fact]
    public void A_mapping_that_is_known_only_after_the_round_has_begun_starts_the_search()
    {
        PortSearch room = Create(Hard, varies: true);
        room.OnRound(Start);
        room.HandleTimeout(room.NextTimeout, hasDirectPath: false);
        Assert.Empty(Events());
        Meet(room, Easy, varies: false);
        room.HandleTimeout(room.NextTimeout, hasDirectPath: false);
        Assert.Single(Events());
    }

    [Fact]
    public void The_ports_of_the_own_host_are_not_searched()
    {
        PortSearch room = Create(Easy, varies: false);
        Meet(room, NetworkAddress.FromIPv4([127, 0, 0, 1], 9), varies: true);
        Assert.Null(room.OnSearch(Start, new PortSearchFrame(1)));
        Assert.Equal(Instant.Never, room.NextTimeout);
    }

    [Fact]
    public void A_search_ends_in_time_whether_sockets_came_or_not_and_the_next_one_waits()
    {
        foreach (bool hasSockets in new[] { false, true })
        {
            PortSearch room = Create(Hard, varies: true);
            Meet(room, Easy, varies: false);
            room.OnRound(Start);
            Instant now = room.NextTimeout;
            room.HandleTimeout(now, hasDirectPath: false);
            if (hasSockets)
                room.OpenSockets(now, Sockets(10));
            Assert.Single(Events());
            int requests = 0;
            while (room.NextTimeout != Instant.Never)
            {
                requests += Frames(room, out _).Count;
                now = room.NextTimeout;
                room.HandleTimeout(now, hasDirectPath: false);
            }

            Assert.Equal([new ConnectionEvent(ConnectionEventKind.PortSearchEnded)], Events());
            Assert.True(hasSockets ? requests is > 40 and < 60 : requests == 0);
            Assert.InRange((now - Start).TotalSeconds, 4, 5);
            Assert.False(room.TryPeekProbe(out _));
            room.OnRound(now);
            room.HandleTimeout(room.NextTimeout, hasDirectPath: false);
            Assert.Empty(Events());
            room.OnRound(now + TimeSpan.FromSeconds(30));
            room.HandleTimeout(room.NextTimeout, hasDirectPath: false);
            Assert.Single(Events());
        }
    }

    [Fact]
    public void A_socket_that_was_found_asks_until_it_is_answered_and_is_named_at_the_end()
    {
        PortSearch room = Create(Hard, varies: true);
        Meet(room, Easy, varies: false);
        room.OnRound(Start);
        room.HandleTimeout(room.NextTimeout, hasDirectPath: false);
        NetworkAddress[] sockets = Sockets(16);
        room.OpenSockets(Start, sockets);
        Events();
        var found = new FourTuple(sockets[5], Easy);
        room.OnArrival(new FourTuple(NetworkAddress.FromIPv4([10, 0, 0, 1], 1), Easy)); // not one of them
        Assert.True(room.TryPeekProbe(out FourTuple next));
        Assert.Equal(sockets[0], next.Local);
        room.OnArrival(found);
        Assert.True(room.TryPeekProbe(out next));
        Assert.Equal(found, next);
        room.OnProbeSent(new SentProbe(77, Start)); // lost
        room.HandleTimeout(room.NextTimeout, hasDirectPath: false);
        Assert.Equal(["PortSearch 1"], Frames(room, out _));
        Assert.True(room.TryPeekProbe(out next));
        Assert.Equal(found, next);
        room.OnProbeSent(new SentProbe(78, Start));
        Assert.False(room.OnResponse(Start, next with { Local = sockets[6] }, 78, out _));
        Assert.True(room.OnResponse(Start, next, 78, out _));
        Assert.False(room.TryPeekProbe(out _));
        while (room.NextTimeout != Instant.Never)
        {
            Assert.Empty(Frames(room, out _));
            room.HandleTimeout(room.NextTimeout, hasDirectPath: true);
        }

        Assert.Equal([new ConnectionEvent(ConnectionEventKind.PortSearchEnded, Address: sockets[5])], Events());
    }

    [Fact]
    public void An_end_searches_only_when_it_knows_that_the_ends_fit_and_not_too_often()
    {
        PortSearch room = Create(Easy, varies: false);
        Assert.Null(room.OnSearch(Start, new PortSearchFrame(2)));
        Assert.Equal(Instant.Never, room.NextTimeout); // where?
        Meet(room, Hard, varies: true);
        Assert.Null(room.OnSearch(Start, new PortSearchFrame(2)));
        Assert.NotEqual(Instant.Never, room.NextTimeout);
        Assert.Null(room.OnSearch(Start, new PortSearchFrame(3))); // another one at once
        Assert.Equal(Instant.Never, room.NextTimeout);
        Assert.Null(room.OnSearch(Start + TimeSpan.FromSeconds(11), new PortSearchFrame(2))); // long ago
        Assert.Equal(Instant.Never, room.NextTimeout);
        Assert.Null(room.OnSearch(Start + TimeSpan.FromSeconds(11), new PortSearchFrame(4)));
        Assert.NotEqual(Instant.Never, room.NextTimeout);
    }

    [Fact]
    public void Nothing_happens_unless_both_ends_have_announced_it()
    {
        foreach ((bool own, bool peer) in new[] { (true, false), (false, true), (false, false) })
        {
            var room = new PortSearch(own, new SeededRandomSource(1), _events);
            room.Activate(peer);
            room.SetMapping(Start, new NatMapping(Hard, true));
            room.OnRound(Start);
            Assert.False(room.HasFrames);
            Assert.Equal(Instant.Never, room.NextTimeout);
            Assert.Equal(TransportErrorCode.ProtocolViolation, room.OnMapping(Start, new NatMappingFrame(1, false, Easy))?.Code);
            Assert.Equal(TransportErrorCode.ProtocolViolation, room.OnSearch(Start, new PortSearchFrame(1))?.Code);
        }
    }

    [Fact]
    public void The_newest_mapping_is_told_and_repeated_if_lost()
    {
        PortSearch room = Create(Hard, varies: true);
        Assert.Equal(["NatMapping 1 True 9000"], Frames(room, out List<SentFrame> first));
        room.SetMapping(Start, new NatMapping(Hard, true));
        Assert.False(room.HasFrames);
        room.SetMapping(Start, new NatMapping(Hard, false));
        Assert.Equal(["NatMapping 2 False 9000"], Frames(room, out List<SentFrame> second));
        room.OnMappingLost(first[0]);
        Assert.False(room.HasFrames);
        room.OnMappingLost(second[0]);
        Assert.Equal(["NatMapping 2 False 9000"], Frames(room, out _));
        Assert.Null(room.OnMapping(Start, new NatMappingFrame(5, false, Easy)));
        Assert.Null(room.OnMapping(Start, new NatMappingFrame(4, true, Easy))); // overtaken
    }

    [Fact]
    public void Of_a_thousand_searches_at_least_990_find_a_way_within_3_seconds()
    {
        int found = 0;
        var times = new List<double>();
        for (ulong seed = 0; seed < 1_000; seed++)
        {
            if (new Nats(seed).Search() is not { } time)
                continue;
            found++;
            times.Add(time.TotalSeconds);
        }

        times.Sort();
        Assert.True(found >= 990, $"{found} of 1000");
        Assert.True(times[990 - 1] < 3, $"the 990th took {times[989]} s");
        Assert.InRange(times[times.Count / 2], 0.1, 1.0);
    }

    private static NetworkAddress[] Sockets(int count) =>
        [.. Enumerable.Range(0, count).Select(i => NetworkAddress.FromIPv4([10, 0, 0, 1], (ushort)(20_000 + i)))];

    private PortSearch Create(NetworkAddress address, bool varies) => Create(address, varies, _events);

    private static PortSearch Create(NetworkAddress address, bool varies, ConnectionEvents events, ulong seed = 1)
    {
        var room = new PortSearch(isWanted: true, new SeededRandomSource(seed), events);
        room.Activate(isPeerWilling: true);
        room.SetMapping(Start, new NatMapping(address, varies));
        return room;
    }

    private static void Meet(PortSearch room, NetworkAddress address, bool varies)
    {
        Frames(room, out _);
        Assert.Null(room.OnMapping(Start, new NatMappingFrame(1, varies, address)));
    }

    private static List<string> Frames(PortSearch room, out List<SentFrame> sent) => RoomOutput.Frames(room.WriteFrames, out sent);

    private List<ConnectionEvent> Events() => RoomOutput.Take(_events);

    /// <summary>
    /// Two ends behind NATs of the two kinds. Frames take 50 ms over a relay, datagrams 20 ms; a tenth of the datagrams is lost.
    /// </summary>
    private sealed class Nats
    {
        private static readonly TimeSpan RelayDelay = TimeSpan.FromMilliseconds(50);
        private static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(20);

        private readonly SeededRandomSource _random;
        private readonly PortSearch _hard;
        private readonly PortSearch _easy;
        private readonly Dictionary<NetworkAddress, ushort> _portOfSocket = [];
        private readonly Dictionary<ushort, NetworkAddress> _socketOfPort = [];
        private readonly HashSet<ushort> _easyHasSentTo = [];
        private readonly PriorityQueue<Action, long> _onTheWay = new();
        private Instant _now = Start;
        private readonly bool _isHardClient;
        private bool _isFound;

        public Nats(ulong seed)
        {
            _isHardClient = seed % 2 == 0;
            _random = new SeededRandomSource(seed);
            var events = new ConnectionEvents();
            _hard = Create(Hard, varies: true, events, seed);
            _easy = Create(Easy, varies: false, events, seed + 1_000_000);
            Meet(_hard, Easy, varies: false);
            Meet(_easy, Hard, varies: true);
        }

        public TimeSpan? Search()
        {
            _hard.OnRound(_now);
            _now = _hard.NextTimeout;
            _hard.HandleTimeout(_now, hasDirectPath: false);
            _hard.OpenSockets(_now, Sockets(256));
            while (!_isFound)
            {
                Send();
                long arrival = _onTheWay.TryPeek(out _, out long at) ? at : long.MaxValue;
                Instant next = Instant.Min(Instant.Min(_hard.NextTimeout, _easy.NextTimeout), new Instant(arrival));
                if (next == Instant.Never)
                    return null;
                _now = Instant.Max(_now, next);
                while (_onTheWay.TryPeek(out _, out at) && at <= _now.Nanoseconds)
                    _onTheWay.Dequeue()();
                _hard.HandleTimeout(_now, hasDirectPath: false);
                _easy.HandleTimeout(_now, hasDirectPath: false);
            }

            return _now - Start;
        }

        private void Send()
        {
            foreach (string _ in Frames(_hard, out List<SentFrame> _))
                After(RelayDelay, () => _easy.OnSearch(_now, new PortSearchFrame(1)));
            ulong challenge;
            for (; _hard.TryPeekProbe(out FourTuple address); _hard.OnProbeSent(new SentProbe(challenge, Start)))
            {
                challenge = _random.NextUInt64();
                FromHard(address.Local, challenge, isResponse: false);
            }

            for (; _easy.TryPeekProbe(out FourTuple address); _easy.OnProbeSent(new SentProbe(challenge, Start)))
            {
                challenge = _random.NextUInt64();
                FromEasy(address.Remote.Port, challenge, isResponse: false);
            }
        }

        // Each socket has a port of its own for the other end, at random.
        private void FromHard(NetworkAddress socket, ulong data, bool isResponse)
        {
            if (!_portOfSocket.TryGetValue(socket, out ushort port))
            {
                do
                {
                    port = (ushort)(1024 + _random.NextBelow(64_512));
                }
                while (!_socketOfPort.TryAdd(port, socket));
                _portOfSocket[socket] = port;
            }

            if (_random.NextBelow(10) == 0)
                return;
            After(Delay, () =>
            {
                if (!_easyHasSentTo.Contains(port))
                    return;
                if (isResponse)
                    _isFound |= _easy.OnResponse(_now, new FourTuple(default, Hard.WithPort(port)), data, out _) && !_isHardClient;
                else
                    FromEasy(port, data, isResponse: true);
            });
        }

        private void FromEasy(ushort port, ulong data, bool isResponse)
        {
            _easyHasSentTo.Add(port);
            if (_random.NextBelow(10) == 0)
                return;
            After(Delay, () =>
            {
                if (!_socketOfPort.TryGetValue(port, out NetworkAddress socket))
                    return;
                var address = new FourTuple(socket, Easy);
                _hard.OnArrival(address);
                if (isResponse)
                    _isFound |= _hard.OnResponse(_now, address, data, out _) && _isHardClient;
                else
                    FromHard(socket, data, isResponse: true);
            });
        }

        private void After(TimeSpan delay, Action action) => _onTheWay.Enqueue(action, (_now + delay).Nanoseconds);
    }
}
