using Blixard.Rpc.Calls;
using Blixard.Rpc.Grpc;
using Iroh.Cryptography;

namespace Blixard.Rpc.Tests.Grpc;

public sealed class GrpcWireTests
{
    [Theory]
    [InlineData("1H", 36_000_000_000)]
    [InlineData("2M", 1_200_000_000)]
    [InlineData("3S", 30_000_000)]
    [InlineData("4m", 40_000)]
    [InlineData("5u", 50)]
    [InlineData("600n", 6)]
    [InlineData("1n", 1)]
    [InlineData("0S", 0)]
    [InlineData("99999999H", 3_599_999_964_000_000_000)]
    public void Timeouts_are_read_in_their_units(string text, long ticks)
    {
        Assert.True(GrpcWire.TryReadTimeout(text, out TimeSpan timeout));
        Assert.Equal(ticks, timeout.Ticks);
    }

    [Theory]
    [InlineData("")]
    [InlineData("S")]
    [InlineData("5")]
    [InlineData("5s")]
    [InlineData("-5S")]
    [InlineData("+5S")]
    [InlineData(" 5S")]
    [InlineData("5.5S")]
    [InlineData("123456789S")]
    public void Timeouts_that_are_none_are_refused(string text) => Assert.False(GrpcWire.TryReadTimeout(text, out _));

    [Fact]
    public void Timeouts_come_back_never_shorter_and_at_most_one_unit_longer()
    {
        foreach (double seconds in (double[])[0.0000001, 0.001, 0.5, 1, 99, 100, 86_400, 2_592_000, 1e9])
        {
            TimeSpan timeout = TimeSpan.FromSeconds(seconds);
            string text = GrpcWire.WriteTimeout(timeout);
            Assert.True(text.Length <= 9, text);
            Assert.True(GrpcWire.TryReadTimeout(text, out TimeSpan read));
            Assert.InRange(read.TotalSeconds, timeout.TotalSeconds, (timeout.TotalSeconds * 1.001) + 0.000001);
        }
    }

    [Theory]
    [InlineData("plain text", "plain text")]
    [InlineData("100% sure", "100%25 sure")]
    [InlineData("two\nlines", "two%0Alines")]
    [InlineData("grüße", "gr%C3%BC%C3%9Fe")]
    [InlineData("", "")]
    public void Messages_are_percent_encoded(string message, string encoded)
    {
        Assert.Equal(encoded, GrpcWire.EncodeMessage(message));
        Assert.Equal(message, GrpcWire.DecodeMessage(encoded));
    }

    [Theory]
    [InlineData("%", "%")]
    [InlineData("%4", "%4")]
    [InlineData("%zz!", "%zz!")]
    [InlineData("a%41b%", "aAb%")]
    public void What_is_not_well_encoded_stays(string text, string decoded) => Assert.Equal(decoded, GrpcWire.DecodeMessage(text));

    [Theory]
    [InlineData("application/grpc", true)]
    [InlineData("application/grpc+proto", true)]
    [InlineData("Application/GRPC; charset=utf-8", true)]
    [InlineData("application/grpc-web", false)]
    [InlineData("application/grpc+json", false)]
    [InlineData("application/json", false)]
    [InlineData(null, false)]
    public void Content_types_are_told_apart(string? contentType, bool isGrpc) =>
        Assert.Equal(isGrpc, GrpcWire.IsGrpc(contentType));

    [Theory]
    [InlineData("AP8K", "00ff0a")]
    [InlineData("AA", "00")]
    [InlineData("AA==", "00")]
    [InlineData("", "")]
    public void Base64_is_read_with_and_without_padding(string text, string hex)
    {
        Assert.True(GrpcWire.TryReadBase64(text, out byte[] bytes));
        Assert.Equal(hex, Convert.ToHexStringLower(bytes));
    }

    [Fact]
    public async Task Damaged_bodies_give_messages_or_a_status_and_nothing_else()
    {
        const ulong Seed = 5150;
        var random = new SeededRandomSource(Seed);
        byte[] bytes = new byte[64];
        for (int round = 0; round < 3000; round++)
        {
            random.Fill(bytes);
            bytes[0] &= 1;
            bytes[1] &= 1;
            bytes[2] = 0;
            bytes[3] = 0;
            using var reader = new GrpcMessageReader(new MemoryStream(bytes, 0, bytes[63] % 64));
            try
            {
                while (await reader.ReadAsync(RpcFailureStage.Answered, CancellationToken.None) is not null)
                {
                }
            }
            catch (RpcException e)
            {
                Assert.True(e.StatusCode is RpcStatusCode.Internal or RpcStatusCode.ResourceExhausted, $"seed {Seed}, round {round}: {e}");
            }
        }
    }
}
