using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Iroh.Relay.Protocol;
using Iroh.Relay.Server.Access;
using Iroh.Relay.Server.Hosting;
using Iroh.Relay.Server.Tests.Relaying;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Iroh.Relay.Server.Tests.Hosting;

/// <summary>The server over sockets of this machine.</summary>
public sealed class RelayServerTests : IDisposable
{
    private const string Upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

    private readonly string _folder = Directory.CreateTempSubdirectory("relay-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static IPEndPoint AnyPort => new(IPAddress.Loopback, 0);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("/", "200", "iroh")]
    [InlineData("/index.html", "200", "iroh")]
    [InlineData("/ping", "200", "Access-Control-Allow-Origin: *\r\n")]
    [InlineData("/healthz", "200", "\"status\":\"ok\",\"version\":\"")]
    [InlineData("/robots.txt", "200", "Disallow: /")]
    [InlineData("/generate_204", "204", "X-Iroh-Response: response a.B-9_\r\n")]
    [InlineData("/elsewhere", "404", "Not Found")]
    [InlineData("/relay", "400", "Upgrade: websocket")]
    public async Task Pages_are_there_with_the_security_headers(string path, string status, string content)
    {
        await using RelayServer server = await StartAsync();
        string answer = await AskAsync(server.Http!, $"GET {path} HTTP/1.1\r\nHost: localhost.\r\nX-Iroh-Challenge: a.B-9_\r\nConnection: close\r\n\r\n");
        Assert.StartsWith($"HTTP/1.1 {status} ", answer);
        Assert.Contains(content, answer);
        Assert.Contains("Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n", answer);
        Assert.Contains("Content-Security-Policy: ", answer);
    }

    [Theory]
    [InlineData("a b")]
    [InlineData("a\"b")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public async Task A_challenge_with_anything_strange_in_it_is_not_echoed(string challenge)
    {
        await using RelayServer server = await StartAsync();
        string answer = await AskAsync(server.Http!, $"GET /generate_204 HTTP/1.1\r\nHost: x\r\nX-Iroh-Challenge: {challenge}\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 204 ", answer);
        Assert.DoesNotContain("X-Iroh-Response", answer);
    }

    [Theory]
    [InlineData("iroh-relay-v2, iroh-relay-v1", "iroh-relay-v2")]
    [InlineData("iroh-relay-v1, iroh-relay-v2", "iroh-relay-v2")]
    [InlineData("iroh-relay-v1", "iroh-relay-v1")]
    [InlineData("iroh-relay-v9,iroh-relay-v1", "iroh-relay-v1")]
    public async Task An_upgrade_is_answered_with_one_version(string offer, string chosen)
    {
        await using RelayServer server = await StartAsync();
        string answer = await AskAsync(server.Http!, $"GET /relay?token=x HTTP/1.1\r\nHost: x\r\n{Upgrade}Sec-WebSocket-Protocol: {offer}\r\n\r\n", upTo: "\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 101 ", answer);
        Assert.Contains($"Sec-WebSocket-Protocol: {chosen}\r\n", answer);
        Assert.Contains("Upgrade: websocket\r\n", answer);
        // The example of RFC 6455 §1.3.
        Assert.Contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", answer);
        Assert.Contains("Strict-Transport-Security: ", answer);
        Assert.DoesNotContain("Sec-WebSocket-Extensions", answer);
    }

    [Theory]
    [InlineData("Upgrade: websocket", "Upgrade: WebSocket", "Upgrade")]
    [InlineData("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", "Sec-WebSocket-Key")]
    [InlineData("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8", "Sec-WebSocket-Version: 13\r\n")]
    [InlineData("iroh-relay-v2", "chat", "Sec-WebSocket-Protocol")]
    [InlineData("Connection: Upgrade", "Connection: close", "Connection")]
    public async Task A_request_that_lacks_something_is_told_what(string what, string instead, string named)
    {
        await using RelayServer server = await StartAsync();
        string request = $"GET /relay HTTP/1.1\r\nHost: x\r\n{Upgrade}Sec-WebSocket-Protocol: iroh-relay-v2\r\n\r\n".Replace(what, instead);
        string answer = await AskAsync(server.Http!, request, upTo: "\n", thenMore: true);
        Assert.StartsWith("HTTP/1.1 400 ", answer);
        Assert.Contains(named, answer);
    }

    [Fact]
    public async Task Whoever_speaks_before_the_answer_to_the_upgrade_is_refused()
    {
        await using RelayServer server = await StartAsync();
        string answer = await AskAsync(
            server.Http!, $"GET /relay HTTP/1.1\r\nHost: x\r\n{Upgrade}Sec-WebSocket-Protocol: iroh-relay-v2\r\n\r\nearly", upTo: "\n", thenMore: true);
        Assert.StartsWith("HTTP/1.1 400 ", answer);
    }

    [Theory]
    [InlineData("good", "", true)]
    [InlineData("bad", "?token=good", false)]
    [InlineData(null, "?a=b&token=good", true)]
    [InlineData(null, "", false)]
    public async Task A_token_comes_in_the_header_or_else_in_the_query(string? token, string query, bool isAllowed)
    {
        await using RelayServer server = await StartAsync(new RelayOptions { Access = new TokenAccess(["good"]) });
        await using FrameClient client = await FrameClient.ConnectAsync(server.Http!, token: token, query: query);
        await client.SendAsync(await client.AnswerChallengeAsync());
        byte[] answer = (await client.ReceiveAsync())!;
        Assert.Equal(isAllowed ? RelayFrameType.ServerConfirmsAuth : RelayFrameType.ServerDeniesAuth, (RelayFrameType)answer[0]);
    }

    [Fact]
    public async Task Two_talk_over_sockets_in_frames_of_every_size()
    {
        await using RelayServer server = await StartAsync();
        await using FrameClient one = await (await FrameClient.ConnectAsync(server.Http!)).AuthenticateAsync();
        await using FrameClient two = await (await FrameClient.ConnectAsync(server.Http!, version: RelayVersion.V1)).AuthenticateAsync();
        for (int length = 1; length < RelayFrame.PayloadLengthMax; length += 1 + (length / 3))
        {
            byte[] payload = RandomNumberGenerator.GetBytes(length);
            await one.SendDatagramAsync(two.Id, payload);
            Assert.Equal(payload, (await two.ReceiveDatagramAsync()).Payload);
        }
    }

    [Fact]
    public async Task Over_HTTPS_the_certificate_is_read_again_when_it_changes_and_plain_HTTP_is_for_captive_portals_alone()
    {
        string first = WriteCertificate();
        await using RelayServer server = await RelayServer.StartAsync(
            new RelayServerOptions { Http = AnyPort, Https = AnyPort, CertificateFile = CertificatePath, KeyFile = KeyPath }, Cancel);
        Assert.StartsWith("https://127.0.0.1:", server.Url.ToString());
        await using FrameClient one = await (await FrameClient.ConnectAsync(server.Https!, thumbprint: first)).AuthenticateAsync();

        string second = WriteCertificate();
        FrameClient? two = null;
        // Looked for at most once a second.
        for (int i = 0; two is null; i++)
        {
            try
            {
                two = await FrameClient.ConnectAsync(server.Https!, thumbprint: second);
            }
            catch (System.Security.Authentication.AuthenticationException) when (i < 300)
            {
                await Task.Delay(100, Cancel);
            }
        }

        await using (two)
        {
            await two.AuthenticateAsync();
            // The connection with the old one lives on.
            await one.SendDatagramAsync(two.Id, [7]);
            Assert.Equal([7], (await two.ReceiveDatagramAsync()).Payload);
        }

        Assert.StartsWith("HTTP/1.1 204 ", await AskAsync(server.Http!, "GET /generate_204 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        Assert.StartsWith("HTTP/1.1 404 ", await AskAsync(server.Http!, "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    }

    [Fact]
    public async Task Metrics_are_shown_where_they_are_asked_for_and_nowhere_else()
    {
        await using RelayServer server = await RelayServer.StartAsync(new RelayServerOptions { Http = AnyPort, Metrics = AnyPort }, Cancel);
        await using FrameClient one = await (await FrameClient.ConnectAsync(server.Http!)).AuthenticateAsync();
        await one.SendDatagramAsync(one.Id, new byte[100]);
        await one.ReceiveDatagramAsync();
        string page = await AskAsync(server.Metrics!, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        Assert.Contains("# TYPE relayserver_accepts_total counter\nrelayserver_accepts_total 1\n", page);
        Assert.Contains("relayserver_bytes_recv_total 100\n", page);
        Assert.Contains("relayserver_clients 1\n", page);
        Assert.StartsWith("HTTP/1.1 404 ", await AskAsync(server.Http!, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    }

    [Fact]
    public async Task A_relay_is_served_within_another_app()
    {
        await using var relay = new RelayService(new RelayOptions());
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using WebApplication app = builder.Build();
        app.MapGet("/mine", () => "my own page");
        app.MapRelay(relay);
        await app.StartAsync(Cancel);
        var address = new IPEndPoint(IPAddress.Loopback, new Uri(app.Urls.First()).Port);
        await using FrameClient one = await (await FrameClient.ConnectAsync(address)).AuthenticateAsync();
        await one.PingAsync(5);
        Assert.Contains("my own page", await AskAsync(address, "GET /mine HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        await relay.DrainAsync(Cancel);
    }

    [Fact]
    public async Task A_full_relay_says_so()
    {
        await using RelayServer server = await StartAsync(new RelayOptions { ConnectionsMax = 1 });
        await using FrameClient one = await (await FrameClient.ConnectAsync(server.Http!)).AuthenticateAsync();
        string answer = await AskAsync(
            server.Http!, $"GET /relay HTTP/1.1\r\nHost: x\r\n{Upgrade}Sec-WebSocket-Protocol: iroh-relay-v2\r\n\r\n", upTo: "\n", thenMore: true);
        Assert.StartsWith("HTTP/1.1 503 ", answer);
    }

    [Fact]
    public async Task What_cannot_be_is_an_error_that_says_what_to_do()
    {
        await using RelayServer server = await StartAsync();
        RelayServerException taken = await Assert.ThrowsAsync<RelayServerException>(() => RelayServer.StartAsync(new RelayServerOptions { Http = server.Http }, Cancel));
        Assert.Contains($"{server.Http} cannot be bound", taken.Message);
        await Assert.ThrowsAsync<RelayServerException>(() => RelayServer.StartAsync(new RelayServerOptions(), Cancel));
        await Assert.ThrowsAsync<RelayServerException>(() => RelayServer.StartAsync(new RelayServerOptions { Https = AnyPort }, Cancel));
        RelayServerException missing = await Assert.ThrowsAsync<RelayServerException>(() => RelayServer.StartAsync(
            new RelayServerOptions { Https = AnyPort, CertificateFile = CertificatePath, KeyFile = KeyPath }, Cancel));
        Assert.Contains(CertificatePath, missing.Message);
        File.WriteAllText(CertificatePath, "nonsense");
        File.WriteAllText(KeyPath, "nonsense");
        RelayServerException nonsense = await Assert.ThrowsAsync<RelayServerException>(() => RelayServer.StartAsync(
            new RelayServerOptions { Https = AnyPort, CertificateFile = CertificatePath, KeyFile = KeyPath }, Cancel));
        Assert.Contains("PEM", nonsense.Message);
    }

    private string CertificatePath => Path.Combine(_folder, "cert.pem");

    private string KeyPath => Path.Combine(_folder, "key.pem");

    private static Task<RelayServer> StartAsync(RelayOptions? options = null) =>
        RelayServer.StartAsync(new RelayServerOptions { Http = AnyPort, Relay = options ?? new RelayOptions() }, Cancel);

    private string WriteCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=relay.test", key, HashAlgorithmName.SHA256);
        using X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        File.WriteAllText(KeyPath, key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(CertificatePath, certificate.ExportCertificatePem());
        return certificate.Thumbprint;
    }

    private static async Task<string> AskAsync(IPEndPoint address, string request, string? upTo = null, bool thenMore = false)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(address, Cancel);
        await socket.SendAsync(Encoding.ASCII.GetBytes(request), Cancel);
        var answer = new StringBuilder();
        byte[] buffer = new byte[4096];
        int read;
        while ((upTo is null || !answer.ToString().Contains(upTo)) && (read = await socket.ReceiveAsync(buffer, Cancel)) > 0)
            answer.Append(Encoding.UTF8.GetString(buffer, 0, read));
        // A short body comes with its head or right after it.
        while (thenMore && !HasBody(answer.ToString()) && (read = await socket.ReceiveAsync(buffer, Cancel)) > 0)
            answer.Append(Encoding.UTF8.GetString(buffer, 0, read));
        return answer.ToString();
    }

    private static bool HasBody(string answer) => answer.IndexOf("\r\n\r\n", StringComparison.Ordinal) is var end and > 0 && answer.Length > end + 4;
}
