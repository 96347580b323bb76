using System.Net;
using Iroh.Cryptography;
using Iroh.Dns.Messages;
using Iroh.Dns.Pkarr;
using Iroh.Dns.Zones;

namespace Iroh.Dns.Tests.Zones;

public sealed class NameZoneTests
{
    private static readonly DomainName s_origin = DomainName.Parse("dns.example.org");
    private static readonly DomainName s_root = s_origin.Prepend(DnsFixtures.Key.PublicKey.ToZBase32());
    private static readonly DomainName s_endpoint = s_root.Prepend("_iroh");

    [Fact]
    public void An_endpoints_record_is_found_below_the_origin()
    {
        NameZone zone = Zone();
        EndpointRecord record = DnsFixtures.Record(DnsFixtures.Key, "hello", "https://relay.example.com/", "192.0.2.1:7");
        zone.Packets.Put(DnsFixtures.Now, PkarrPacket.Sign(DnsFixtures.Key, 1, record));
        DnsMessage answer = Ask(zone, s_endpoint, DnsType.TXT);
        Assert.True(answer.IsAuthoritative);
        Assert.All(answer.Answers, text => Assert.Equal(30u, text.TimeToLive));
        Assert.Equal(record, answer.ToEndpointRecord(record.Id, s_endpoint));
    }

    [Fact]
    public void The_name_may_be_asked_for_in_any_case()
    {
        NameZone zone = Zone();
        zone.Packets.Put(DnsFixtures.Now, PkarrPacket.Sign(DnsFixtures.Key, 1, DnsFixtures.Record(DnsFixtures.Key, "x")));
        DnsMessage answer = Ask(zone, DomainName.Parse(s_endpoint.ToString().ToUpperInvariant()), DnsType.TXT);
        Assert.Single(answer.Answers);
    }

    [Fact]
    public void The_newest_packet_is_answered_from()
    {
        NameZone zone = Zone();
        Assert.True(zone.Packets.Put(DnsFixtures.Now, PkarrPacket.Sign(DnsFixtures.Key, 5, DnsFixtures.Record(DnsFixtures.Key, "five"))));
        Assert.False(zone.Packets.Put(DnsFixtures.Now, PkarrPacket.Sign(DnsFixtures.Key, 4, DnsFixtures.Record(DnsFixtures.Key, "four"))));
        Assert.True(zone.Packets.Put(DnsFixtures.Now, PkarrPacket.Sign(DnsFixtures.Key, 6, DnsFixtures.Record(DnsFixtures.Key, "six"))));
        Assert.Equal("six", Ask(zone, s_endpoint, DnsType.TXT).ToEndpointRecord(DnsFixtures.Key.PublicKey, s_endpoint).UserData);
        Assert.Equal(1, zone.Packets.Count);
    }

    [Fact]
    public void A_name_that_exists_without_such_a_record_is_not_a_name_that_does_not_exist()
    {
        NameZone zone = Zone();
        zone.Packets.Put(DnsFixtures.Now, PkarrPacket.Sign(DnsFixtures.Key, 1, DnsFixtures.Record(DnsFixtures.Key, "x")));
        Assert.Equal(DnsResponseCode.NoError, AskForAbsence(zone, s_endpoint, DnsType.A));
        Assert.Equal(DnsResponseCode.NoError, AskForAbsence(zone, s_root, DnsType.TXT));
        Assert.Equal(DnsResponseCode.NameError, AskForAbsence(zone, s_root.Prepend("other"), DnsType.TXT));
        Assert.Equal(DnsResponseCode.NameError, AskForAbsence(zone, s_endpoint.Prepend("below"), DnsType.TXT));
        Assert.Equal(DnsResponseCode.NameError, AskForAbsence(zone, s_origin.Prepend(DnsFixtures.KeyOf(1).PublicKey.ToZBase32()).Prepend("_iroh"), DnsType.TXT));
        Assert.Equal(DnsResponseCode.NameError, AskForAbsence(zone, s_origin.Prepend("www"), DnsType.A));
    }

