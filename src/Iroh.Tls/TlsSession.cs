using System.Diagnostics.CodeAnalysis;
using Iroh.Cryptography;
using Iroh.Tls.HandshakeMessages;

namespace Iroh.Tls;

/// <summary>
/// One TLS 1.3 handshake for QUIC (RFC 8446, RFC 9001 §4), either side, with raw Ed25519 public keys both ways (RFC 7250) or an X.509
/// certificate of the server alone. Bytes of CRYPTO frames go in, <see cref="TlsOutput"/> values come out; there is no record layer,
/// no I/O and no clock. Narrow on purpose: three suites, X25519 and P-256, no resumption, no 0-RTT, no client certificates. Not
/// thread-safe: one owner at a time.
/// </summary>
public sealed class TlsSession
{
    private readonly IHandshake _handshake;
    private readonly Queue<TlsOutput> _outputs;
    private readonly MessageAssembler _assembler = new();
    private readonly ClientHandshake? _client;
    private TlsFailure? _failure;

    private TlsSession(IHandshake handshake, Queue<TlsOutput> outputs)
    {
        _handshake = handshake;
        _client = handshake as ClientHandshake;
        _outputs = outputs;
    }

    /// <summary>Starts a client: its ClientHello is the first output.</summary>
    /// <param name="configuration">Must outlive the session unchanged, as the memory in it is not copied.</param>
    /// <param name="random">Used during the call only: 64 bytes for random and key share.</param>
    /// <exception cref="ArgumentException">The configuration is out of range.</exception>
    public static TlsSession CreateClient(TlsConfiguration configuration, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(random);
        configuration.Validate(isClient: true);
        var outputs = new Queue<TlsOutput>();
        return new TlsSession(new ClientHandshake(configuration, random, outputs), outputs);
    }

    /// <summary>Starts a server, which waits for the ClientHello.</summary>
    /// <param name="configuration">Must outlive the session unchanged, as the memory in it is not copied.</param>
    /// <param name="random">Used during the call only: 64 bytes for random and key share.</param>
    /// <exception cref="ArgumentException">The configuration is out of range.</exception>
    public static TlsSession CreateServer(TlsConfiguration configuration, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(random);
        configuration.Validate(isClient: false);
        var outputs = new Queue<TlsOutput>();
        return new TlsSession(new ServerHandshake(configuration, random, outputs), outputs);
    }

    /// <summary>Whether <see cref="TlsHandshakeComplete"/> has been put out (RFC 9001 §4.1.1).</summary>
    public bool IsHandshakeComplete => _failure is null && _handshake.IsComplete;

    /// <summary>
    /// The 32 bytes by which a key log names the handshake (NSS key log format); empty at a server before the ClientHello.
    /// </summary>
    public ReadOnlyMemory<byte> ClientRandom => _handshake.ClientRandom;

    /// <summary>
    /// Takes the next bytes of one level's CRYPTO stream, split anywhere. Afterwards drain <see cref="TryGetOutput"/>.
    /// </summary>
    /// <param name="level">The keys that the bytes came under.</param>
    /// <param name="data">In order and without gaps or repetitions; not kept.</param>
    /// <returns>
    /// Null if all is well; otherwise why the handshake has ended, the same again for every later call. Never throws for what
    /// a peer sends.
    /// </returns>
    public TlsFailure? HandleCrypto(EncryptionLevel level, ReadOnlySpan<byte> data)
    {
        while (_failure is null && !data.IsEmpty)
        {
            // RFC 9001 §4.1.3: bytes at a level whose messages have all come, or whose turn it is not yet.
            if (level != _handshake.ReadLevel)
            {
                _failure = new TlsFailure(
                    TlsAlert.UnexpectedMessage, $"handshake bytes at {level} instead of {_handshake.ReadLevel}");
                break;
            }

            _failure = _assembler.Take(ref data, out ReadOnlySpan<byte> message);
            if (_failure is null && !message.IsEmpty)
                _failure = _handshake.HandleMessage((HandshakeType)message[0], message);
        }

        if (_failure is not null || (_handshake.IsComplete && !_assembler.HasPartial))
            _assembler.Clear();
        return _failure;
    }

    /// <summary>
    /// Answers <see cref="TlsServerCertificate"/>: the server is whom the caller wanted. Afterwards drain <see cref="TryGetOutput"/>. Of
    /// no effect if no answer is awaited.
    /// </summary>
    /// <returns>Null if all is well; otherwise why the handshake has ended.</returns>
    public TlsFailure? AcceptCertificate()
    {
        if (_failure is not null || _client is null)
            return _failure;

        // Nothing may follow the server's Finished before this side's, as the keys for it are not out yet.
        if (_client.IsFinishedRead && _assembler.HasPartial)
            return _failure = new TlsFailure(TlsAlert.UnexpectedMessage, "handshake bytes after the server's Finished");
        _client.AcceptCertificate();
        return null;
    }

    /// <summary>Answers <see cref="TlsServerCertificate"/>: the handshake ends. Of no effect if it has ended or is complete.</summary>
    /// <param name="alert">One of <see cref="TlsAlert"/>, for the server.</param>
    /// <param name="reason">What was wrong, for people.</param>
    /// <returns>The end; null if the handshake was complete.</returns>
    public TlsFailure? RefuseCertificate(byte alert, string reason)
    {
        if (!_handshake.IsComplete)
            _failure ??= new TlsFailure(alert, reason) { Kind = TlsFailureKind.CertificateRefused };
        return _failure;
    }

    /// <summary>The next thing to do, in the order in which it must be done; false if there is none.</summary>
    public bool TryGetOutput([NotNullWhen(true)] out TlsOutput? output) => _outputs.TryDequeue(out output);
}
