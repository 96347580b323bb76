using System.Text;
using Iroh.Cryptography;
using Iroh.Relay.Protocol;
using Iroh.Relay.WebSockets;

namespace Iroh.Relay.Tests.WebSockets;

public sealed class WebSocketUpgradeTests
{
    private const string Key = "dGhlIHNhbXBsZSBub25jZQ==";
    private const string Good =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: iroh-relay-v2\r\n\r\n";

    // Captured from the real client.
    [Fact]
    public void The_request_is_that_of_a_real_client()
    {
        byte[] request = WebSocketUpgrade.Request(new Uri("http://127.0.0.1:40733"), "OPF2iee9dmy3rdja1kVbsw==", "s3cret");
        Assert.Equal(
            "GET /relay HTTP/1.1\r\n"
            + "Host: 127.0.0.1:40733\r\n"
            + "Upgrade: websocket\r\n"
            + "Connection: Upgrade\r\n"
            + "Sec-WebSocket-Key: OPF2iee9dmy3rdja1kVbsw==\r\n"
            + "Sec-WebSocket-Version: 13\r\n"
            + "sec-websocket-protocol: iroh-relay-v2, iroh-relay-v1\r\n"
            + "authorization: Bearer s3cret\r\n"
            + "\r\n",
            Encoding.ASCII.GetString(request));
    }

    [Theory]
    [InlineData("https://relay.example.com/", "GET /relay HTTP/1.1", "Host: relay.example.com")]
    [InlineData("https://euc1-1.relay.n0.iroh.link./", "GET /relay HTTP/1.1", "Host: euc1-1.relay.n0.iroh.link.")]
    [InlineData("http://localhost.:3340/some/path?x=1", "GET /relay?x=1 HTTP/1.1", "Host: localhost.:3340")]
    [InlineData("http://[::1]:3340/", "GET /relay HTTP/1.1", "Host: [::1]:3340")]
    [InlineData("wss://relay.example.com:444", "GET /relay HTTP/1.1", "Host: relay.example.com:444")]
    [InlineData("ws://relay.example.com", "GET /relay HTTP/1.1", "Host: relay.example.com")]
    public void Path_query_and_host_follow_the_url(string url, string requestLine, string host)
    {
        string request = Encoding.ASCII.GetString(WebSocketUpgrade.Request(new Uri(url), Key, null));
        Assert.StartsWith($"{requestLine}\r\n{host}\r\n", request);
        Assert.DoesNotContain("authorization", request);
    }

    [Fact]
    public void A_key_is_answered_as_in_RFC_6455_4_2_2() => Assert.Equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WebSocketUpgrade.Accept(Key));

    [Theory]
    [InlineData(Good, RelayVersion.V2)]
    [InlineData(
        "HTTP/1.1 101 x\r\nSEC-WEBSOCKET-PROTOCOL:iroh-relay-v1\r\nupgrade: WebSocket\r\nsec-websocket-accept:   s3pPLMBiTxaQ9kYGzzhZRbK+xOo=  \r\n\r\n",
        RelayVersion.V1)]
    public void A_good_answer_names_the_version(string head, RelayVersion version)
    {
        Assert.True(WebSocketUpgrade.TryReadResponse(Encoding.ASCII.GetBytes(head), Key, out RelayVersion read, out _, out _));
        Assert.Equal(version, read);
    }

    [Theory]
    [InlineData("iroh-relay-v2", "iroh-relay-v2, iroh-relay-v1", "speaks no version")]
    [InlineData("Sec-WebSocket-Protocol: iroh-relay-v2\r\n", "", "speaks no version")]
    [InlineData("s3pP", "S3pP", "not as a WebSocket server")]
    [InlineData("Upgrade: websocket", "Upgrade: h2c", "not as a WebSocket server")]
    [InlineData("101 Switching", "404 Not", "HTTP status 404")]
    [InlineData("HTTP/1.1", "SSH-2.0-", "not answer in HTTP")]
    [InlineData("Connection", "Sec-WebSocket-Extensions: permessage-deflate\r\nConnection", "extension")]
    public void A_bad_answer_says_what_is_wrong(string part, string replacement, string problem)
    {
        byte[] head = Encoding.ASCII.GetBytes(Good.Replace(part, replacement));
        Assert.False(WebSocketUpgrade.TryReadResponse(head, Key, out _, out _, out string? found));
        Assert.Contains(problem, found);
    }

    [Fact]
    public void No_bytes_make_the_reader_throw()
    {
        const ulong Seed = 9;
        var random = new SeededRandomSource(Seed);
        byte[] good = Encoding.ASCII.GetBytes(Good);
        for (int round = 0; round < 5_000; round++)
        {
            byte[] head = round % 2 == 0 ? new byte[random.NextBelow(200)] : [.. good];
            if (round % 2 == 0)
                random.Fill(head);
            else
                head[random.NextBelow((ulong)head.Length)] = (byte)random.NextUInt64();
            bool read = WebSocketUpgrade.TryReadResponse(head, Key, out _, out _, out string? problem);
            Assert.True(read == (problem is null), $"seed {Seed}, round {round}");
        }
    }
}
