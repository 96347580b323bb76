using System.Net;
using Iroh.Cryptography;
using Iroh.Dns.Messages;

namespace Iroh.Dns.Tests.Messages;

public sealed class DnsMessageTests
{
    private static readonly DomainName s_name = DomainName.Parse("www.example.org");

    [Fact]
    public void A_query_has_the_bytes_of_RFC_1035()
    {
        var query = new DnsMessage { Id = 0x1234, RecursionDesired = true, Questions = [new DnsQuestion(s_name, DnsType.A)] };
        Assert.Equal("1234010000010000000000000377777707" + "6578616d706c65036f72670000010001", Convert.ToHexStringLower(query.ToBytes()));
    }

    [Fact]
    public void An_answer_of_another_server_with_compressed_names_is_read()
    {
        // Question, CNAME to a name that shares its end, A at that name, and an OPT record with an option.
        byte[] bytes = Convert.FromHexString(
            "0001818000010002000000010377777707" + "6578616d706c65036f72670000010001"
            + "c00c000500010000003c000603637" + "46ec010"
            + "c02d000100010000003c0004c0000201"
            + "0000290200000000000008000a00040102" + "0304");
        Assert.True(DnsMessage.TryRead(bytes, out DnsMessage? message));
        Assert.Equal(2, message.Answers.Count);
        Assert.Equal(DomainName.Parse("ctn.example.org"), ((NameData)message.Answers[0].Data).Name);
        Assert.Equal(DomainName.Parse("ctn.example.org"), message.Answers[1].Name);
        Assert.Equal(IPAddress.Parse("192.0.2.1"), ((AddressData)message.Answers[1].Data).Address);
        Assert.Equal(512, message.Edns!.PayloadSize);
        Assert.Empty(message.Additionals);
    }

    [Fact]
    public void Whatever_is_written_is_read_back()
    {
        for (ulong seed = 0; seed < 3_000; seed++)
        {
            var random = new SeededRandomSource(seed);
            DnsMessage message = DnsFixtures.RandomMessage(random);
            byte[] bytes = message.ToBytes();
            Assert.True(DnsMessage.TryRead(bytes, out DnsMessage? again), $"seed {seed}");
            Assert.True(again.ToBytes().AsSpan().SequenceEqual(bytes), $"seed {seed}");
            Assert.True(message.Answers.Select(record => record.Name).SequenceEqual(again.Answers.Select(record => record.Name)), $"seed {seed}");
            Assert.Equal(message.Edns, again.Edns);
        }
    }

    [Fact]
    public void Damaged_messages_are_refused_or_read_but_never_throw()
    {
        int read = 0;
        for (ulong seed = 0; seed < 30_000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] bytes = DnsFixtures.Damage(random, DnsFixtures.RandomMessage(random).ToBytes());
            try
            {
                if (DnsMessage.TryRead(bytes, out DnsMessage? message))
                {
                    read++;

                    // What was read can be written: compression may differ, the meaning may not.
                    Assert.True(DnsMessage.TryRead(message.ToBytes(), out _), $"seed {seed}");
                }
            }
            catch (Exception exception) when (exception is not Xunit.Sdk.XunitException)
            {
                Assert.Fail($"seed {seed}: {exception}");
            }
        }

