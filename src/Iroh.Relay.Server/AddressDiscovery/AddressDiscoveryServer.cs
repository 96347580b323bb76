using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using Iroh.Quic;
using Iroh.Quic.Protocol.AddressDiscovery;
using Iroh.Quic.Protocol.Connections;
using Iroh.Relay.Server.Hosting;
using Iroh.Tls.Certificates;
using Microsoft.Extensions.Logging;

namespace Iroh.Relay.Server.AddressDiscovery;

/// <summary>
/// Tells clients over QUIC from which address their datagrams come (QUIC address discovery, "QAD"), which is how they learn what their
/// NAT has made of them. A connection carries nothing else: the report, and pings while the client keeps it.
/// </summary>
public sealed partial class AddressDiscoveryServer : IAsyncDisposable
{
    // What a client is told that does not get in; the code is the application's own, and clients only look at the address.
    private const ulong RefusedCode = 2;

    // A renewed certificate is good for weeks before the old one ends.
    private static readonly TimeSpan s_certificatePause = TimeSpan.FromSeconds(10);

    private readonly QuicEndpoint _endpoint;
    private readonly CertificateFiles _files;
    private readonly AddressTally _tally;
    private readonly AddressDiscoveryMetrics _metrics;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<QuicConnection, Task> _following = [];
    private readonly Task _accepting;
    private readonly Task _renewing;
    private SslStreamCertificateContext _shown;
    private bool _isDisposed;

    private AddressDiscoveryServer(AddressDiscoveryOptions options, CertificateFiles files, ILogger logger)
    {
        (_files, _logger) = (files, logger);
        _shown = files.Current;
        _endpoint = QuicEndpoint.Create(new QuicEndpointOptions
        {
            LocalEndPoints = options.Bind,
            PrivateKeySeed = RandomNumberGenerator.GetBytes(32), // Shown to nobody: all clients come for the certificate.
            ServerCertificate = Identify(_shown),
            CertificateProtocols = [Protocol],
            Connections = Connections,
            MeterFactory = options.Meters,
        });
        _tally = new AddressTally(options.ConnectionsMax, options.ConnectionsPerAddressMax);
        _metrics = new AddressDiscoveryMetrics(options.Meters, () => _tally.Count);
        _accepting = AcceptAsync();
        _renewing = RenewAsync(options.Time);
    }

    /// <summary>The application protocol (ALPN): <c>/iroh-qad/0</c>.</summary>
    public static ReadOnlyMemory<byte> Protocol { get; } = "/iroh-qad/0"u8.ToArray();

    /// <summary>The addresses it is bound to, with the ports that they got.</summary>
    public IReadOnlyList<IPEndPoint> LocalEndPoints => _endpoint.LocalEndPoints;

    /// <summary>Connections that are open now.</summary>
    public int ConnectionCount => _tally.Count;

    // Nothing but the report is carried, on one path, in packets that need no discovery of their size; the client keeps it alive.
    private static ConnectionConfiguration Connections => new()
    {
        AddressReports = AddressReports.Provide,
        ConcurrentPathsMax = 1,
        BidirectionalStreamsMax = 0,
        UnidirectionalStreamsMax = 0,
        MaxDatagramFrameSize = 0,
        MtuMax = 1200,
        KeepAliveInterval = TimeSpan.Zero,
        MaxIdleTimeout = TimeSpan.FromSeconds(35),
    };

    /// <summary>Binds and serves.</summary>
    /// <param name="options">Where and with what.</param>
    /// <param name="cancellationToken">Gives the start up.</param>
    /// <exception cref="RelayServerException">An option makes no sense, a file cannot be used, or an address cannot be bound.</exception>
    public static Task<AddressDiscoveryServer> StartAsync(AddressDiscoveryOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        cancellationToken.ThrowIfCancellationRequested();
        options.Validate();
        ILogger logger = options.Loggers.CreateLogger<AddressDiscoveryServer>();
        var files = new CertificateFiles(options.CertificateFile, options.KeyFile, options.Time, problem => LogCertificateProblem(logger, problem));
        try
        {
            var server = new AddressDiscoveryServer(options, files, logger);
            foreach (IPEndPoint address in server.LocalEndPoints)
                LogListening(logger, address);
            return Task.FromResult(server);
        }
        catch (QuicBindException exception)
        {
            throw new RelayServerException(exception.Message, exception);
        }
        catch (ArgumentException exception)
        {
            throw new RelayServerException($"{options.CertificateFile} cannot be used for address discovery: {exception.Message}", exception);
        }
    }

    /// <summary>Closes all connections, at most 3 s after which clients have not heard of it, and the sockets.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, true))
            return;
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _endpoint.DisposeAsync().ConfigureAwait(false);
        await Task.WhenAll([_accepting, _renewing, .. _following.Values]).ConfigureAwait(false);
        _metrics.Dispose();
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (await _endpoint.AcceptAsync().ConfigureAwait(false) is { } connection)
        {
            IPAddress address = connection.RemoteEndPoint.Address;
            if (_tally.TryAdd(address))
            {
                _metrics.CountAccepted();
                _following[connection] = FollowAsync(connection, address);
                if (connection.Closed.IsCompleted)
                    _following.TryRemove(connection, out _);
            }
            else
            {
                _metrics.CountRefused();
                LogRefused(_logger, address);
                await connection.CloseAsync(RefusedCode, "too many connections").ConfigureAwait(false);
            }
        }
    }

    private async Task FollowAsync(QuicConnection connection, IPAddress address)
    {
        await connection.Closed.ConfigureAwait(false);
        _tally.Remove(address);
        _following.TryRemove(connection, out _);
    }

    private async Task RenewAsync(TimeProvider time)
    {
        using var timer = new PeriodicTimer(s_certificatePause, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stopping.Token).ConfigureAwait(false))
                Renew();
        }
        catch (OperationCanceledException)
        {
        }
    }

    private void Renew()
    {
        SslStreamCertificateContext current = _files.Current;
        if (ReferenceEquals(current, _shown))
            return;
        _shown = current;
        try
        {
            _endpoint.SetServerCertificate(Identify(current));
            LogRenewed(_logger, current.TargetCertificate.NotAfter);
        }
        catch (ArgumentException exception)
        {
            LogCertificateProblem(_logger, $"The new certificate cannot be used for address discovery: {exception.Message} The old one stays in use.");
        }
    }

    private static CertificateIdentity Identify(SslStreamCertificateContext context) =>
        CertificateIdentity.Create(context.TargetCertificate, context.IntermediateCertificates);

    [LoggerMessage(EventId = 7020, EventName = "AddressDiscoveryListening", Level = LogLevel.Information, Message = "Address discovery listens on UDP {Address}")]
    private static partial void LogListening(ILogger logger, IPEndPoint address);

    [LoggerMessage(EventId = 7021, EventName = "AddressDiscoveryRefused", Level = LogLevel.Debug, Message = "Too many connections for address discovery, or too many from {Address}")]
    private static partial void LogRefused(ILogger logger, IPAddress address);

    [LoggerMessage(EventId = 7022, EventName = "AddressDiscoveryCertificateRenewed", Level = LogLevel.Information, Message = "Address discovery shows a new certificate, valid until {NotAfter}")]
    private static partial void LogRenewed(ILogger logger, DateTime notAfter);

    [LoggerMessage(EventId = 7023, EventName = "AddressDiscoveryCertificateProblem", Level = LogLevel.Error, Message = "{Problem}")]
    private static partial void LogCertificateProblem(ILogger logger, string problem);
}
