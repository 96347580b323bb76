using System.Net;
using System.Net.Security;
using Iroh.Base;
using Iroh.Relay.Server.Hosting;
using Iroh.Relay.Server.Metrics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;

namespace Iroh.Relay.Server;

/// <summary>A relay with web servers of its own. To serve it within another ASP.NET Core app, see <see cref="RelayRoutes"/>.</summary>
public sealed partial class RelayServer : IAsyncDisposable
{
    // What pipes hold that nobody has looked at yet: one of the longest frames. A client that is over its rate holds no more than this.
    private const long RequestBufferBytes = 96 * 1024;

    // Probes and people look at pages; nobody has reason to send long headers.
    private const int HeadersBytesMax = 16 * 1024;

    // The longest body is a DNS query over HTTPS to a name server beside the relay.
    private const int RequestBodyBytesMax = 64 * 1024;

    // Together with the relay's own handshake, 30 s to get in.
    private static readonly TimeSpan s_requestLimit = TimeSpan.FromSeconds(10);

    private readonly List<OwnedWebServer> _servers;
    private bool _isStopped;

    private RelayServer(RelayService relay, List<OwnedWebServer> servers) => (Relay, _servers) = (relay, servers);

    /// <summary>The relay itself.</summary>
    public RelayService Relay { get; }

    /// <summary>Where plain HTTP is served, with the port that it got.</summary>
    public IPEndPoint? Http { get; private set; }

    /// <summary>Where HTTPS is served, with the port that it got.</summary>
    public IPEndPoint? Https { get; private set; }

    /// <summary>Where metrics are shown, with the port that it got.</summary>
    public IPEndPoint? Metrics { get; private set; }

    /// <summary>
    /// The URL for clients on this machine, or on any if the server is bound to one address: where all addresses are bound it names
    /// loopback.
    /// </summary>
    public RelayUrl Url => Https is not null ? UrlOf("https", Https) : UrlOf("http", Http!);

    /// <summary>Binds and serves.</summary>
    /// <param name="options">Where and how.</param>
    /// <param name="cancellationToken">Gives the start up.</param>
    /// <exception cref="RelayServerException">The options make no sense, a file cannot be read, or an address cannot be bound.</exception>
    public static async Task<RelayServer> StartAsync(RelayServerOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        ILogger logger = options.Relay.Loggers.CreateLogger<RelayServer>();
        CertificateFiles? certificate = options.Https is null
            ? null
            : new CertificateFiles(options.CertificateFile!, options.KeyFile!, options.Relay.Time, problem => LogFileProblem(logger, problem));
        var server = new RelayServer(new RelayService(options.Relay), []);
        try
        {
            await server.ListenAsync(options, certificate, cancellationToken).ConfigureAwait(false);
            return server;
        }
        catch (Exception)
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Ends the server in order: the addresses are free for a successor at once, clients are told and spread over up to 5 s
    /// (<see cref="RelayService.DrainAsync"/>).
    /// </summary>
    /// <param name="cancellationToken">Cuts it short.</param>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        if (_isStopped)
            return;
        _isStopped = true;
        using var drained = new CancellationTokenSource();
        // Web servers stop listening, then wait for their connections, which the relay ends.
        Task stopping = Task.WhenAll(_servers.Select(server => server.StopAsync(drained.Token)));
        await Relay.DrainAsync(cancellationToken).ConfigureAwait(false);
        await drained.CancelAsync().ConfigureAwait(false);
        await stopping.ConfigureAwait(false);
    }

    /// <summary>Breaks off what <see cref="StopAsync"/> has not ended.</summary>
    public async ValueTask DisposeAsync()
    {
        await Relay.DisposeAsync().ConfigureAwait(false);
        foreach (OwnedWebServer server in _servers)
            await server.DisposeAsync().ConfigureAwait(false);
    }

    private async Task ListenAsync(RelayServerOptions options, CertificateFiles? certificate, CancellationToken cancellationToken)
    {
        RelayOptions relay = options.Relay;

        void MapAll(IEndpointRouteBuilder routes)
        {
            routes.MapRelay(Relay);
            options.Routes?.Invoke(routes);
        }

        if (options.Https is { } https)
        {
            Https = await ListenAsync(https, relay, listen => UseCertificate(listen, certificate!), MapAll, cancellationToken).ConfigureAwait(false);
            if (options.Http is { } portal)
                Http = await ListenAsync(portal, relay, null, static routes => routes.MapCaptivePortalCheck(), cancellationToken).ConfigureAwait(false);
        }
        else
        {
            Http = await ListenAsync(options.Http!, relay, null, MapAll, cancellationToken).ConfigureAwait(false);
        }

        if (options.Metrics is { } metrics)
        {
            Metrics = await ListenAsync(
                metrics,
                relay,
                null,
                routes => routes.MapGet("/metrics", context =>
                {
                    context.Response.ContentType = RelayMetrics.ContentType;
                    return context.Response.WriteAsync(Relay.Metrics.Render(), context.RequestAborted);
                }),
                cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<IPEndPoint> ListenAsync(
        IPEndPoint address, RelayOptions options, Action<ListenOptions>? secure, Action<IEndpointRouteBuilder> map, CancellationToken cancellationToken)
    {
        void Configure(KestrelServerOptions kestrel)
        {
            // Whoever is to be refused for want of room still gets an answer.
            kestrel.Limits.MaxConcurrentConnections = options.ConnectionsMax + 1024L;
            kestrel.Limits.MaxRequestBodySize = RequestBodyBytesMax;
            kestrel.Limits.MaxRequestBufferSize = RequestBufferBytes;
            kestrel.Limits.MaxRequestHeadersTotalSize = HeadersBytesMax;
            kestrel.Limits.RequestHeadersTimeout = s_requestLimit;
            kestrel.Listen(address, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                secure?.Invoke(listen);
            });
        }

        try
        {
            OwnedWebServer server = await OwnedWebServer.StartAsync(Configure, map, options.Loggers, cancellationToken).ConfigureAwait(false);
            _servers.Add(server);
            return server.Bound(address);
        }
        catch (IOException exception)
        {
            string why = exception.InnerException is AddressInUseException ? "another program uses the port" : exception.Message;
            throw new RelayServerException($"{address} cannot be bound: {why}. Choose another address, or port 0 for any free port.", exception);
        }
    }

    private static void UseCertificate(ListenOptions listen, CertificateFiles certificate) => listen.UseHttps(new TlsHandshakeCallbackOptions
    {
        HandshakeTimeout = s_requestLimit,
        OnConnection = _ => new ValueTask<SslServerAuthenticationOptions>(new SslServerAuthenticationOptions
        {
            ServerCertificateContext = certificate.Current,
        }),
    });

    private static RelayUrl UrlOf(string scheme, IPEndPoint address)
    {
        IPAddress host = address.Address.Equals(IPAddress.Any) ? IPAddress.Loopback
            : address.Address.Equals(IPAddress.IPv6Any) ? IPAddress.IPv6Loopback
            : address.Address;
        return RelayUrl.Parse($"{scheme}://{new IPEndPoint(host, address.Port)}");
    }

    [LoggerMessage(EventId = 7010, EventName = "FileProblem", Level = LogLevel.Error, Message = "{Problem}")]
    private static partial void LogFileProblem(ILogger logger, string problem);
}