        Assert.InRange(read, 1_000, 29_000);
    }

    [Theory]
    [InlineData("c00c", "a pointer to itself")]
    [InlineData("c00e", "a pointer forwards")]
    [InlineData("01c0", "a label that is cut off")]
    [InlineData("4161", "a label of a reserved kind")]
    [InlineData("0161c00c", "a name that contains itself")]
    public void A_name_that_never_ends_is_refused(string name, string why)
    {
        byte[] bytes = Convert.FromHexString("000001000001000000000000" + name + "00010001");
        Assert.False(DnsMessage.TryRead(bytes, out _), why);
    }

    [Fact]
    public void A_name_of_more_than_255_bytes_is_refused_also_when_it_is_put_together_from_pointers()
    {
        // Each name is a label of 63 bytes before the name before it: the fifth has 257.
        var bytes = new List<byte>(Convert.FromHexString("000000000005000000000000"));
        int previous = 0;
        for (int i = 0; i < 5; i++)
        {
            int at = bytes.Count;
            bytes.Add(63);
            bytes.AddRange(new byte[63]);
            bytes.AddRange(previous == 0 ? [(byte)0] : [(byte)0xc0, (byte)0]);
            if (previous != 0)
                (bytes[^2], bytes[^1]) = ((byte)(0xc0 | (previous >> 8)), (byte)previous);
            bytes.AddRange([0, 1, 0, 1]);
            previous = at;
            bytes[5] = (byte)(i + 1);
            Assert.Equal(i < 3, DnsMessage.TryRead(bytes.ToArray(), out _));
        }
    }

    [Fact]
    public void A_message_that_claims_more_records_than_it_has_is_refused()
    {
        byte[] bytes = Convert.FromHexString("00008000ffffffffffffffff");
        Assert.False(DnsMessage.TryRead(bytes, out _));
    }

    [Fact]
    public void Two_extension_records_are_a_format_error()
    {
        byte[] one = new DnsMessage { Edns = new Edns(1232) }.ToBytes();
        byte[] two = [.. one, .. one[DnsMessage.HeaderLength..]];
        two[11] = 2;
        Assert.True(DnsMessage.TryRead(one, out _));
        Assert.False(DnsMessage.TryRead(two, out _));
    }

    [Fact]
    public void What_does_not_fit_is_cut_down_to_its_question_and_says_so()
    {
        var message = new DnsMessage
        {
            IsResponse = true,
            Questions = [new DnsQuestion(s_name, DnsType.TXT)],
            Answers = [DnsRecord.Text(s_name, 30, new string('x', 600))],
            Edns = new Edns(1232),
        };
        Assert.True(DnsMessage.TryRead(message.ToBytes(512), out DnsMessage? cut));
        Assert.True(cut.IsTruncated);
        Assert.Empty(cut.Answers);
        Assert.Equal(s_name, cut.Questions[0].Name);
        Assert.NotNull(cut.Edns);
        Assert.True(DnsMessage.TryRead(message.ToBytes(), out DnsMessage? whole));
        Assert.False(whole.IsTruncated);
        Assert.Equal(new string('x', 600), ((TextData)whole.Answers[0].Data).ToValue());
    }

    [Theory]
    [InlineData("a..b")]
    [InlineData(".a")]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("ä.de")]
    [InlineData("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.de")]
    public void What_is_no_name_is_refused(string text)
    {
        Assert.False(DomainName.TryParse(text, out _));
        Assert.Throws<FormatException>(() => DomainName.Parse(text));
    }

    [Fact]
    public void Names_are_equal_in_any_case_and_know_their_relations()
    {
        DomainName name = DomainName.Parse("_iroh.ABC.Example.org.");
        Assert.Equal(name, DomainName.Parse("_IROH.abc.example.ORG"));
        Assert.Equal(name.GetHashCode(), DomainName.Parse("_IROH.abc.example.ORG").GetHashCode());
        Assert.Equal("_iroh.ABC.Example.org.", name.ToString());
        Assert.Equal(4, name.LabelCount);
        Assert.True(name.IsWithin(DomainName.Parse("example.org")));
        Assert.True(name.IsWithin(name));
        Assert.True(name.IsWithin(DomainName.Root));
        Assert.False(name.IsWithin(DomainName.Parse("ample.org")));
        Assert.False(DomainName.Parse("example.org").IsWithin(name));
        Assert.True(name.TryRebase(DomainName.Parse("example.org"), DomainName.Root, out DomainName? rebased));
        Assert.Equal(DomainName.Parse("_iroh.abc"), rebased);
        Assert.False(name.TryRebase(DomainName.Parse("example.com"), DomainName.Root, out _));
        Assert.Equal(@"a\.b\\\007.", DomainName.Root.Prepend("a.b\\\a").ToString());
    }
}
