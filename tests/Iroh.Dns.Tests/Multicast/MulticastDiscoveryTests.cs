using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Dns.Multicast;

namespace Iroh.Dns.Tests.Multicast;

public sealed class MulticastDiscoveryTests
{
    private static readonly EndpointId s_own = DnsFixtures.Key.PublicKey;
    private static readonly EndpointRecord s_record = DnsFixtures.Record(DnsFixtures.Key, null, "192.0.2.1:7");

    [Fact]
    public void A_change_is_announced_twice_and_the_same_record_not_again()
    {
        MulticastDiscovery discovery = Create();
        discovery.SetOwn(At(0), s_record);
        List<(TimeSpan At, byte[] Packet)> sent = Run(discovery, At(0), At(60));
        Assert.Equal(2, sent.Count);
        Assert.InRange(sent[0].At, At(0), At(0.1));
        Assert.Equal(At(1), sent[1].At - sent[0].At);
        discovery.SetOwn(At(60), s_record);
        Assert.Empty(Run(discovery, At(60), At(120)));
        discovery.SetOwn(At(120), DnsFixtures.Record(DnsFixtures.Key, null, "192.0.2.1:8"));
        Assert.Equal(2, Run(discovery, At(120), At(180)).Count);
    }

    [Fact]
    public void Nobody_asks_while_nobody_looks_for_anybody()
    {
        MulticastDiscovery discovery = Create();
        Assert.Empty(Run(discovery, At(0), At(3600)));
        Assert.Null(discovery.NextTimeout);
    }

