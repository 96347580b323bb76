using System.Net;
using System.Text;
using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Dns.Messages;
using Iroh.Dns.Multicast;

namespace Iroh.Dns.Tests.Multicast;

public sealed class MulticastMessageTests
{
    private const string Label = "aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4a";

    private static readonly EndpointId s_id = DnsFixtures.Key.PublicKey;

    [Fact]
    public void A_query_is_the_one_of_iroh()
    {
        Assert.Equal(
            "000000000001000000000000" + "075f69726f687631" + "045f756470" + "056c6f63616c00" + "000c0001",
            Convert.ToHexStringLower(MulticastMessage.Query([])));
    }

    [Fact]
    public void A_query_that_names_endpoints_begins_with_the_one_that_iroh_understands()
    {
        EndpointId[] ids = [.. Enumerable.Range(0, MulticastMessage.QueriedIdsMax).Select(i => DnsFixtures.KeyOf(i).PublicKey)];
        byte[] bytes = MulticastMessage.Query(ids);
        Assert.InRange(bytes.Length, 1, MulticastMessage.LengthMax);
        Assert.True(MulticastMessage.TryRead(bytes, out MulticastMessage? message));
        Assert.True(message.AsksAll);
        Assert.Equal(ids, message.AskedIds);
        Assert.True(DnsMessage.TryRead(bytes, out DnsMessage? dns));
        Assert.Equal(new DnsQuestion(MulticastMessage.ServiceName, DnsType.PTR), dns.Questions[0]);
    }

    [Fact]
    public void An_announcement_has_the_records_of_iroh()
    {
        EndpointRecord record = DnsFixtures.Record(DnsFixtures.Key, "hello", "https://r.example/", "192.0.2.1:7", "192.0.2.2:7", "[2001:db8::1]:8");
        Assert.True(DnsMessage.TryRead(MulticastMessage.Announcement(record), out DnsMessage? dns));
        Assert.Equal((0, true, true), (dns.Id, dns.IsResponse, dns.IsAuthoritative));
        Assert.Equal(3, dns.Answers.Count);
        DomainName name = DomainName.Parse($"{Label}._irohv1._udp.local.");
        Assert.All(dns.Answers, answer => Assert.Equal((name, DnsClass.Internet, 0u), (answer.Name, answer.Class, answer.TimeToLive)));
        Assert.Equal(new ServiceData(0, 0, 7, DomainName.Parse($"{Label}-7.local.")), dns.Answers[0].Data);
        Assert.Equal(new ServiceData(0, 0, 8, DomainName.Parse($"{Label}-8.local.")), dns.Answers[1].Data);
        Assert.Equal(
            ["relay=https://r.example/", "user-data=hello"],
            ((TextData)dns.Answers[2].Data).Strings.Select(text => Encoding.UTF8.GetString(text.Span)));
        Assert.Equal([DnsType.A, DnsType.A, DnsType.AAAA], dns.Additionals.Select(additional => additional.Type));
    }

    [Fact]
    public void An_announcement_is_read_back_as_the_record()
    {
        EndpointRecord record = DnsFixtures.Record(DnsFixtures.Key, "a=b", "https://r.example/", "192.0.2.1:7", "[2001:db8::1]:8");
        Assert.True(MulticastMessage.TryRead(MulticastMessage.Announcement(record), out MulticastMessage? message));
        Assert.Equal(record, Assert.Single(message.Announced));
        Assert.False(message.AsksAll);
        Assert.Empty(message.Leaving);
    }

    [Fact]
    public void Addresses_that_do_not_fit_into_one_packet_are_left_out()
    {
        EndpointRecord record = DnsFixtures.Record(
            DnsFixtures.Key, new string('u', 245), [.. Enumerable.Range(1, 200).Select(i => $"192.0.2.{i % 250}:{(i % 4) + 1}")]);
        byte[] bytes = MulticastMessage.Announcement(record)!;
        Assert.InRange(bytes.Length, MulticastMessage.LengthMax - 200, MulticastMessage.LengthMax);
        Assert.True(MulticastMessage.TryRead(bytes, out MulticastMessage? message));
        Assert.Equal(record.UserData, message.Announced[0].UserData);
        Assert.InRange(message.Announced[0].Address.Addresses.Count, 30, 100);
    }

    [Fact]
    public void Without_a_UDP_address_there_is_nothing_to_announce_on_a_link() =>
        Assert.Null(MulticastMessage.Announcement(DnsFixtures.Record(DnsFixtures.Key, "x", "https://r.example/")));

    [Fact]
    public void A_goodbye_names_who_leaves_and_holds_no_address()
    {
        byte[] bytes = MulticastMessage.Goodbye(s_id);
        Assert.True(MulticastMessage.TryRead(bytes, out MulticastMessage? message));
        Assert.Equal(s_id, Assert.Single(message.Leaving));
        Assert.Empty(message.Announced);
        Assert.True(DnsMessage.TryRead(bytes, out DnsMessage? dns) && dns.Additionals.Count == 0);
    }

    [Fact]
    public void A_service_without_an_address_in_the_same_packet_and_other_services_are_nothing()
    {
        DomainName name = MulticastMessage.ServiceName.Prepend(Label);
        DomainName target = DomainName.Parse("host.local");
        Assert.False(TryRead(Service(name, 5, target)));
        Assert.False(TryRead(Service(DomainName.Parse("printer._ipp._tcp.local"), 5, target), DnsRecord.Address(target, 0, IPAddress.Loopback)));
        Assert.False(TryRead(Service(MulticastMessage.ServiceName.Prepend("me"), 5, target), DnsRecord.Address(target, 0, IPAddress.Loopback)));
        Assert.False(TryRead(Service(name, 0, target), DnsRecord.Address(target, 0, IPAddress.Loopback)));
        Assert.True(TryRead(Service(name, 5, target), DnsRecord.Address(target, 120, IPAddress.Loopback)));

        static DnsRecord Service(DomainName name, ushort port, DomainName target) =>
            new(name, DnsType.SRV, 0x8001, 120, new ServiceData(0, 0, port, target));

        static bool TryRead(DnsRecord answer, params DnsRecord[] additionals) =>
            MulticastMessage.TryRead(new DnsMessage { IsResponse = true, Answers = [answer], Additionals = additionals }.ToBytes(), out _);
    }

    [Fact]
    public void Damaged_packets_are_dropped_or_read_within_bounds()
    {
        byte[] announcement = MulticastMessage.Announcement(
            DnsFixtures.Record(DnsFixtures.Key, "x", "https://r.example/", "192.0.2.1:7", "192.0.2.2:8", "[2001:db8::1]:8"))!;
        byte[] query = MulticastMessage.Query([s_id]);
        for (ulong seed = 0; seed < 20_000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] bytes = DnsFixtures.Damage(random, random.NextBelow(2) == 0 ? announcement : query);
            try
            {
                if (MulticastMessage.TryRead(bytes, out MulticastMessage? message))
                    Assert.True(message.Announced.All(record => record.Address.Addresses.Count is > 0 and <= EndpointAddressCodec.MaxAddresses), $"seed {seed}");
            }
            catch (Exception exception) when (exception is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"seed {seed}: {exception}");
            }
        }

        Assert.False(MulticastMessage.TryRead(new byte[MulticastMessage.LengthMax + 1], out _));
    }
}
