using Iroh.NetReport;

namespace Iroh.Tests.NetReport;

public class StunServerTests
{
    [Theory]
    [InlineData("stun.example.com", "stun.example.com", 3478)]
    [InlineData("stun.example.com:19302", "stun.example.com", 19302)]
    [InlineData("192.0.2.7", "192.0.2.7", 3478)]
    [InlineData("192.0.2.7:1", "192.0.2.7", 1)]
    [InlineData("2001:db8::1", "2001:db8::1", 3478)]
    [InlineData("[2001:db8::1]", "2001:db8::1", 3478)]
    [InlineData("[2001:db8::1]:65535", "2001:db8::1", 65535)]
    public void A_server_is_a_host_with_or_without_a_port(string text, string host, int port)
    {
        Assert.True(StunServer.TryParse(text, out StunServer? server));
        Assert.Equal((host, port), (server.Host, server.Port));
        Assert.True(StunServer.TryParse(server.ToString(), out StunServer? again));
        Assert.Equal(server, again);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("host:")]
    [InlineData("host:0")]
    [InlineData("host:65536")]
    [InlineData("host:-1")]
    [InlineData("host name:1")]
    [InlineData("http://host")]
    [InlineData("[2001:db8::1]x")]
    [InlineData("[2001:db8::1]:0")]
    [InlineData(":3478")]
    public void Anything_else_is_none(string? text) => Assert.False(StunServer.TryParse(text, out _));
}
