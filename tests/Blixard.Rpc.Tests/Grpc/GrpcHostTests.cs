using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Blixard.Rpc.Calls;
using Blixard.Rpc.Grpc;
using Blixard.Rpc.Identity;
using Blixard.Rpc.Tests.Support;
using Blixard.Testing.Basics;

namespace Blixard.Rpc.Tests.Grpc;

/// <summary>Our caller and our server together, and callers that do not keep to gRPC.</summary>
public sealed class GrpcHostTests
{
    [Fact]
    public async Task Both_sides_prove_who_they_are()
    {
        await using GrpcHost host = await GrpcHost.StartAsync();
        using GrpcCaller caller = host.Caller();
        EchoResponse answer = await caller.CallAsync(ProbeMethods.Echo, new EchoRequest { Text = "hi" });
        Assert.Equal(Convert.ToHexStringLower(host.ClientCertificate.EndpointId), answer.Caller);
        Assert.Equal("Grpc", answer.Transport);
        Assert.False(answer.HasDeadline);
    }

    [Fact]
    public async Task A_caller_may_be_nobody()
    {
        await using GrpcHost host = await GrpcHost.StartAsync();
        using GrpcCaller caller = host.Caller(asNode: false);
        Assert.Equal("", (await caller.CallAsync(ProbeMethods.Echo, new EchoRequest())).Caller);
    }