    [Fact]
    public void The_origin_has_its_own_records()
    {
        NameZone zone = Zone();
        Assert.Equal(DomainName.Parse("ns1.dns.example.org"), ((NameData)Assert.Single(Ask(zone, s_origin, DnsType.NS).Answers).Data).Name);
        Assert.IsType<StartOfAuthorityData>(Assert.Single(Ask(zone, s_origin, DnsType.SOA).Answers).Data);
        Assert.Equal(IPAddress.Parse("192.0.2.53"), ((AddressData)Assert.Single(Ask(zone, s_origin.Prepend("ns1"), DnsType.A).Answers).Data).Address);
        Assert.Equal(IPAddress.Parse("2001:db8::53"), ((AddressData)Assert.Single(Ask(zone, s_origin, DnsType.AAAA).Answers).Data).Address);
        Assert.Equal(DnsResponseCode.NoError, AskForAbsence(zone, s_origin, DnsType.TXT));
    }

    [Fact]
    public void Names_of_others_are_refused()
    {
        NameZone zone = Zone();
        Assert.Equal(DnsResponseCode.Refused, Ask(zone, DomainName.Parse("example.org"), DnsType.A).ResponseCode);
        Assert.Equal(DnsResponseCode.Refused, Ask(zone, s_origin, (DnsType)252).ResponseCode);
        Assert.Equal(DnsResponseCode.Refused, zone.Answer(DnsFixtures.Now, new DnsMessage { Questions = [new DnsQuestion(s_origin, DnsType.A, 3)] }).ResponseCode);
    }

    [Fact]
    public void A_signer_can_add_names_of_its_own_but_not_start_a_zone_or_hold_another_endpoints_names()
    {
        DomainName root = PkarrPacket.RootOf(DnsFixtures.Key.PublicKey);
        byte[] message = new DnsMessage
        {
            IsResponse = true,
            Answers =
            [
                DnsRecord.Address(root.Prepend("host"), 9_999_999, IPAddress.Parse("192.0.2.9")),
                new DnsRecord(root.Prepend("alias"), DnsType.CNAME, DnsClass.Internet, 60, new NameData(DomainName.Parse("elsewhere.example"))),
                new DnsRecord(root, DnsType.NS, DnsClass.Internet, 60, new NameData(DomainName.Parse("evil.example"))),
                new DnsRecord(root.Prepend("mail"), (DnsType)15, DnsClass.Internet, 60, new RawData(new byte[] { 0, 1, 0xc0, 12 })),
                new DnsRecord(root.Prepend("https"), (DnsType)65, DnsClass.Internet, 60, new RawData(new byte[] { 0, 1, 0 })),
                DnsRecord.Text(PkarrPacket.RootOf(DnsFixtures.KeyOf(1).PublicKey).Prepend("_iroh"), 60, "user-data=not mine"),
            ],
        }.ToBytes();
        NameZone zone = Zone();
        zone.Packets.Put(DnsFixtures.Now, PkarrPacket.Sign(DnsFixtures.Key, 1, message));
        Assert.Equal(86_400u, Assert.Single(Ask(zone, s_root.Prepend("host"), DnsType.A).Answers).TimeToLive);
        Assert.Equal(DnsType.CNAME, Assert.Single(Ask(zone, s_root.Prepend("alias"), DnsType.A).Answers).Type);
        Assert.Equal(DnsType.A, Assert.Single(Ask(zone, s_root.Prepend("host"), DnsType.ANY).Answers).Type);
        Assert.Single(Ask(zone, s_root.Prepend("https"), (DnsType)65).Answers);
        Assert.Equal(DnsResponseCode.NoError, AskForAbsence(zone, s_root, DnsType.NS));
        Assert.Equal(DnsResponseCode.NameError, AskForAbsence(zone, s_root.Prepend("mail"), (DnsType)15));
        Assert.Equal(DnsResponseCode.NameError, AskForAbsence(zone, s_origin.Prepend(DnsFixtures.KeyOf(1).PublicKey.ToZBase32()).Prepend("_iroh"), DnsType.TXT));
    }

