using System.Net;
using Iroh.Base;
using Iroh.Cryptography;

namespace Iroh.Dns.Tests;

public sealed class EndpointRecordTests
{
    [Fact]
    public void Every_value_is_one_attribute_in_the_form_of_iroh()
    {
        EndpointRecord record = DnsFixtures.Record(DnsFixtures.Key, "hello", "[2001:db8::1]:443", "192.0.2.1:4433", "https://Relay.Example.com");
        Assert.Equal(
            ["relay=https://relay.example.com/", "addr=192.0.2.1:4433", "addr=[2001:db8::1]:443", "user-data=hello"],
            record.ToAttributes());
        Assert.Equal(record, EndpointRecord.FromAttributes(record.Id, record.ToAttributes()));
    }

    [Fact]
    public void Attributes_that_are_unknown_or_malformed_do_not_hide_the_others()
    {
        EndpointRecord record = EndpointRecord.FromAttributes(
            DnsFixtures.Key.PublicKey,
            ["", "addr", "addr=", "addr=1.2.3.4", "addr=1.2.3.4:0", "addr=1.2.3.4:99999", "addr=::1", "addr=1.1.1.1:1 2.2.2.2:2", "addr=7_00ff", "relay=no url", "RELAY=http://x/", "future=1", "addr=192.0.2.1:7"]);
        Assert.Equal(DnsFixtures.Record(DnsFixtures.Key, null, "192.0.2.1:7"), record);
    }

    [Fact]
    public void A_value_keeps_its_equals_signs()
    {
        EndpointRecord record = DnsFixtures.Record(DnsFixtures.Key, "a=b=c", "https://h/?a=b");
        Assert.Equal(record, EndpointRecord.FromAttributes(record.Id, record.ToAttributes()));
    }

    [Fact]
    public void The_scope_of_an_address_stays_on_its_machine()
    {
        var scoped = new IPEndPoint(new IPAddress(IPAddress.Parse("fe80::1").GetAddressBytes(), 3), 5);
        var record = new EndpointRecord(new EndpointAddress(DnsFixtures.Key.PublicKey, [TransportAddress.Ip(scoped)]));
        Assert.Equal("addr=[fe80::1]:5", Assert.Single(record.ToAttributes()));
        Assert.Equal(0, EndpointRecord.FromAttributes(record.Id, ["addr=[fe80::1%3]:5"]).Address.DirectAddresses.Single().Address.ScopeId);
    }

    [Fact]
    public void User_data_have_at_most_245_bytes()
    {
        Assert.Equal(245, DnsFixtures.Record(DnsFixtures.Key, new string('x', 245)).UserData!.Length);
        Assert.Throws<ArgumentException>(() => DnsFixtures.Record(DnsFixtures.Key, new string('x', 246)));
        Assert.Throws<ArgumentException>(() => DnsFixtures.Record(DnsFixtures.Key, new string('ä', 123)));
        Assert.Null(EndpointRecord.FromAttributes(DnsFixtures.Key.PublicKey, ["user-data=" + new string('ä', 123)]).UserData);
    }

    [Fact]
    public void A_flood_of_addresses_is_cut_off()
    {
        EndpointRecord record = EndpointRecord.FromAttributes(
            DnsFixtures.Key.PublicKey, Enumerable.Range(1, 60_000).Select(port => $"addr=192.0.2.1:{port}"));
        Assert.Equal(EndpointAddressCodec.MaxAddresses, record.Address.Addresses.Count);
    }

    [Fact]
    public void Any_text_is_read_without_an_exception()
    {
        const string Alphabet = "addr=relyus-t1234567890.:[]%/ht\0ä";
        for (ulong seed = 0; seed < 20_000; seed++)
        {
            var random = new SeededRandomSource(seed);
            string text = string.Concat(Enumerable.Range(0, (int)random.NextBelow(30)).Select(_ => Alphabet[(int)random.NextBelow((ulong)Alphabet.Length)]));
            string key = random.NextBelow(3) switch { 0 => "addr=", 1 => "relay=", _ => "" };
            try
            {
                EndpointRecord record = EndpointRecord.FromAttributes(DnsFixtures.Key.PublicKey, [key + text]);
                Assert.True(record.Address.Addresses.Count <= 1, $"seed {seed}");
            }
            catch (Exception exception) when (exception is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"seed {seed}: {exception}");
            }
        }
    }
}
