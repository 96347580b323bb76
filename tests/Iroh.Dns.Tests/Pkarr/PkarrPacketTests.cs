using Iroh.Base;
using Iroh.Cryptography;
using Iroh.Dns.Messages;
using Iroh.Dns.Pkarr;

namespace Iroh.Dns.Tests.Pkarr;

public sealed class PkarrPacketTests
{
    // The body that iroh 1.0.2 put for the key of the seed 00 01 … 1f while its home relay was http://127.0.0.1:36847.
    private const ulong CapturedTimestamp = 1795336456671449;
    private const string CapturedSignature =
        "618ee10b0659632648f27c8fccbd7ac95da613770450e05a7b5dd50337a9cb3a3033892188cf7329f5e5590091349538c30e54e3ec57dbb4caa0eedf3fb60305";
    private const string CapturedMessage =
        "000080000000000100000000055f69726f683479716f6f787839753361656d68386d6f3577637171313679756675366a69746f7571316f347a6137353164676572316967676879"
        + "00001000010000001e001e1d72656c61793d687474703a2f2f3132372e302e302e313a33363834372f";

    private static readonly byte[] s_captured = Convert.FromHexString(CapturedSignature + "000660d957c090d9" + CapturedMessage);

    [Fact]
    public void A_packet_of_iroh_is_read_and_its_signature_holds()
    {
        Assert.True(PkarrPacket.TryRead(DnsFixtures.Key.PublicKey, s_captured, out PkarrPacket? packet, out string? problem), problem);
        Assert.Equal(CapturedTimestamp, packet.Timestamp);
        Assert.Equal(2026, packet.SignedAt.Year);
        Assert.Equal(DnsFixtures.Record(DnsFixtures.Key, null, "http://127.0.0.1:36847"), packet.ToRecord());
    }

    [Fact]
    public void The_same_record_signed_here_is_the_same_packet_byte_for_byte()
    {
        PkarrPacket packet = PkarrPacket.Sign(DnsFixtures.Key, CapturedTimestamp, DnsFixtures.Record(DnsFixtures.Key, null, "http://127.0.0.1:36847"));
        Assert.Equal(Convert.ToHexStringLower(s_captured), Convert.ToHexStringLower(packet.Payload.Span));
    }

    [Fact]
    public void An_empty_record_has_the_84_bytes_of_iroh()
    {
        PkarrPacket packet = PkarrPacket.Sign(DnsFixtures.Key, 1, DnsFixtures.Record(DnsFixtures.Key, null));
        Assert.Equal(84, packet.Payload.Length);
        Assert.Empty(packet.ToRecord().Address.Addresses);
    }

