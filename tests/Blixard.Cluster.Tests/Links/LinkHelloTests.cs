using Blixard.Cluster.Links;
using Iroh.Cryptography;

namespace Blixard.Cluster.Tests.Links;

public class LinkHelloTests
{
    [Fact]
    public void A_hello_has_the_bytes_that_its_description_says()
    {
        byte[] bytes = new LinkHello(0x0102030405060708, "ab").Encode();
        Assert.Equal("b1010201020304050607086162", Convert.ToHexStringLower(bytes));
        Assert.True(LinkHello.TryRead(bytes, out LinkHello? read, out _));
        Assert.Equal(new LinkHello(0x0102030405060708, "ab"), read);
    }

    [Fact]
    public void Random_and_cut_bytes_are_refused_in_words_or_read_back_as_they_were()
    {
        for (ulong seed = 0; seed < 5_000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] bytes = new LinkHello(random.NextUInt64(), new string('x', (int)random.NextBelow(LinkHello.NameLengthMax + 1))).Encode();
            if (random.NextBelow(2) == 0)
                bytes = bytes[..(int)random.NextBelow((ulong)bytes.Length)];
            else
                bytes[random.NextBelow((ulong)Math.Min(bytes.Length, 11))] ^= (byte)(1 + random.NextBelow(255));
            if (!LinkHello.TryRead(bytes, out LinkHello? hello, out string? problem))
                Assert.False(string.IsNullOrEmpty(problem), $"seed {seed}");
            else
                Assert.True(hello.Encode().AsSpan().SequenceEqual(bytes), $"seed {seed}");
        }
    }
}