    [Fact]
    public async Task A_server_that_is_another_node_gets_no_request()
    {
        await using GrpcHost host = await GrpcHost.StartAsync();
        using GrpcCaller caller = host.Caller(expected: host.ClientCertificate.EndpointId);
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => caller.CallAsync(ProbeMethods.Echo, new EchoRequest()));
        Assert.Equal(RpcStatusCode.Unavailable, e.StatusCode);
        Assert.Equal(RpcFailureStage.NotSent, e.Stage);
    }

    [Fact]
    public async Task A_port_that_nobody_serves_means_not_sent()
    {
        int port;
        await using (GrpcHost host = await GrpcHost.StartAsync())
            port = host.Port;
        using var caller = new GrpcCaller(new GrpcCallerOptions { Address = $"127.0.0.1:{port}" }, TimeProvider.System);
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => caller.CallAsync(ProbeMethods.Echo, new EchoRequest()));
        Assert.Equal(RpcStatusCode.Unavailable, e.StatusCode);
        Assert.Equal(RpcFailureStage.NotSent, e.Stage);
    }

    [Fact]
    public async Task The_servers_deadline_holds_for_a_caller_without_clock()
    {
        var time = new ManualTimeProvider();
        await using GrpcHost host = await GrpcHost.StartAsync(time);
        using HttpClient http = Http();
        Task<HttpResponseMessage> call = http.SendAsync(Request(host.Port, "/blixard.probe.v1.Probe/Hang", [0, 0, 0, 0, 0], ("grpc-timeout", "2S")));
        await host.Probe.Hanging.Task.WaitAsync(TimeSpan.FromSeconds(30));
        time.Advance(TimeSpan.FromSeconds(3));
        using HttpResponseMessage response = await call;
        Assert.Equal("4", Status(response));
        await host.Probe.GivenUp.Task;
    }

    [Fact]
    public async Task A_slow_reader_slows_the_handler_and_leaving_early_stops_it()
    {
        await using GrpcHost host = await GrpcHost.StartAsync();
        using GrpcCaller caller = host.Caller();
        const int Count = 100_000, Size = 10_000;
        await foreach (CountResponse _ in caller.StreamAsync(ProbeMethods.Count, new CountRequest { Count = Count, Size = Size }))
            break;
        await host.Probe.GivenUp.Task.WaitAsync(TimeSpan.FromSeconds(30));
        // The windows of HTTP/2 and of two sockets hold some megabytes of the gigabyte.
        Assert.InRange(host.Probe.Counted, 1, Count / 5);
    }

    [Fact]
    public async Task Stopping_the_server_fails_its_calls()
    {
        GrpcHost host = await GrpcHost.StartAsync();
        using GrpcCaller caller = host.Caller();
        Task<EchoResponse> call = caller.CallAsync(ProbeMethods.Hang, new EchoRequest());
        await host.Probe.Hanging.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await host.DisposeAsync();
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => call);
        Assert.Equal(RpcFailureStage.AwaitingResponse, e.Stage);
    }

    [Fact]
    public async Task The_unix_socket_serves_its_owner_as_local()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            string socket = Path.Combine(folder, "api.sock");
            await File.WriteAllTextAsync(socket, "left behind by a killed process");
            await using GrpcHost host = await GrpcHost.StartAsync(socket: socket);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(socket));
            using var caller = new GrpcCaller(new GrpcCallerOptions { UnixSocketPath = socket }, TimeProvider.System);
            Assert.Equal("Local", (await caller.CallAsync(ProbeMethods.Echo, new EchoRequest())).Transport);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData("application/json", 415)]
    [InlineData("application/grpc-web+proto", 415)]
    public async Task Another_content_type_is_not_served(string contentType, int status)
    {
        await using GrpcHost host = await GrpcHost.StartAsync();
        using HttpClient http = Http();
        HttpRequestMessage request = Request(host.Port, "/blixard.probe.v1.Probe/Echo", [0, 0, 0, 0, 0]);
        request.Content!.Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
        using HttpResponseMessage response = await http.SendAsync(request);
        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public async Task Another_method_than_POST_is_not_served()
    {
        await using GrpcHost host = await GrpcHost.StartAsync();
        using HttpClient http = Http();
        HttpRequestMessage request = Request(host.Port, "/blixard.probe.v1.Probe/Echo", []);
        request.Method = HttpMethod.Put;
        using HttpResponseMessage response = await http.SendAsync(request);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
    }

    [Theory]
    [InlineData("/blixard.probe.v1.Probe/Echo", "", "3")]
    [InlineData("/blixard.probe.v1.Probe/Echo", "00000000", "13")]
    [InlineData("/blixard.probe.v1.Probe/Echo", "0000000005AABB", "13")]
    [InlineData("/blixard.probe.v1.Probe/Echo", "0100000000", "13")]
    [InlineData("/blixard.probe.v1.Probe/Echo", "0700000000", "13")]
    [InlineData("/blixard.probe.v1.Probe/Echo", "00FFFFFFFF", "8")]
    [InlineData("/blixard.probe.v1.Probe/Echo", "00000000020AFF", "3")]
    [InlineData("/blixard.probe.v1.Probe/Echo", "00000000000000000000", "3")]
    [InlineData("/", "0000000000", "12")]
    [InlineData("/Echo", "0000000000", "12")]
    [InlineData("/a/b/c", "0000000000", "12")]
    public async Task Bad_paths_and_bodies_get_a_status(string path, string bodyHex, string status)
    {
        await using GrpcHost host = await GrpcHost.StartAsync();
        using HttpClient http = Http();
        using HttpResponseMessage response = await http.SendAsync(Request(host.Port, path, Convert.FromHexString(bodyHex)));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(status, Status(response));
    }

    [Theory]
    [InlineData("grpc-timeout", "soon", "3")]
    [InlineData("grpc-encoding", "gzip", "12")]
    [InlineData("grpc-encoding", "identity", "0")]
    [InlineData("tag-bin", "!", "3")]
    public async Task Bad_headers_get_a_status(string name, string value, string status)
    {
        await using GrpcHost host = await GrpcHost.StartAsync();
        using HttpClient http = Http();
        using HttpResponseMessage response = await http.SendAsync(
            Request(host.Port, "/blixard.probe.v1.Probe/Echo", [0, 0, 0, 0, 0], (name, value)));
        Assert.Equal(status, Status(response));
        if (value == "gzip")
            Assert.Equal("identity", response.Headers.GetValues("grpc-accept-encoding").Single());
    }

    [Fact]
    public async Task A_client_with_a_certificate_that_is_no_nodes_is_refused_in_the_handshake()
    {
        await using GrpcHost host = await GrpcHost.StartAsync();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 stranger = new CertificateRequest("CN=stranger", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using HttpClient http = Http(stranger);
        await Assert.ThrowsAsync<HttpRequestException>(() => http.SendAsync(Request(host.Port, "/blixard.probe.v1.Probe/Echo", [0, 0, 0, 0, 0])));
    }

    [Fact]
    public async Task A_server_without_node_certificate_is_refused_by_our_caller()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using X509Certificate2 stranger = new CertificateRequest("CN=stranger", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Task<bool> handshake = Task.Run(async () =>
        {
            using System.Net.Sockets.TcpClient client = await listener.AcceptTcpClientAsync();
            await using var tls = new SslStream(client.GetStream());
            try
            {
                await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
                {
                    ServerCertificate = stranger,
                    ApplicationProtocols = [SslApplicationProtocol.Http2],
                });
                // In TLS 1.3 the client's refusal comes after our own handshake is done.
                return await tls.ReadAsync(new byte[1]) > 0;
            }
            catch (Exception e) when (e is AuthenticationException or IOException)
            {
                return false;
            }
        });
        using var caller = new GrpcCaller(
            new GrpcCallerOptions
            {
                Address = $"127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}",
                ExpectedEndpointId = new byte[32],
            },
            TimeProvider.System);
        RpcException e = await Assert.ThrowsAsync<RpcException>(() => caller.CallAsync(ProbeMethods.Echo, new EchoRequest()));
        Assert.Equal(RpcFailureStage.NotSent, e.Stage);
        Assert.False(await handshake);
    }

    private static string Status(HttpResponseMessage response) =>
        (response.Headers.TryGetValues("grpc-status", out IEnumerable<string>? inHeaders) ? inHeaders : response.TrailingHeaders.GetValues("grpc-status")).Single();

    private static HttpClient Http(X509Certificate2? certificate = null)
    {
        var handler = new SocketsHttpHandler { UseProxy = false };
        handler.SslOptions.RemoteCertificateValidationCallback = static (_, shown, _, _) => shown is X509Certificate2 certificate
            && NodeCertificate.TryVerify(certificate, TimeProvider.System.GetUtcNow(), out byte[] _, out string _);
        if (certificate is not null)
            handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate;
        return new HttpClient(handler);
    }

    private static HttpRequestMessage Request(int port, string path, byte[] body, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"https://127.0.0.1:{port}{path}")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        foreach ((string name, string value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }
}