    [Fact]
    public void Of_several_origins_the_longest_that_fits_answers()
    {
        var zone = new NameZone(new NameZoneConfiguration { Origins = [DomainName.Parse("example.org"), s_origin] });
        zone.Packets.Put(DnsFixtures.Now, PkarrPacket.Sign(DnsFixtures.Key, 1, DnsFixtures.Record(DnsFixtures.Key, "x")));
        Assert.Single(Ask(zone, s_endpoint, DnsType.TXT).Answers);
        Assert.Single(Ask(zone, DomainName.Parse("example.org").Prepend(DnsFixtures.Key.PublicKey.ToZBase32()).Prepend("_iroh"), DnsType.TXT).Answers);
        Assert.Throws<ArgumentException>(() => new NameZone(new NameZoneConfiguration { Origins = [] }));
    }

    [Fact]
    public void Packets_go_after_seven_days_without_renewal_and_the_longest_unrenewed_makes_room()
    {
        var store = new PacketStore(2, TimeSpan.FromDays(7));
        DateTimeOffset now = DnsFixtures.Now;
        store.Put(now, Packet(1, 1));
        store.Put(now.AddDays(1), Packet(2, 1));
        store.Put(now.AddDays(2), Packet(1, 2));
        store.Put(now.AddDays(3), Packet(3, 1));
        Assert.False(store.TryGet(now.AddDays(3), Packet(2, 1).Id, out _));
        Assert.True(store.TryGet(now.AddDays(8.9), Packet(1, 1).Id, out _));
        Assert.False(store.TryGet(now.AddDays(9), Packet(1, 1).Id, out _));
        store.Evict(now.AddDays(9));
        Assert.Equal(1, store.Count);
    }

    [Fact]
    public void Over_UDP_no_answer_is_longer_than_three_times_its_query()
    {
        NameZone zone = Zone();
        string[] addresses = [.. Enumerable.Range(1, 30).Select(port => $"192.0.2.1:{port}")];
        zone.Packets.Put(DnsFixtures.Now, PkarrPacket.Sign(DnsFixtures.Key, 1, DnsFixtures.Record(DnsFixtures.Key, new string('u', 200), addresses)));
        byte[] query = new DnsMessage { Questions = [new DnsQuestion(s_endpoint, DnsType.TXT)], Edns = new Edns(4096) }.ToBytes();
        byte[] overUdp = zone.Answer(DnsFixtures.Now, query, isSourceProven: false)!;
        Assert.InRange(overUdp.Length, 1, query.Length * 3);
        Assert.True(DnsMessage.TryRead(overUdp, out DnsMessage? cut) && cut.IsTruncated);
        Assert.True(DnsMessage.TryRead(zone.Answer(DnsFixtures.Now, query, isSourceProven: true)!, out DnsMessage? whole) && !whole.IsTruncated);
        Assert.InRange(whole.Answers.Count, 20, 31);
    }

    [Fact]
    public void An_ordinary_record_fits_into_its_first_answer()
    {
        NameZone zone = Zone();
        zone.Packets.Put(DnsFixtures.Now, PkarrPacket.Sign(DnsFixtures.Key, 1, DnsFixtures.Record(DnsFixtures.Key, null, "https://use1-1.relay.n0.iroh.link./")));
        byte[] query = new DnsMessage { Questions = [new DnsQuestion(s_endpoint, DnsType.TXT)] }.ToBytes();
        Assert.True(DnsMessage.TryRead(zone.Answer(DnsFixtures.Now, query, isSourceProven: false)!, out DnsMessage? answer));
        Assert.False(answer.IsTruncated);
        Assert.Single(answer.Answers);
    }

