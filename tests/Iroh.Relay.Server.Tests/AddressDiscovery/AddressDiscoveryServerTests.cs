using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Blixard.Testing.Basics;
using Iroh.Quic;
using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Connections;
using Iroh.Relay.Server.AddressDiscovery;

namespace Iroh.Relay.Server.Tests.AddressDiscovery;

public sealed class AddressDiscoveryServerTests : IDisposable
{
    private readonly TestAuthority _authority = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("address-discovery-");
    private readonly ManualTimeProvider _time = new();

    private string CertificateFile => Path.Combine(_folder.FullName, "certificate.pem");

    private string KeyFile => Path.Combine(_folder.FullName, "key.pem");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _authority.Dispose();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_client_learns_its_address_and_can_open_no_stream()
    {
        Write(_authority.Issue(["relay.example"]));
        await using AddressDiscoveryServer server = await StartAsync();
        await using QuicEndpoint client = Client();

        QuicConnection connection = await client.ConnectAsync(Dial(server, "relay.example"), Stop);

        Assert.Equal(client.LocalEndPoints[0], await connection.WaitForObservedAddressAsync(null, Stop));
        Task<QuicStream> unidirectional = connection.OpenUnidirectionalStreamAsync(Stop).AsTask();
        Task<QuicStream> bidirectional = connection.OpenBidirectionalStreamAsync(Stop).AsTask();
        Assert.False(unidirectional.IsCompleted || bidirectional.IsCompleted);
        Assert.Equal(0, connection.MaxDatagramSize);
        await WaitAsync(() => server.ConnectionCount == 1);
        await connection.CloseAsync(1, "finished");
        await WaitAsync(() => server.ConnectionCount == 0);
        await Assert.ThrowsAsync<QuicConnectionException>(() => unidirectional);
        await Assert.ThrowsAsync<QuicConnectionException>(() => bidirectional);
    }

    [Fact]
    public async Task More_connections_than_there_may_be_from_one_address_are_closed()
    {
        Write(_authority.Issue(["relay.example"]));
        await using AddressDiscoveryServer server = await StartAsync(perAddress: 2);
        await using QuicEndpoint client = Client();

        QuicConnection[] connections =
        [
            await client.ConnectAsync(Dial(server, "relay.example"), Stop),
            await client.ConnectAsync(Dial(server, "relay.example"), Stop),
            await client.ConnectAsync(Dial(server, "relay.example"), Stop),
        ];

        Task<QuicCloseReason> ended = await Task.WhenAny(connections.Select(connection => connection.Closed)).WaitAsync(Stop);
        Assert.Equal(new QuicCloseReason(QuicCloseKind.ApplicationClosed, 2, "too many connections"), await ended);
        await WaitAsync(() => server.ConnectionCount == 2);
        Assert.Single(connections, connection => connection.Closed.IsCompleted);
    }

    [Fact]
    public async Task A_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_is_not()
    {
        Write(_authority.Issue(["first.example"]));
        await using AddressDiscoveryServer server = await StartAsync();
        await using QuicEndpoint client = Client();
        await client.ConnectAsync(Dial(server, "first.example"), Stop);

        Write(_authority.Issue(["second.example"], RSA.Create(2048)));
        await UntilShownAsync("second.example");
        await File.WriteAllTextAsync(CertificateFile, "nonsense", Stop);
        _time.Advance(TimeSpan.FromMinutes(1));
        await client.ConnectAsync(Dial(server, "second.example"), Stop);
        Write(_authority.Issue(["third.example"], ECDsa.Create(ECCurve.NamedCurves.nistP521)));
        _time.Advance(TimeSpan.FromMinutes(1));
        await client.ConnectAsync(Dial(server, "second.example"), Stop);
        Write(_authority.Issue(["fourth.example"]));
        await UntilShownAsync("fourth.example");

        async Task UntilShownAsync(string name)
        {
            while (true)
            {
                _time.Advance(TimeSpan.FromSeconds(11));
                try
                {
                    await client.ConnectAsync(Dial(server, name), Stop);
                    return;
                }
                catch (QuicConnectionException) when (!Stop.IsCancellationRequested)
                {
                    // The server looks at the files on a thread of its own.
                }
            }
        }
    }

    [Fact]
    public async Task Options_that_make_no_sense_are_refused_with_a_reason()
    {
        await Assert.ThrowsAsync<RelayServerException>(() => StartAsync()); // no files
        Write(_authority.Issue(["relay.example"], ECDsa.Create(ECCurve.NamedCurves.nistP521)));
        RelayServerException key = await Assert.ThrowsAsync<RelayServerException>(() => StartAsync());
        Assert.Contains("P-256", key.Message, StringComparison.Ordinal);
        Write(_authority.Issue(["relay.example"]));
        await Assert.ThrowsAsync<RelayServerException>(() => StartAsync(perAddress: 0));
        await using AddressDiscoveryServer server = await StartAsync();
        await Assert.ThrowsAsync<RelayServerException>(() => StartAsync(bind: server.LocalEndPoints[0]));
        await server.DisposeAsync();
    }

    private static QuicEndpoint Client() => QuicEndpoint.Create(new QuicEndpointOptions
    {
        LocalEndPoints = [new IPEndPoint(IPAddress.Loopback, 0)],
        PrivateKeySeed = new byte[32],
    });

    private static async Task WaitAsync(Func<bool> condition)
    {
        while (!condition())
            await Task.Delay(5, Stop);
    }

    private void Write(X509Certificate2 certificate)
    {
        using (certificate)
        {
            AsymmetricAlgorithm key = (AsymmetricAlgorithm?)certificate.GetECDsaPrivateKey() ?? certificate.GetRSAPrivateKey()!;
            File.WriteAllText(KeyFile, key.ExportPkcs8PrivateKeyPem());
            File.WriteAllText(CertificateFile, certificate.ExportCertificatePem());
        }
    }

    private Task<AddressDiscoveryServer> StartAsync(int perAddress = 512, IPEndPoint? bind = null) => AddressDiscoveryServer.StartAsync(
        new AddressDiscoveryOptions
        {
            Bind = [bind ?? new IPEndPoint(IPAddress.Loopback, 0)],
            CertificateFile = CertificateFile,
            KeyFile = KeyFile,
            ConnectionsPerAddressMax = perAddress,
            Time = _time,
        },
        Stop);

    private QuicConnectOptions Dial(AddressDiscoveryServer server, string name) => new()
    {
        RemoteEndPoints = server.LocalEndPoints,
        ApplicationProtocols = [AddressDiscoveryServer.Protocol],
        ServerName = name,
        CertificateChainPolicy = _authority.Trust,
        Connection = new ConnectionConfiguration { AddressReports = AddressReports.Receive },
    };
}
