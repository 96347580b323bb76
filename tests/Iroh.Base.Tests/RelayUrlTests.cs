namespace Iroh.Base.Tests;

public class RelayUrlTests
{
    [Theory]
    [InlineData("HTTPS://Relay.Example.COM:443", "https://relay.example.com/")]
    [InlineData("http://127.0.0.1:3340", "http://127.0.0.1:3340/")]
    [InlineData("http://localhost.:80/?x=1", "http://localhost./?x=1")]
    [InlineData("https://euc1-1.relay.n0.iroh.link.", "https://euc1-1.relay.n0.iroh.link./")]
    public void The_normal_form_is_that_of_iroh(string text, string normal) => Assert.Equal(normal, RelayUrl.Parse(text).ToString());

    [Fact]
    public void A_trailing_dot_makes_another_relay() =>
        Assert.NotEqual(RelayUrl.Parse("https://relay.example.com"), RelayUrl.Parse("https://relay.example.com."));

    [Theory]
    [InlineData("relay.example.com")]
    [InlineData("ftp://relay.example.com")]
    [InlineData("/relay")]
    [InlineData("")]
    public void Anything_else_is_refused_with_an_example(string text)
    {
        Assert.False(RelayUrl.TryParse(text, out _));
        Assert.Contains("https://relay.example.com", Assert.Throws<FormatException>(() => RelayUrl.Parse(text)).Message);
    }
}
