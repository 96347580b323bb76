using System.Net;
using Iroh.NetReport.Stun;
using Iroh.Tests.NetReport.Support;

namespace Iroh.Tests.NetReport;

public class StunMessageTests
{
    private static readonly StunTransactionId s_id = new(0x0102030405060708, 0x090a0b0c);

    // RFC 5769 §2.2 and §2.3: answers of a test vector server, with SOFTWARE, MESSAGE-INTEGRITY and FINGERPRINT.
    private const string VectorV4 =
        "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
        + "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";

    private const string VectorV6 =
        "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
        + "00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";

    [Theory]
    [InlineData(VectorV4, "192.0.2.1:32853")]
    [InlineData(VectorV6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
    public void The_answers_of_rfc_5769_are_read(string hex, string mapped)
    {
        Assert.True(StunMessage.TryReadAnswer(Convert.FromHexString(hex), out StunAnswer answer));
        Assert.Equal(IPEndPoint.Parse(mapped), answer.Mapped);
        Assert.Equal(new StunTransactionId(0xb7e7a701bc34d686, 0xfa87dfae), answer.Id);
    }

    [Fact]
    public void A_request_has_28_bytes_and_is_read_back()
    {
        byte[] buffer = new byte[StunMessage.RequestLength];
        Assert.Equal(28, StunMessage.WriteRequest(buffer, s_id));
        Assert.Equal("000100082112a4420102030405060708090a0b0c80280004", Convert.ToHexStringLower(buffer[..24]));
        Assert.True(StunMessage.TryReadRequest(buffer, out StunTransactionId id));
        Assert.Equal(s_id, id);
    }

    [Theory]
    [InlineData("203.0.113.7:1")]
    [InlineData("[2001:db8::7]:65535")]
    [InlineData("127.0.0.1:4433")]
    public void An_answer_carries_the_address_there_and_back(string address)
    {
        byte[] buffer = new byte[StunMessage.AnswerLengthMax];
        int length = StunMessage.WriteSuccess(buffer, s_id, IPEndPoint.Parse(address));
        Assert.True(length < 3 * StunMessage.HeaderLength);
        Assert.True(StunMessage.TryReadAnswer(buffer.AsSpan(0, length), out StunAnswer answer));
        Assert.Equal(new StunAnswer(s_id, IPEndPoint.Parse(address), 0), answer);
    }

    [Fact]
    public void An_ipv4_address_in_ipv6_clothes_is_ipv4()
    {
        byte[] buffer = new byte[StunMessage.AnswerLengthMax];
        int length = StunMessage.WriteSuccess(buffer, s_id, IPEndPoint.Parse("[::ffff:192.0.2.9]:7"));
        Assert.True(StunMessage.TryReadAnswer(buffer.AsSpan(0, length), out StunAnswer answer));
        Assert.Equal(IPEndPoint.Parse("192.0.2.9:7"), answer.Mapped);
    }

    [Fact]
    public void An_error_is_an_answer_with_a_code()
    {
        byte[] message = Convert.FromHexString("011100082112a4420102030405060708090a0b0c0009000400000414");
        Assert.True(StunMessage.TryReadAnswer(message, out StunAnswer answer));
        Assert.Equal(new StunAnswer(s_id, null, 420), answer);
    }

    [Theory]
    [InlineData("0.0.0.0:5")]
    [InlineData("192.0.2.1:0")]
    [InlineData("224.0.0.1:5")]
    [InlineData("255.255.255.255:5")]
    [InlineData("[::]:5")]
    [InlineData("[ff02::1]:5")]
    public void An_address_that_nobody_can_have_is_refused(string address)
    {
        byte[] buffer = new byte[StunMessage.AnswerLengthMax];
        int length = StunMessage.WriteSuccess(buffer, s_id, IPEndPoint.Parse(address));
        Assert.False(StunMessage.TryReadAnswer(buffer.AsSpan(0, length), out _));
    }

    [Theory]
    [InlineData("no address", "010100002112a4420102030405060708090a0b0c")]
    [InlineData("only the address that NATs rewrite", "0101000c2112a4420102030405060708090a0b0c0001000800010005c0000201")]
    [InlineData("a family that is none", "0101000c2112a4420102030405060708090a0b0c0020000800030005c0000201")]
    [InlineData("an address that is too short", "010100082112a4420102030405060708090a0b0c0020000400010005")]
    [InlineData("a demand that is not understood", "010100102112a4420102030405060708090a0b0c7777000000200008000121170000000b")]
    [InlineData("an attribute longer than the message", "010100082112a4420102030405060708090a0b0c8022fff000000000")]
    [InlineData("half an attribute", "010100022112a4420102030405060708090a0b0c8022")]
    [InlineData("another cookie", "0101000c2112a4430102030405060708090a0b0c002000080001211741414141")]
    [InlineData("a length that is not its own", "010100102112a4420102030405060708090a0b0c002000080001211741414141")]
    [InlineData("bits that a QUIC packet has", "4101000c2112a4420102030405060708090a0b0c002000080001211741414141")]
    [InlineData("a request", "000100002112a4420102030405060708090a0b0c")]
    [InlineData("an error without a code", "011100002112a4420102030405060708090a0b0c")]
    public void What_is_no_answer_is_refused(string why, string hex) =>
        Assert.False(StunMessage.TryReadAnswer(Convert.FromHexString(hex), out _), why);

    [Fact]
    public void No_flipped_bit_changes_the_address_unnoticed()
    {
        byte[] vector = Convert.FromHexString(VectorV6);
        Assert.True(StunMessage.TryReadAnswer(vector, out StunAnswer right));
        int refused = 0;
        for (int bit = 0; bit < vector.Length * 8; bit++)
        {
            byte[] changed = [.. vector];
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            if (!StunMessage.TryReadAnswer(changed, out StunAnswer answer))
                refused++;
            else
                Assert.True(right == answer, $"bit {bit}");
        }

        // A few bits make the fingerprint an attribute that may be ignored; nothing else slips through.
        Assert.InRange(refused, (vector.Length * 8) - 20, vector.Length * 8);
    }

    [Fact]
    public void Random_and_damaged_messages_never_throw_and_what_is_read_can_be_written()
    {
        const int Seed = 8489;
        var random = new Random(Seed);
        byte[] again = new byte[StunMessage.AnswerLengthMax];
        int read = 0;
        for (int round = 0; round < 20_000; round++)
        {
            byte[] message = random.Next(3) switch
            {
                0 => Convert.FromHexString(VectorV4),
                1 => Convert.FromHexString(VectorV6),
                _ => new byte[random.Next(200)],
            };
            if (random.Next(3) == 2)
                random.NextBytes(message);
            for (int i = random.Next(4); i > 0 && message.Length > 0; i--)
                message[random.Next(message.Length)] = (byte)random.Next(256);
            // Without its fingerprint a damaged message gets further.
            if (random.Next(2) == 0 && message.Length > 28)
            {
                message = message[..^8];
                message[3] = (byte)(message.Length - 20);
            }

            _ = StunMessage.TryReadRequest(message, out _);
            if (!StunMessage.TryReadAnswer(message, out StunAnswer answer) || answer.Mapped is null)
                continue;
            read++;
            int length = StunMessage.WriteSuccess(again, answer.Id, answer.Mapped);
            Assert.True(StunMessage.TryReadAnswer(again.AsSpan(0, length), out StunAnswer second), $"seed {Seed}, round {round}");
            Assert.Equal(answer, second);
        }

        Assert.True(read > 1000, $"seed {Seed}: only {read} were read");
    }

    [Fact]
    public void The_responder_answers_requests_and_nothing_else()
    {
        byte[] request = new byte[StunMessage.RequestLength], answer = new byte[StunMessage.AnswerLengthMax];
        StunMessage.WriteRequest(request, s_id);
        var from = IPEndPoint.Parse("198.51.100.4:999");
        Assert.True(StunResponder.TryAnswer(from, request, answer, out int length));
        Assert.True(StunMessage.TryReadAnswer(answer.AsSpan(0, length), out StunAnswer read));
        Assert.Equal(from, read.Mapped);
        // Two responders that answer each other's answers would never end.
        Assert.False(StunResponder.TryAnswer(from, answer.AsSpan(0, length), request, out _));
        Assert.False(StunResponder.TryAnswer(from, [], request, out _));
    }
}
