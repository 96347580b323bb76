using System.Text;

namespace Iroh.Base.Tests;

public class EndpointIdTests
{
    private static readonly SecretKey s_key = SecretKey.FromBytes([.. Enumerable.Range(0, 32).Select(i => (byte)i)]);

    [Fact]
    public void A_seed_has_the_id_that_iroh_gives_it()
    {
        Assert.Equal("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8", s_key.PublicKey.ToString());
        Assert.Equal("03a107bff3", s_key.PublicKey.ToShortString());
        Assert.Equal("yqooxx9u3aemh8mo5wcqq16yufu6jitouq1o4za751dger1igghy", s_key.PublicKey.ToZBase32());
    }

    [Theory]
    [InlineData(1, "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c")]
    [InlineData(2, "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394")]
    public void Repeated_seeds_have_the_ids_that_iroh_gives_them(byte value, string id) =>
        Assert.Equal(id, SecretKey.FromBytes([.. Enumerable.Repeat(value, 32)]).PublicKey.ToString());

    [Fact]
    public void A_signature_is_the_one_that_iroh_makes_and_verifies()
    {
        byte[] message = Encoding.ASCII.GetBytes("hello iroh");
        byte[] signature = s_key.Sign(message);
        Assert.Equal(
            "0d6841696055415c124b35ea9b90564bce157f9f73024b59107f161c817d74539694930fb3d28d9ec5d06bbf316173df5441b09d3c77133f67111b0bed8ab800",
            Convert.ToHexStringLower(signature));
        Assert.True(s_key.PublicKey.Verify(message, signature));
        signature[3] ^= 1;
        Assert.False(s_key.PublicKey.Verify(message, signature));
    }

    [Theory]
    [InlineData("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8")]
    [InlineData("aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4a")]
    [InlineData("AOQQPP7TZYIL4HLQ3UMOOS6ATFT6JVRQTOSQ2XY53SDGIESVGG4A")]
    public void Hex_and_base_32_are_read(string text) => Assert.Equal(s_key.PublicKey, EndpointId.Parse(text));

    [Theory]
    [InlineData("03A107BFF3CE10BE1D70DD18E74BC09967E4D6309BA50D5F1DDC8664125531B8")]
    [InlineData("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b")]
    [InlineData("aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4a====")]
    [InlineData(" aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4a")]
    [InlineData("aoqqpp7tzyil4hlq3umoos6atft6jvrqtosq2xy53sdgiesvgg4b")]
    [InlineData("0200000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("")]
    public void Upper_case_hex_padding_blanks_loose_bits_and_other_points_are_refused(string text)
    {
        Assert.False(EndpointId.TryParse(text, out _));
        Assert.Contains("is not an endpoint id", Assert.Throws<FormatException>(() => EndpointId.Parse(text)).Message);
    }

    [Fact]
    public void Ids_are_ordered_by_their_bytes()
    {
        EndpointId low = EndpointId.Parse("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
        EndpointId high = EndpointId.Parse("8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c");
        Assert.True(low.CompareTo(high) < 0);
        Assert.True(high.CompareTo(low) > 0);
        Assert.NotEqual(low, high);
    }

    [Fact]
    public void A_secret_key_does_not_show_itself() =>
        Assert.DoesNotContain("000102", s_key.ToString(), StringComparison.Ordinal);
}
