using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.Relay.Client;
using Iroh.Relay.Protocol;

namespace Iroh.Relay.Tests.Client;

public sealed class RelayConnectionTests
{
    private static readonly SecretKey s_key = SecretKey.FromBytes([.. Enumerable.Repeat((byte)1, 32)]);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory(Timeout = Patience.Test)]
    [InlineData(RelayVersion.V1)]
    [InlineData(RelayVersion.V2)]
    public async Task The_version_is_the_relays_choice(RelayVersion version)
    {
        await using var relay = new FakeRelay { Subprotocol = version.ToSubprotocol() };
        await using RelayConnection connection = await RelayConnection.ConnectAsync(Options(relay.Url), Cancel);
        Assert.Equal(version, connection.Version);
        Assert.Equal(relay.Port, connection.RemoteEndPoint!.Port);
        Assert.Equal(s_key.PublicKey, (await relay.NextClientAsync()).Id);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_relay_may_confirm_without_a_challenge()
    {
        await using var relay = new FakeRelay { SkipsChallenge = true };
        await using RelayConnection connection = await RelayConnection.ConnectAsync(Options(relay.Url), Cancel);
        await relay.NextClientAsync();
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Frames_go_both_ways_in_fragments_too_and_text_is_ignored()
    {
        await using var relay = new FakeRelay();
        await using RelayConnection connection = await RelayConnection.ConnectAsync(Options(relay.Url), Cancel);
        FakeRelayClient client = await relay.NextClientAsync();
        byte[] large = RandomNumberGenerator.GetBytes(RelayFrame.LengthMax);
        large[0] = (byte)RelayFrameType.RelayToClientDatagram;
        await connection.SendAsync(new byte[] { 1, 2, 3 }, Cancel);
        Assert.Equal([1, 2, 3], await client.NextMessageAsync());
        await connection.SendAsync(large, Cancel);
        Assert.Equal(large, await client.NextMessageAsync());
        await client.SendTextAsync("hello");
        await client.SendFragmentsAsync(large[..10], [], large[10..40_000], large[40_000..]);
        Assert.Equal(large, (await connection.ReceiveAsync(Cancel)).ToArray());
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_WebSocket_ping_is_answered_with_its_payload_whether_somebody_sends_or_not()
    {
        await using var relay = new FakeRelay();
        await using RelayConnection connection = await RelayConnection.ConnectAsync(Options(relay.Url), Cancel);
        FakeRelayClient client = await relay.NextClientAsync();
        await client.SendRawAsync([0x89, 0x02, 0x68, 0x69]);
        await client.SendAsync([1]);
        await connection.ReceiveAsync(Cancel);
        await client.UntilPongAsync("hi");
        await connection.SendAsync(new byte[] { 7 }, Cancel);
        Assert.Equal([7], await client.NextMessageAsync());
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Closing_says_goodbye()
    {
        await using var relay = new FakeRelay();
        RelayConnection connection = await RelayConnection.ConnectAsync(Options(relay.Url), Cancel);
        FakeRelayClient client = await relay.NextClientAsync();
        await connection.DisposeAsync();
        await client.SaidGoodbye.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_token_goes_into_the_request()
    {
        await using var relay = new FakeRelay();
        await using RelayConnection connection = await RelayConnection.ConnectAsync(Options(relay.Url, token: "s3cret"), Cancel);
        Assert.True(relay.Requests.TryDequeue(out string? request));
        Assert.Contains("\r\nauthorization: Bearer s3cret\r\n", request);
    }

    [Theory(Timeout = Patience.Test)]
    [InlineData("a b")]
    [InlineData("")]
    [InlineData("x\r\nHost: other")]
    public async Task A_token_that_is_no_header_value_is_refused_before_dialling(string token)
    {
        RelayConnectException failure = await FailAsync(Options(RelayUrl.Parse("http://127.0.0.1:1"), token: token));
        Assert.Equal(RelayFailure.Denied, failure.Failure);
        Assert.Contains("token", failure.Message);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_denial_carries_the_relays_reason()
    {
        await using var relay = new FakeRelay { Denial = "not on the list" };
        RelayConnectException failure = await FailAsync(Options(relay.Url));
        Assert.Equal(RelayFailure.Denied, failure.Failure);
        Assert.Contains("not on the list", failure.Message);
        Assert.Equal(relay.Url, failure.Relay);
    }

    [Theory(Timeout = Patience.Test)]
    [InlineData("HTTP/1.1 404 Not Found\r\n\r\nno such page", RelayFailure.NotARelay, "status 404: no such page")]
    [InlineData("HTTP/1.1 403 Forbidden\r\n\r\n", RelayFailure.Denied, "status 403")]
    [InlineData("220 mail.example.com ESMTP\r\n\r\n", RelayFailure.NotARelay, "does not answer in HTTP")]
    [InlineData("HTTP/1.1 200", RelayFailure.Unreachable, "ended the connection before it answered")]
    public async Task What_is_no_relay_says_what_it_is(string answer, RelayFailure kind, string message)
    {
        await using var relay = new FakeRelay { RefuseWith = answer };
        RelayConnectException failure = await FailAsync(Options(relay.Url));
        Assert.Equal(kind, failure.Failure);
        Assert.Contains(message, failure.Message);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task An_endless_header_is_cut_off()
    {
        await using var relay = new FakeRelay { RefuseWith = "HTTP/1.1 101 x\r\n" + new string('a', 20_000) };
        RelayConnectException failure = await FailAsync(Options(relay.Url));
        Assert.Equal(RelayFailure.NotARelay, failure.Failure);
    }

    [Theory(Timeout = Patience.Test)]
    [InlineData("iroh-relay-v2, iroh-relay-v1")]
    [InlineData(null)]
    public async Task A_relay_without_one_known_version_is_refused(string? subprotocol)
    {
        await using var relay = new FakeRelay { Subprotocol = subprotocol };
        Assert.Equal(RelayFailure.NotARelay, (await FailAsync(Options(relay.Url))).Failure);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Nobody_at_the_port_is_unreachable()
    {
        int port;
        using (var listener = new TcpListener(IPAddress.Loopback, 0))
        {
            listener.Start();
            port = ((IPEndPoint)listener.LocalEndpoint).Port;
        }

        RelayConnectException failure = await FailAsync(Options(RelayUrl.Parse($"http://127.0.0.1:{port}")));
        Assert.Equal(RelayFailure.Unreachable, failure.Failure);
        Assert.Contains($"127.0.0.1:{port}", failure.Message);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_relay_that_says_nothing_is_left_when_time_is_up()
    {
        await using var relay = new FakeRelay { IsMute = true };
        RelayConnectException failure = await FailAsync(
            new RelayClientOptions { Url = relay.Url, SecretKey = s_key, ConnectTimeout = TimeSpan.FromMilliseconds(300) });
        Assert.Equal(RelayFailure.TimedOut, failure.Failure);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Over_TLS_the_trailing_dot_stays_in_the_host_header_and_out_of_the_server_name()
    {
        using X509Certificate2 certificate = CreateCertificate("relay.example");
        await using var relay = new FakeRelay { Certificate = certificate };
        string? checkedAgainst = null;
        var options = new RelayClientOptions
        {
            Url = RelayUrl.Parse($"https://relay.example.:{relay.Port}/"),
            SecretKey = s_key,
            Resolve = (host, _) => Task.FromResult(host == "relay.example." ? new[] { IPAddress.Loopback } : []),
            CertificateValidation = (_, shown, _, errors) =>
            {
                checkedAgainst = shown!.GetCertHashString();
                // The name fits; only the issuer is nobody's.
                return errors == SslPolicyErrors.RemoteCertificateChainErrors;
            },
        };
        await using RelayConnection connection = await RelayConnection.ConnectAsync(options, Cancel);
        Assert.Equal("relay.example", Assert.Single(relay.ServerNames));
        Assert.Contains($"\r\nHost: relay.example.:{relay.Port}\r\n", Assert.Single(relay.Requests));
        Assert.Equal(certificate.GetCertHashString(), checkedAgainst);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_certificate_that_nobody_trusts_is_refused()
    {
        using X509Certificate2 certificate = CreateCertificate("localhost");
        await using var relay = new FakeRelay { Certificate = certificate };
        Assert.Equal(RelayFailure.TlsFailed, (await FailAsync(Options(relay.Url))).Failure);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_proxy_is_asked_for_the_relay_with_its_credentials()
    {
        await using var relay = new FakeRelay();
        using var proxy = new TcpListener(IPAddress.Loopback, 0);
        proxy.Start();
        Task<string> proxying = ProxyAsync(proxy, relay.Port);
        var options = new RelayClientOptions
        {
            Url = RelayUrl.Parse($"http://relay.example:{relay.Port}/"),
            SecretKey = s_key,
            Proxy = new Uri($"http://me:p%3Fw@127.0.0.1:{((IPEndPoint)proxy.LocalEndpoint).Port}"),
        };
        await using (RelayConnection connection = await RelayConnection.ConnectAsync(options, Cancel))
            Assert.Equal(s_key.PublicKey, (await relay.NextClientAsync()).Id);
        string request = await proxying;
        Assert.StartsWith($"CONNECT relay.example:{relay.Port} HTTP/1.1\r\n", request);
        Assert.Contains($"Proxy-Authorization: Basic {Convert.ToBase64String("me:p?w"u8)}\r\n", request);
    }

    private static RelayClientOptions Options(RelayUrl url, string? token = null) => new() { Url = url, SecretKey = s_key, Token = token };

    private static Task<RelayConnectException> FailAsync(RelayClientOptions options) =>
        Assert.ThrowsAsync<RelayConnectException>(async () => await (await RelayConnection.ConnectAsync(options, Cancel)).DisposeAsync());

    private static async Task<string> ProxyAsync(TcpListener listener, int port)
    {
        using TcpClient client = await listener.AcceptTcpClientAsync(Cancel);
        await using NetworkStream near = client.GetStream();
        byte[] buffer = new byte[4096];
        int length = 0;
        while (!Encoding.ASCII.GetString(buffer, 0, length).EndsWith("\r\n\r\n", StringComparison.Ordinal))
            length += await near.ReadAsync(buffer.AsMemory(length), Cancel);
        using var target = new TcpClient();
        await target.ConnectAsync(IPAddress.Loopback, port, Cancel);
        await using NetworkStream far = target.GetStream();
        await near.WriteAsync("HTTP/1.1 200 Connection established\r\n\r\n"u8.ToArray(), Cancel);
        try
        {
            await Task.WhenAny(near.CopyToAsync(far, Cancel), far.CopyToAsync(near, Cancel));
        }
        catch (IOException)
        {
            // One end was cut.
        }

        return Encoding.ASCII.GetString(buffer, 0, length);
    }

    private static X509Certificate2 CreateCertificate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }
}
