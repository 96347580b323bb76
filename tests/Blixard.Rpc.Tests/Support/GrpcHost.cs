using System.Net;
using Blixard.Rpc.Grpc;
using Blixard.Rpc.Identity;
using Blixard.Rpc.Services;
using Microsoft.Extensions.Logging.Abstractions;

namespace Blixard.Rpc.Tests.Support;

/// <summary>The probe served with gRPC on a loopback port, and a caller for it.</summary>
internal sealed class GrpcHost : IAsyncDisposable
{
    public static readonly byte[] ServerSeed = [.. Enumerable.Repeat((byte)1, 32)];
    public static readonly byte[] ClientSeed = [.. Enumerable.Repeat((byte)2, 32)];

    private readonly GrpcServer _server;

    private GrpcHost(GrpcServer server, ProbeService probe, NodeCertificateSource certificate)
    {
        _server = server;
        Probe = probe;
        Certificate = certificate;
    }

    public ProbeService Probe { get; }

    public NodeCertificateSource Certificate { get; }

    public NodeCertificateSource ClientCertificate { get; } = new(ClientSeed, TimeProvider.System);

    public int Port => _server.LocalAddress!.Port;

    public static async Task<GrpcHost> StartAsync(TimeProvider? time = null, RpcAuthorizer? authorizer = null, string? socket = null)
    {
        var probe = new ProbeService(time, authorizer);
        var certificate = new NodeCertificateSource(ServerSeed, TimeProvider.System);
        var options = new GrpcServerOptions
        {
            Address = new IPEndPoint(IPAddress.Loopback, 0),
            Certificate = certificate,
            UnixSocketPath = socket,
        };
        GrpcServer server = await GrpcServer.StartAsync(options, probe.Dispatcher, NullLoggerFactory.Instance);
        return new GrpcHost(server, probe, certificate);
    }

    public GrpcCaller Caller(bool asNode = true, byte[]? expected = null, TimeProvider? time = null) => new(
        new GrpcCallerOptions
        {
            Address = $"127.0.0.1:{Port}",
            ExpectedEndpointId = expected ?? Certificate.EndpointId,
            Certificate = asNode ? ClientCertificate : null,
        },
        time ?? TimeProvider.System);

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        Probe.Dispose();
        Certificate.Dispose();
        ClientCertificate.Dispose();
    }
}