    [Fact]
    public void Queries_that_cannot_be_served_get_their_code()
    {
        NameZone zone = Zone();
        Assert.Equal(DnsResponseCode.NotImplemented, zone.Answer(DnsFixtures.Now, new DnsMessage { Opcode = 4 }).ResponseCode);
        Assert.Equal(DnsResponseCode.FormatError, zone.Answer(DnsFixtures.Now, new DnsMessage()).ResponseCode);
        DnsMessage badVersion = zone.Answer(DnsFixtures.Now, new DnsMessage { Edns = new Edns(512, Version: 1), Questions = [new DnsQuestion(s_origin, DnsType.A)] });
        Assert.Equal(DnsResponseCode.BadVersion, badVersion.FullResponseCode);
        Assert.Null(zone.Answer(DnsFixtures.Now, new DnsMessage { IsResponse = true }.ToBytes(), isSourceProven: true));
        Assert.Null(zone.Answer(DnsFixtures.Now, new byte[11], isSourceProven: true));
        byte[] cutOff = [0xab, 0xcd, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        Assert.True(DnsMessage.TryRead(zone.Answer(DnsFixtures.Now, cutOff, isSourceProven: false)!, out DnsMessage? answer));
        Assert.Equal((0xabcd, DnsResponseCode.FormatError), (answer.Id, answer.ResponseCode));
    }

    [Fact]
    public void Any_bytes_get_an_answer_within_the_limit_or_none()
    {
        NameZone zone = Zone();
        zone.Packets.Put(DnsFixtures.Now, PkarrPacket.Sign(DnsFixtures.Key, 1, DnsFixtures.Record(DnsFixtures.Key, new string('u', 200), "192.0.2.1:1")));
        int answered = 0;
        for (ulong seed = 0; seed < 20_000; seed++)
        {
            var random = new SeededRandomSource(seed);
            DnsMessage message = random.NextBelow(2) == 0
                ? DnsFixtures.RandomMessage(random)
                : new DnsMessage { Questions = [new DnsQuestion(s_endpoint, DnsType.TXT)], Edns = new Edns((ushort)random.NextBelow(65_536)) };
            byte[] query = DnsFixtures.Damage(random, message.ToBytes());
            try
            {
                if (zone.Answer(DnsFixtures.Now, query, isSourceProven: false) is { } answer)
                {
                    answered++;
                    Assert.True(answer.Length <= query.Length * NameZone.AmplificationMax, $"seed {seed}");
                    Assert.True(DnsMessage.TryRead(answer, out DnsMessage? read) && read.IsResponse, $"seed {seed}");
                }
            }
            catch (Exception exception) when (exception is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"seed {seed}: {exception}");
            }
        }

        Assert.True(answered > 1_000);
    }

    private static PkarrPacket Packet(int key, ulong timestamp) =>
        PkarrPacket.Sign(DnsFixtures.KeyOf(key), timestamp, DnsFixtures.Record(DnsFixtures.KeyOf(key), null));

    private static NameZone Zone() => new(new NameZoneConfiguration
    {
        Origins = [s_origin],
        Addresses = [IPAddress.Parse("192.0.2.53"), IPAddress.Parse("2001:db8::53")],
    });

    private static DnsMessage Ask(NameZone zone, DomainName name, DnsType type)
    {
        byte[] query = new DnsMessage { Id = 77, Questions = [new DnsQuestion(name, type)] }.ToBytes();
        Assert.True(DnsMessage.TryRead(zone.Answer(DnsFixtures.Now, query, isSourceProven: true)!, out DnsMessage? answer));
        Assert.Equal(77, answer.Id);
        return answer;
    }

    private static DnsResponseCode AskForAbsence(NameZone zone, DomainName name, DnsType type)
    {
        DnsMessage answer = Ask(zone, name, type);
        Assert.Empty(answer.Answers);
        Assert.Equal(30u, ((StartOfAuthorityData)Assert.Single(answer.Authorities).Data).Minimum);
        return answer.ResponseCode;
    }
}
