using System.Net;
using Iroh.Cryptography;
using Iroh.Quic.Certificates;
using Iroh.Quic.Driving;
using Iroh.Quic.Protocol.Codec.Headers;
using Iroh.Quic.Protocol.Primitives;
using Iroh.Tls.Certificates;

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
        SetServerCertificate(options.ServerCertificate);
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

    /// <summary>
    /// Replaces what is shown from now on to clients that dial a host by its name, as when a certificate was renewed. Connections that are
    /// up or in their handshake are not touched.
    /// </summary>
    /// <param name="certificate">Null to refuse such clients.</param>
    public void SetServerCertificate(CertificateIdentity? certificate) => _driver.SetServerCertificate(certificate);

    /// <summary>Dials a peer and completes when the handshake has.</summary>
    /// <param name="options">Whom and how.</param>
    /// <param name="cancellationToken">Gives the attempt up.</param>
    /// <exception cref="QuicConnectionException">
    /// No connection came up: nobody answered in time, the peer refused or has another key, or no protocol is in common.
    /// </exception>
    /// <exception cref="ArgumentException">An option is out of its range, or all addresses are of a family without a socket.</exception>
    /// <exception cref="ObjectDisposedException">The endpoint was disposed.</exception>
    public ValueTask<QuicConnection> ConnectAsync(QuicConnectOptions options, CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return StartConnect(options).WaitAsync(cancellationToken);
    }

    /// <summary>Begins to dial a peer, for a caller that may learn of more addresses while it waits.</summary>
    /// <param name="options">Whom and how.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or all addresses are of a family without a socket.</exception>
    /// <exception cref="ObjectDisposedException">The endpoint was disposed.</exception>
    public QuicAttempt StartConnect(QuicConnectOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        NetworkAddress[] remotes =
            [.. options.RemoteEndPoints.Select(NetworkAddress.From).Concat(options.VirtualRemotes).Where(_driver.CanReach).Distinct()];
        if (remotes.Length == 0)
            throw new ArgumentException("The endpoint has no socket for the family of any of the addresses.", nameof(options));

        ConnectionDriver driver = _driver.Connect(remotes, options);
        if (options.ServerName is { } name)
            driver.Connection.CertificateCheck = new ServerCertificateCheck(name, options.CertificateChainPolicy, options.CertificateValidationCallback);
        driver.Flush();
        return new QuicAttempt(_driver, driver, options.HandshakeTimeout);
    }

    /// <summary>Takes what the <see cref="QuicEndpointOptions.VirtualTransport"/> has received.</summary>
    /// <param name="remote">The virtual address of the sender.</param>
    /// <param name="ecn">The mark they came with.</param>
    /// <param name="payload">Datagrams of <paramref name="segmentSize"/> bytes one after the other, the last may be shorter. They are decrypted
    /// in place; the buffer is the caller's again on return.</param>
    /// <param name="segmentSize">At least 1.</param>
    public void Deliver(NetworkAddress remote, EcnCodepoint ecn, Span<byte> payload, int segmentSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(segmentSize, 1);
        if (!remote.IsVirtual)
            throw new ArgumentException("Only datagrams of virtual addresses are delivered; those of IP addresses arrive by themselves.", nameof(remote));
        _driver.Deliver(new FourTuple(default, remote), ecn, payload, segmentSize);
    }

    /// <summary>Sends a datagram that is not QUIC from the endpoint's socket, such as a STUN request. It may get lost.</summary>
    /// <param name="path">Where to; the local address may be left out.</param>
    /// <param name="datagram">Its first byte has the bit 0x40 clear, so that no QUIC endpoint takes it for a packet.</param>
    /// <returns>False if the endpoint has no socket for the address's family.</returns>
    /// <exception cref="ArgumentException">The datagram is empty or looks like QUIC.</exception>
    public bool SendDatagram(FourTuple path, ReadOnlySpan<byte> datagram)
    {
        if (datagram.IsEmpty || (datagram[0] & PacketHeader.FixedBit) != 0)
            throw new ArgumentException("The first byte of a datagram that is not QUIC has the bit 0x40 clear (RFC 9443).", nameof(datagram));
        return _driver.SendOther(path, datagram);
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
