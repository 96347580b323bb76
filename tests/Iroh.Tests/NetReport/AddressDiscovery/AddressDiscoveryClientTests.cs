using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;
using Blixard.Testing.Basics;
using Iroh.Base;
using Iroh.NetReport;
using Iroh.NetReport.AddressDiscovery;
using Iroh.Quic;
using Iroh.Relay.Server.AddressDiscovery;
using ClientOptions = Iroh.NetReport.AddressDiscovery.AddressDiscoveryOptions;
using ServerOptions = Iroh.Relay.Server.AddressDiscovery.AddressDiscoveryOptions;

namespace Iroh.Tests.NetReport.AddressDiscovery;

public sealed class AddressDiscoveryClientTests : IAsyncLifetime
{
    private readonly TestAuthority _authority = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("address-discovery-");
    private readonly QuicEndpoint _endpoint = QuicEndpoint.Create(new QuicEndpointOptions
    {
        LocalEndPoints = [new IPEndPoint(IPAddress.Loopback, 0)],
        PrivateKeySeed = new byte[32],
    });

    private AddressDiscoveryServer _server = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private int Port => _server.LocalEndPoints[0].Port;

    public async ValueTask InitializeAsync()
    {
        using X509Certificate2 certificate = _authority.Issue(["localhost", "127.0.0.1"]);
        string file = Path.Combine(_folder.FullName, "certificate.pem"), key = Path.Combine(_folder.FullName, "key.pem");
        await File.WriteAllTextAsync(file, certificate.ExportCertificatePem(), Stop);
        await File.WriteAllTextAsync(key, certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem(), Stop);
        _server = await AddressDiscoveryServer.StartAsync(
            new ServerOptions { Bind = [new IPEndPoint(IPAddress.Loopback, 0)], CertificateFile = file, KeyFile = key }, Stop);
    }

    public async ValueTask DisposeAsync()
    {
        await _endpoint.DisposeAsync();
        await _server.DisposeAsync();
        _authority.Dispose();
        _folder.Delete(recursive: true);
    }

    [Theory(Timeout = Patience.Test)]
    [InlineData("https://localhost")]
    [InlineData("https://127.0.0.1:8443")]
    public async Task A_relay_tells_the_address_of_the_endpoints_own_socket(string url)
    {
        await using var client = new AddressDiscoveryClient(_endpoint, new ClientOptions { CertificateChainPolicy = _authority.Trust });

        ObservedAddress observed = await client.ProbeAsync(Relay(url), AddressFamily.InterNetwork, Stop);

        Assert.Equal(_endpoint.LocalEndPoints[0], observed.Address);
        Assert.InRange(observed.RoundTrip, TimeSpan.FromTicks(1), TimeSpan.FromSeconds(30));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task The_first_connection_is_kept_and_answers_again_until_it_is_forgotten()
    {
        await using var client = new AddressDiscoveryClient(_endpoint, new ClientOptions { CertificateChainPolicy = _authority.Trust });
        for (int i = 0; i < 3; i++)
            await client.ProbeAsync(Relay("https://localhost"), AddressFamily.InterNetwork, Stop);

        // One for the first relay, which answered three times; that to the second was closed.
        await client.ProbeAsync(Relay("https://127.0.0.1"), AddressFamily.InterNetwork, Stop);
        await WaitAsync(() => _server.ConnectionCount == 1);
        await client.ForgetAsync();
        await WaitAsync(() => _server.ConnectionCount == 0);
        await client.ProbeAsync(Relay("https://localhost"), AddressFamily.InterNetwork, Stop);
        await WaitAsync(() => _server.ConnectionCount == 1);
        await client.DisposeAsync();
        await WaitAsync(() => _server.ConnectionCount == 0);
        await Assert.ThrowsAsync<ObjectDisposedException>(
            () => client.ProbeAsync(Relay("https://localhost"), AddressFamily.InterNetwork, Stop));
    }

    [Fact(Timeout = Patience.Test)]
    public async Task A_kept_connection_tells_when_the_nat_gives_the_socket_another_address()
    {
        await using var nat = new Translator(_server.LocalEndPoints[0]);
        var changes = Channel.CreateUnbounded<ObservedAddress>();
        var options = new ClientOptions();
        options = new ClientOptions
        {
            CertificateChainPolicy = _authority.Trust,
            Changed = (_, observed) => changes.Writer.TryWrite(observed),
            Connection = options.Connection with { KeepAliveInterval = TimeSpan.FromMilliseconds(50) },
        };
        await using var client = new AddressDiscoveryClient(_endpoint, options);
        RelayConfiguration relay = Relay("https://localhost") with { AddressDiscoveryPort = nat.Inside.Port };

        ObservedAddress first = await client.ProbeAsync(relay, AddressFamily.InterNetwork, Stop);
        Assert.Equal(nat.Outside, first.Address);
        nat.Rebind();
        ObservedAddress second = await changes.Reader.ReadAsync(Stop);

        Assert.Equal(nat.Outside, second.Address);
        Assert.NotEqual(first.Address, second.Address);
        Assert.Equal(nat.Outside, (await client.ProbeAsync(relay, AddressFamily.InterNetwork, Stop)).Address);
    }

    [Fact(Timeout = Patience.Test)]
    public async Task What_cannot_be_asked_is_told_in_a_sentence()
    {
        await using var client = new AddressDiscoveryClient(_endpoint, new ClientOptions { CertificateChainPolicy = _authority.Trust });
        await using var stranger = new AddressDiscoveryClient(_endpoint);
        using var silent = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));

