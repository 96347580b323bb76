using System.Net;
using Iroh.Cryptography;
using Iroh.Quic.Driving;
using Iroh.Quic.Protocol.Primitives;

namespace Iroh.Quic;

/// <summary>
/// One end of QUIC: bound UDP sockets over which connections are dialled and accepted, all with the same key. All members may be used
/// from any thread, several calls at once.
/// </summary>
public sealed class QuicEndpoint : IAsyncDisposable
{
    private readonly QuicEndpointOptions _options;
    private readonly QuicMetrics _metrics;
    private readonly AcceptQueue _accepting;
    private readonly EndpointDriver _driver;
    private readonly Lazy<Task> _disposal;

    private QuicEndpoint(QuicEndpointOptions options)
    {
        _options = options;
        _metrics = new QuicMetrics(options.MeterFactory);
        _accepting = new AcceptQueue(options.AcceptQueueLength);
        _driver = new EndpointDriver(options, _accepting, _metrics);
        _disposal = new Lazy<Task>(DisposeOnceAsync);
        LocalEndPoints = [.. _driver.LocalEndPoints];
        SetApplicationProtocols(options.ApplicationProtocols);
        Span<byte> publicKey = stackalloc byte[Ed25519.PublicKeyLength];
        Ed25519.DerivePublicKey(options.PrivateKeySeed.Span, publicKey);
        PublicKey = publicKey.ToArray();
    }

    /// <summary>The addresses the sockets are bound to, with their real ports.</summary>
    public IReadOnlyList<IPEndPoint> LocalEndPoints { get; }

    /// <summary>The 32-byte Ed25519 public key that peers see.</summary>
    public ReadOnlyMemory<byte> PublicKey { get; }

    /// <summary>Binds the sockets and starts to listen.</summary>
    /// <exception cref="QuicBindException">An address cannot be bound; the message says what to do.</exception>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public static QuicEndpoint Create(QuicEndpointOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var endpoint = new QuicEndpoint(options);
        endpoint._driver.Start();
        return endpoint;
    }

    /// <summary>
    /// Replaces the application protocols for which connections are accepted from now on. With an empty list clients are refused.
    /// Connections that are up or in their handshake are not touched.
    /// </summary>
    /// <param name="protocols">ALPN names, best first, 1 to 255 bytes each.</param>
    public void SetApplicationProtocols(IReadOnlyList<ReadOnlyMemory<byte>> protocols)
    {
        ArgumentNullException.ThrowIfNull(protocols);
        QuicEndpointOptions.ValidateProtocols(protocols);
        _driver.SetServer([.. protocols]);
    }

    /// <summary>Dials a peer and completes when the handshake has.</summary>
    /// <param name="options">Whom and how.</param>
    /// <param name="cancellationToken">Gives the attempt up.</param>
    /// <exception cref="QuicConnectionException">
    /// No connection came up: nobody answered in time, the peer refused or has another key, or no protocol is in common.
    /// </exception>
    /// <exception cref="ArgumentException">An option is out of its range, or all addresses are of a family without a socket.</exception>
    /// <exception cref="ObjectDisposedException">The endpoint was disposed.</exception>
    public async ValueTask<QuicConnection> ConnectAsync(QuicConnectOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        cancellationToken.ThrowIfCancellationRequested();
        NetworkAddress[] remotes = [.. options.RemoteEndPoints.Select(NetworkAddress.From).Where(_driver.CanReach).Distinct()];
        if (remotes.Length == 0)
            throw new ArgumentException("The endpoint has no socket for the family of any of the addresses.", nameof(options));

        ConnectionDriver driver = _driver.Connect(remotes, options);
        driver.Flush();
        QuicConnection connection = driver.Connection;
        try
        {
            await connection.Connected.WaitAsync(options.HandshakeTimeout, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            connection.Close(0, default);
            throw;
        }
        catch (TimeoutException)
        {
            connection.Close(0, default);
            throw new QuicConnectionException(new QuicCloseReason(QuicCloseKind.TimedOut, 0, "no answer to the handshake"));
        }

        return connection;
    }

    /// <summary>Waits for the next connection that a peer has dialled and whose handshake is complete.</summary>
    /// <returns>The connection; null once the endpoint is disposed.</returns>
    public ValueTask<QuicConnection?> AcceptAsync(CancellationToken cancellationToken = default) => _accepting.TakeAsync(cancellationToken);

    /// <summary>
    /// Closes every connection with code 0, waits until their peers had the time to hear of it, at most 3 seconds, then closes the
    /// sockets.
    /// </summary>
    public ValueTask DisposeAsync() => new(_disposal.Value);

    private async Task DisposeOnceAsync()
    {
        _accepting.Complete();
        await _driver.DisposeAsync().ConfigureAwait(false);
        _metrics.Dispose();
    }
}
