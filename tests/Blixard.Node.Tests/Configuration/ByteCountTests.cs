using Blixard.Node.Configuration;

namespace Blixard.Node.Tests.Configuration;

public sealed class ByteCountTests
{
    [Theory]
    [InlineData("0", 0L)]
    [InlineData("1048577", 1048577L)]
    [InlineData("2k", 2048L)]
    [InlineData("500M", 500L << 20)]
    [InlineData("10G", 10L << 30)]
    [InlineData("1T", 1L << 40)]
    [InlineData("9223372036854775807", long.MaxValue)]
    public void Numbers_with_and_without_a_unit_are_read(string text, long expected) => Assert.Equal(expected, ByteCount.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("G")]
    [InlineData("-1")]
    [InlineData("1.5G")]
    [InlineData("10 G")]
    [InlineData("1E")]
    [InlineData("8388608T")]
    [InlineData("9223372036854775808")]
    public void Other_texts_are_refused_with_an_example(string text) =>
        Assert.Contains($"'{text}' is no number of bytes, such as", Assert.Throws<FormatException>(() => ByteCount.Parse(text)).Message);
}