        Assert.Contains("no socket", await ProblemAsync(client, Relay("https://localhost"), AddressFamily.InterNetworkV6), StringComparison.Ordinal);
        Assert.Contains("other family", await ProblemAsync(client, Relay("https://[::1]"), AddressFamily.InterNetwork), StringComparison.Ordinal);
        Assert.Contains("not trusted", await ProblemAsync(stranger, Relay("https://localhost"), AddressFamily.InterNetwork), StringComparison.Ordinal);
        Assert.Contains("no IPv4 address", await ProblemAsync(client, Relay("https://nobody.invalid"), AddressFamily.InterNetwork), StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentException>(
            () => client.ProbeAsync(Relay("https://localhost") with { AddressDiscoveryPort = null }, AddressFamily.InterNetwork, Stop));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.ProbeAsync(
            Relay("https://localhost") with { AddressDiscoveryPort = ((IPEndPoint)silent.Client.LocalEndPoint!).Port },
            AddressFamily.InterNetwork,
            limit.Token));

        static async Task<string> ProblemAsync(AddressDiscoveryClient client, RelayConfiguration relay, AddressFamily family) =>
            (await Assert.ThrowsAsync<ProbeException>(() => client.ProbeAsync(relay, family, Stop))).Message;
    }

    private static async Task WaitAsync(Func<bool> condition)
    {
        while (!condition())
            await Task.Delay(5, Stop);
    }

    private RelayConfiguration Relay(string url) => new(RelayUrl.Parse(url), Port);

    /// <summary>Carries datagrams between one client and a server, seen by the server at an address that can change.</summary>
    private sealed class Translator : IAsyncDisposable
    {
        private readonly UdpClient _inside = new(new IPEndPoint(IPAddress.Loopback, 0));
        private readonly IPEndPoint _server;
        private readonly List<Task> _carrying = [];
        private volatile UdpClient _outside = null!;
        private volatile IPEndPoint? _client;

        public Translator(IPEndPoint server)
        {
            _server = server;
            Rebind();
            _carrying.Add(CarryAsync(_inside, datagram =>
            {
                _client = datagram.RemoteEndPoint;
                return _outside.SendAsync(datagram.Buffer, datagram.Buffer.Length, _server);
            }));
        }

        public IPEndPoint Inside => (IPEndPoint)_inside.Client.LocalEndPoint!;

        public IPEndPoint Outside => (IPEndPoint)_outside.Client.LocalEndPoint!;

        public void Rebind()
        {
            UdpClient? old = _outside;
            _outside = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
            _carrying.Add(CarryAsync(_outside, datagram => _inside.SendAsync(datagram.Buffer, datagram.Buffer.Length, _client!)));
            old?.Dispose();
        }

        public async ValueTask DisposeAsync()
        {
            _inside.Dispose();
            _outside.Dispose();
            await Task.WhenAll(_carrying);
        }

        private static async Task CarryAsync(UdpClient from, Func<UdpReceiveResult, Task<int>> send)
        {
            while (true)
            {
                UdpReceiveResult datagram;
                try
                {
                    datagram = await from.ReceiveAsync();
                }
                catch (Exception exception) when (exception is ObjectDisposedException or SocketException)
                {
                    return;
                }

                try
                {
                    await send(datagram);
                }
                catch (Exception exception) when (exception is ObjectDisposedException or SocketException)
                {
                    // The other socket has gone in the meantime, and with it the datagram.
                }
            }
        }
    }
}