    [Fact]
    public void A_query_is_answered_soon_enough_for_iroh_and_once()
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            MulticastDiscovery discovery = Quiet(seed);
            discovery.HandlePacket(At(10), MulticastMessage.Query([]));
            (TimeSpan at, byte[] packet) = Assert.Single(Run(discovery, At(10), At(20)));
            Assert.InRange(at, At(10.02), At(10.12));
            Assert.Equal(MulticastMessage.Announcement(s_record), packet);
        }
    }

    [Fact]
    public void Once_two_others_have_answered_this_end_keeps_silent_unless_it_was_asked_by_name()
    {
        MulticastDiscovery discovery = Quiet();
        discovery.HandlePacket(At(10), MulticastMessage.Query([]));
        Hear(discovery, At(10), 1);
        Hear(discovery, At(10), 2);
        Assert.Empty(Run(discovery, At(10), At(20)));

        discovery.HandlePacket(At(20), MulticastMessage.Query([s_own]));
        Hear(discovery, At(20), 1);
        Hear(discovery, At(20), 2);
        Assert.Single(Run(discovery, At(20), At(30)));
    }

    [Fact]
    public void A_storm_of_queries_gets_at_most_two_answers_a_second()
    {
        MulticastDiscovery discovery = Quiet();
        int answers = 0;
        byte[] query = MulticastMessage.Query([s_own]);
        for (TimeSpan now = At(10); now < At(20); now += TimeSpan.FromMilliseconds(1))
        {
            discovery.HandlePacket(now, query);
            while (discovery.TryGetTransmit(now, out _))
                answers++;
        }

        Assert.InRange(answers, 15, 20);
    }

    [Fact]
    public void A_search_asks_at_once_then_less_and_less_often_until_it_is_given_up()
    {
        MulticastDiscovery discovery = Create();
        EndpointId sought = DnsFixtures.KeyOf(1).PublicKey;
        Assert.True(discovery.Seek(At(0), sought));
        List<(TimeSpan At, byte[] Packet)> sent = Run(discovery, At(0), At(10));
        Assert.Equal([At(0), At(1), At(3), At(7)], sent.Select(packet => packet.At));
        Assert.All(sent, packet => Assert.Equal(MulticastMessage.Query([sought]), packet.Packet));
        discovery.Unseek(sought);
        Assert.Empty(Run(discovery, At(10), At(100)));
    }

    [Fact]
    public void Many_searches_share_queries_that_are_never_closer_than_half_a_second()
    {
        MulticastDiscovery discovery = Create();
        for (int i = 0; i < MulticastDiscovery.SoughtMax; i++)
            Assert.True(discovery.Seek(At(0), DnsFixtures.KeyOf(i).PublicKey));
        Assert.False(discovery.Seek(At(0), DnsFixtures.KeyOf(9999).PublicKey));
        Assert.True(discovery.Seek(At(0), DnsFixtures.KeyOf(0).PublicKey));
        List<(TimeSpan At, byte[] Packet)> sent = Run(discovery, At(0), At(10));
        Assert.InRange(sent.Count, 15, 21);
        Assert.All(sent.Zip(sent.Skip(1)), pair => Assert.True(pair.Second.At - pair.First.At >= MulticastDiscovery.SendIntervalMin));
    }

    [Fact]
    public void Every_one_of_many_searches_gets_its_turn()
    {
        MulticastDiscovery discovery = Create();
        EndpointId[] sought = [.. Enumerable.Range(0, 40).Select(i => DnsFixtures.KeyOf(i).PublicKey)];
        foreach (EndpointId id in sought)
            discovery.Seek(At(0), id);
        var asked = new HashSet<EndpointId>();
        foreach ((_, byte[] packet) in Run(discovery, At(0), At(10)))
        {
            Assert.True(MulticastMessage.TryRead(packet, out MulticastMessage? message));
            asked.UnionWith(message.AskedIds);
        }

        Assert.Equal(sought.Length, asked.Count);
    }

    [Fact]
    public void Found_changed_left_and_long_unheard_endpoints_are_told_once_each()
    {
        MulticastDiscovery discovery = Create();
        Hear(discovery, At(0), 1, port: 5);
        Hear(discovery, At(1), 1, port: 5);
        Hear(discovery, At(2), 1, port: 6);
        Hear(discovery, At(2), 2);
        discovery.HandlePacket(At(3), MulticastMessage.Goodbye(DnsFixtures.KeyOf(2).PublicKey));
        discovery.HandlePacket(At(3), MulticastMessage.Goodbye(DnsFixtures.KeyOf(3).PublicKey));
        Assert.Equal(["1:5", "1:6", "2:1", "2:"], Changes(discovery));
        Assert.Equal(At(2) + MulticastDiscovery.PeerLifetime, discovery.NextTimeout);
        discovery.HandleTimeout(At(2) + MulticastDiscovery.PeerLifetime);
        Assert.Equal(["1:"], Changes(discovery));
        Assert.Equal(0, discovery.PeerCount);
    }

    [Fact]
    public void Its_own_announcements_which_the_group_gives_back_are_nobodys()
    {
        MulticastDiscovery discovery = Quiet();
        discovery.HandlePacket(At(10), MulticastMessage.Announcement(s_record)!);
        Assert.Equal(0, discovery.PeerCount);
        Assert.Null(discovery.Find(s_own));
    }

    [Fact]
    public void A_flood_of_invented_endpoints_does_not_grow_the_table_or_drive_out_who_is_looked_for()
    {
        MulticastDiscovery discovery = Create();
        EndpointId sought = DnsFixtures.KeyOf(0).PublicKey;
        discovery.Seek(At(0), sought);
        Hear(discovery, At(0), 0);
        for (int i = 1; i < 1_300; i++)
            Hear(discovery, At(0.01 * i), i);
        Assert.Equal(MulticastDiscovery.PeersMax, discovery.PeerCount);
        Assert.NotNull(discovery.Find(sought));
        Assert.NotNull(discovery.Find(DnsFixtures.KeyOf(1_299).PublicKey));
        Assert.Null(discovery.Find(DnsFixtures.KeyOf(1).PublicKey));
    }

    [Fact]
    public void More_packets_than_a_link_has_are_dropped_unread()
    {
        MulticastDiscovery discovery = Create();
        for (int i = 0; i < 1_000; i++)
            Hear(discovery, At(0), i);
        Assert.Equal(2 * MulticastDiscovery.PacketsPerSecondMax, discovery.PeerCount);
    }

    private static TimeSpan At(double seconds) => TimeSpan.FromSeconds(seconds);

    private static MulticastDiscovery Create(ulong seed = 1) => new(s_own, new SeededRandomSource(seed));

    /// <summary>One that has announced itself long ago.</summary>
    private static MulticastDiscovery Quiet(ulong seed = 1)
    {
        MulticastDiscovery discovery = Create(seed);
        discovery.SetOwn(At(0), s_record);
        Run(discovery, At(0), At(10));
        return discovery;
    }

    private static void Hear(MulticastDiscovery discovery, TimeSpan now, int key, int port = 1)
    {
        SecretKey theirs = DnsFixtures.KeyOf(key);
        discovery.HandlePacket(now, MulticastMessage.Announcement(DnsFixtures.Record(theirs, null, $"192.0.2.9:{port}"))!);
    }

    /// <summary>Lets time pass from due time to due time, as a driver does.</summary>
    private static List<(TimeSpan At, byte[] Packet)> Run(MulticastDiscovery discovery, TimeSpan from, TimeSpan to)
    {
        var sent = new List<(TimeSpan, byte[])>();
        for (TimeSpan now = from; now < to;)
        {
            discovery.HandleTimeout(now);
            while (discovery.TryGetTransmit(now, out byte[]? packet))
                sent.Add((now, packet));
            if (discovery.NextTimeout is not { } next)
                break;
            Assert.True(next > now, $"due at {next}, but nothing was done about it at {now}");
            now = next;
        }

        return sent;
    }

    private static List<string> Changes(MulticastDiscovery discovery)
    {
        var changes = new List<string>();
        while (discovery.TryGetChange(out MulticastChange change))
        {
            int key = Enumerable.Range(0, 10).First(i => DnsFixtures.KeyOf(i).PublicKey == change.Id);
            changes.Add($"{key}:{change.Record?.Address.DirectAddresses.Single().Port}");
        }

        return changes;
    }
}