    [Fact]
    public void Every_changed_bit_breaks_the_packet()
    {
        for (int bit = 0; bit < s_captured.Length * 8; bit++)
        {
            byte[] changed = [.. s_captured];
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(PkarrPacket.TryRead(DnsFixtures.Key.PublicKey, changed, out _, out string? problem), $"bit {bit}");
            Assert.Contains("signature", problem, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_packet_is_nobody_elses()
    {
        Assert.False(PkarrPacket.TryRead(DnsFixtures.KeyOf(1).PublicKey, s_captured, out _, out _));
        Assert.Throws<ArgumentException>(() => PkarrPacket.Sign(DnsFixtures.KeyOf(1), 1, DnsFixtures.Record(DnsFixtures.Key, null)));
    }

    [Fact]
    public void Wrong_lengths_and_signed_nonsense_are_refused_with_a_reason()
    {
        EndpointId id = DnsFixtures.Key.PublicKey;
        Assert.False(PkarrPacket.TryRead(id, s_captured.AsSpan(0, 83), out _, out string? problem));
        Assert.Contains("84 to 1072 bytes", problem, StringComparison.Ordinal);
        Assert.False(PkarrPacket.TryRead(id, new byte[1073], out _, out _));

        byte[] nonsense = new byte[20];
        Array.Fill(nonsense, (byte)0xff);
        byte[] signature = DnsFixtures.Key.Sign([.. "3:seqi7e1:v20:"u8, .. nonsense]);
        Assert.False(PkarrPacket.TryRead(id, [.. signature, 0, 0, 0, 0, 0, 0, 0, 7, .. nonsense], out _, out problem));
        Assert.Contains("not a DNS message", problem, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => PkarrPacket.Sign(DnsFixtures.Key, 7, nonsense));
    }

    [Fact]
    public void The_later_packet_is_newer_and_among_equals_the_one_with_larger_bytes()
    {
        PkarrPacket early = PkarrPacket.Sign(DnsFixtures.Key, 1, DnsFixtures.Record(DnsFixtures.Key, "a"));
        PkarrPacket late = PkarrPacket.Sign(DnsFixtures.Key, 2, DnsFixtures.Record(DnsFixtures.Key, "a"));
        PkarrPacket twin = PkarrPacket.Sign(DnsFixtures.Key, 2, DnsFixtures.Record(DnsFixtures.Key, "b"));
        Assert.True(late.IsNewerThan(early));
        Assert.False(early.IsNewerThan(late));
        Assert.False(late.IsNewerThan(late));
        Assert.NotEqual(late.IsNewerThan(twin), twin.IsNewerThan(late));
        Assert.Equal(late.Payload.Span.SequenceCompareTo(twin.Payload.Span) > 0, late.IsNewerThan(twin));
    }

    [Fact]
    public void Addresses_that_do_not_fit_are_left_out_and_user_data_stay()
    {
        string[] addresses = ["https://relay.example.com/", .. Enumerable.Range(1, 100).Select(port => $"[2001:db8::1234:5678:9abc:{port:x}]:{port}")];
        PkarrPacket packet = PkarrPacket.Sign(DnsFixtures.Key, 1, DnsFixtures.Record(DnsFixtures.Key, "kept", addresses));
        Assert.InRange(packet.Payload.Length, PkarrPacket.PayloadLengthMax - 100, PkarrPacket.PayloadLengthMax);
        EndpointRecord record = packet.ToRecord();
        Assert.Equal("kept", record.UserData);
        Assert.Equal(RelayUrl.Parse("https://relay.example.com/"), record.Address.RelayUrls.Single());
        Assert.InRange(record.Address.Addresses.Count, 10, 40);
    }

    [Fact]
    public void A_long_relay_url_takes_several_strings_of_one_record()
    {
        string url = "https://relay.example.com/" + new string('p', 400);
        PkarrPacket packet = PkarrPacket.Sign(DnsFixtures.Key, 1, DnsFixtures.Record(DnsFixtures.Key, null, url));
        Assert.Equal(2, ((TextData)packet.Message.Answers[0].Data).Strings.Count);
        Assert.Equal(url, packet.ToRecord().Address.RelayUrls.Single().ToString());
    }

    [Fact]
    public void Damaged_packets_are_refused_and_never_throw()
    {
        for (ulong seed = 0; seed < 2_000; seed++)
        {
            byte[] bytes = DnsFixtures.Damage(new SeededRandomSource(seed), s_captured);
            try
            {
                bool read = PkarrPacket.TryRead(DnsFixtures.Key.PublicKey, bytes, out _, out _);
                Assert.True(read == bytes.AsSpan().SequenceEqual(s_captured), $"seed {seed}");
            }
            catch (Exception exception) when (exception is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"seed {seed}: {exception}");
            }
        }
    }

    [Fact]
    public void A_time_beyond_the_calendar_is_its_end()
    {
        PkarrPacket packet = PkarrPacket.Sign(DnsFixtures.Key, ulong.MaxValue, DnsFixtures.Record(DnsFixtures.Key, null));
        Assert.Equal(DateTimeOffset.MaxValue, packet.SignedAt);
    }
}
