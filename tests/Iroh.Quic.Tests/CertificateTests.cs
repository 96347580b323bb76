using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Blixard.Testing.Basics;
using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Connections;
using Iroh.Tls.Certificates;

namespace Iroh.Quic.Tests;

/// <summary>Clients that dial a host by its name, and endpoints that serve them with a certificate.</summary>
public sealed class CertificateTests : IDisposable
{
    private static readonly ReadOnlyMemory<byte> Named = "named/1"u8.ToArray();

    private readonly TestAuthority _authority = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => _authority.Dispose();

    [Theory(Timeout = Patience.Test)]
    [InlineData("P-256")]
    [InlineData("P-384")]
    [InlineData("RSA")]
    public async Task A_client_connects_to_the_host_that_it_names_and_both_talk(string key)
    {
        using X509Certificate2 certificate = _authority.Issue(["relay.example"], Key(key));
        await using QuicEndpoint server = Serve(certificate), client = EndpointPair.CreateEndpoint(2, IPAddress.Loopback);

        ValueTask<QuicConnection?> accept = server.AcceptAsync(Stop);
        QuicConnection near = await client.ConnectAsync(Dial(server, "relay.example."), Stop);
        QuicConnection far = (await accept)!;

        Assert.True(near.PeerPublicKey.IsEmpty);
        Assert.True(far.PeerPublicKey.IsEmpty);
        Assert.Equal(Named.ToArray(), near.ApplicationProtocol.ToArray());
        await near.SendDatagramAsync("hello"u8.ToArray(), Stop);
        Assert.Equal("hello"u8.ToArray(), await far.ReceiveDatagramAsync(Stop));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task An_address_can_be_named_too()
    {
        using X509Certificate2 certificate = _authority.Issue(["127.0.0.1"]);
        await using QuicEndpoint server = Serve(certificate), client = EndpointPair.CreateEndpoint(2, IPAddress.Loopback);

        await client.ConnectAsync(Dial(server, "127.0.0.1"), Stop);
    }

    [Theory(Timeout = Patience.Test)]
    [InlineData("another host", 0x12e, "is not for")]
    [InlineData("no trust", 0x130, "not trusted")]
    [InlineData("expired", 0x12d, "not trusted")]
    public async Task A_certificate_that_is_not_right_ends_the_handshake_at_both_ends(string fault, int code, string reason)
    {
        using X509Certificate2 certificate = _authority.Issue(
            ["relay.example"], until: fault == "expired" ? DateTimeOffset.UtcNow.AddDays(-1) : null);
        await using QuicEndpoint server = Serve(certificate), client = EndpointPair.CreateEndpoint(2, IPAddress.Loopback);
        using var stranger = new TestAuthority();
        QuicConnectOptions options = Dial(
            server, fault == "another host" ? "other.example" : "relay.example", fault == "no trust" ? stranger.Trust : _authority.Trust);

        QuicConnectionException failure = await Assert.ThrowsAsync<QuicConnectionException>(() => client.ConnectAsync(options, Stop).AsTask());

        Assert.Equal((QuicCloseKind.HandshakeFailed, (ulong)code), (failure.CloseReason.Kind, failure.CloseReason.Code));
        Assert.Contains(reason, failure.CloseReason.Reason, StringComparison.Ordinal);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_callback_has_the_last_word()
    {
        using X509Certificate2 certificate = _authority.Issue(["relay.example"]);
        await using QuicEndpoint server = Serve(certificate), client = EndpointPair.CreateEndpoint(2, IPAddress.Loopback);
        var seen = new List<SslPolicyErrors>();

        await client.ConnectAsync(WithCallback("other.example", () => true), Stop);
        QuicConnectionException refused = await Assert.ThrowsAsync<QuicConnectionException>(
            () => client.ConnectAsync(WithCallback("relay.example", () => false), Stop).AsTask());
        QuicConnectionException failed = await Assert.ThrowsAsync<QuicConnectionException>(
            () => client.ConnectAsync(WithCallback("relay.example", () => throw new InvalidOperationException("out of order")), Stop).AsTask());

        Assert.Equal([SslPolicyErrors.RemoteCertificateNameMismatch, SslPolicyErrors.None, SslPolicyErrors.None], seen);
        Assert.Contains("refused by the application", refused.CloseReason.Reason, StringComparison.Ordinal);
        Assert.Contains("out of order", failed.CloseReason.Reason, StringComparison.Ordinal);

        QuicConnectOptions WithCallback(string name, Func<bool> verdict) => new()
        {
            RemoteEndPoints = server.LocalEndPoints,
            ApplicationProtocols = [Named],
            ServerName = name,
            CertificateChainPolicy = _authority.Trust,
            CertificateValidationCallback = (_, shown, chain, errors) =>
            {
                Assert.Equal(certificate.RawData, ((X509Certificate2)shown!).RawData);
                Assert.NotEmpty(chain!.ChainElements);
                seen.Add(errors);
                return verdict();
            },
        };
    }

    [Fact(Timeout = Patience.Test)]
    public async Task One_endpoint_serves_keys_and_names_each_with_its_protocols()
    {
        using X509Certificate2 certificate = _authority.Issue(["relay.example"]);
        await using QuicEndpoint server = Serve(certificate, EndpointPair.Protocol);
        await using QuicEndpoint client = EndpointPair.CreateEndpoint(2, IPAddress.Loopback);

        QuicConnection keyed = await client.ConnectAsync(
            new QuicConnectOptions
            {
                RemoteEndPoints = server.LocalEndPoints,
                ApplicationProtocols = [EndpointPair.Protocol],
                ExpectedPeerPublicKey = server.PublicKey,
            },
            Stop);
        await client.ConnectAsync(Dial(server, "relay.example"), Stop);

        Assert.Equal(server.PublicKey.ToArray(), keyed.PeerPublicKey.ToArray());
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_new_certificate_counts_from_the_next_connection_on()
    {
        using X509Certificate2 first = _authority.Issue(["first.example"]), second = _authority.Issue(["second.example"]);
        await using QuicEndpoint server = Serve(first), client = EndpointPair.CreateEndpoint(2, IPAddress.Loopback);
        QuicConnection before = await client.ConnectAsync(Dial(server, "first.example"), Stop);

        server.SetServerCertificate(CertificateIdentity.Create(second));
        await client.ConnectAsync(Dial(server, "second.example"), Stop);
        await Assert.ThrowsAsync<QuicConnectionException>(() => client.ConnectAsync(Dial(server, "first.example"), Stop).AsTask());
        server.SetServerCertificate(null);
        await Assert.ThrowsAsync<QuicConnectionException>(() => client.ConnectAsync(Dial(server, "second.example"), Stop).AsTask());

        Assert.False(before.Closed.IsCompleted);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_client_learns_the_address_at_which_the_host_sees_it()
    {
        using X509Certificate2 certificate = _authority.Issue(["relay.example"]);
        await using QuicEndpoint server = Serve(certificate), client = EndpointPair.CreateEndpoint(2, IPAddress.Loopback);

        QuicConnection connection = await client.ConnectAsync(Dial(server, "relay.example"), Stop);

        Assert.Equal(client.LocalEndPoints[0], await connection.WaitForObservedAddressAsync(null, Stop));
        Assert.Equal(client.LocalEndPoints[0], connection.ObservedAddress);
        ValueTask<IPEndPoint> another = connection.WaitForObservedAddressAsync(connection.ObservedAddress, Stop);
        await connection.CloseAsync();
        await Assert.ThrowsAsync<QuicConnectionException>(() => another.AsTask());
    }

    [Fact(Timeout = Patience.Test)]
    public async Task Names_that_are_none_are_refused()
    {
        await using QuicEndpoint client = EndpointPair.CreateEndpoint(2, IPAddress.Loopback);
        foreach (string name in (string[])["", "a b", "ü.example"])
        {
            Assert.Throws<ArgumentException>(() => client.StartConnect(new QuicConnectOptions
            {
                RemoteEndPoints = [new IPEndPoint(IPAddress.Loopback, 9)],
                ApplicationProtocols = [Named],
                ServerName = name,
            }));
        }
    }

    private static AsymmetricAlgorithm Key(string name) => name switch
    {
        "P-256" => ECDsa.Create(ECCurve.NamedCurves.nistP256),
        "P-384" => ECDsa.Create(ECCurve.NamedCurves.nistP384),
        _ => RSA.Create(2048),
    };

    private static QuicEndpoint Serve(X509Certificate2 certificate, params ReadOnlyMemory<byte>[] protocols) =>
        QuicEndpoint.Create(new QuicEndpointOptions
        {
            LocalEndPoints = [new IPEndPoint(IPAddress.Loopback, 0)],
            PrivateKeySeed = EndpointPair.Seed(1),
            ApplicationProtocols = protocols,
            ServerCertificate = CertificateIdentity.Create(certificate),
            CertificateProtocols = [Named],
            Connections = new ConnectionConfiguration { AddressReports = AddressReports.Provide },
        });

    private QuicConnectOptions Dial(QuicEndpoint server, string name, X509ChainPolicy? trust = null) => new()
    {
        RemoteEndPoints = server.LocalEndPoints,
        ApplicationProtocols = [Named],
        ServerName = name,
        CertificateChainPolicy = trust ?? _authority.Trust,
        Connection = new ConnectionConfiguration { AddressReports = AddressReports.Receive },
    };
}
