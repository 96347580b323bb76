using System.Diagnostics.Metrics;
using System.Net;
using Iroh.Cryptography;
using Iroh.Quic.Protocol.Connections;
using Iroh.Tls.Certificates;

namespace Iroh.Quic;

/// <summary>What a <see cref="QuicEndpoint"/> is made from.</summary>
public sealed class QuicEndpointOptions
{
    /// <summary>
    /// The addresses to bind: one or two, of different families. Default: the unspecified IPv4 and IPv6 addresses with free ports.
    /// </summary>
    public IReadOnlyList<IPEndPoint> LocalEndPoints { get; init; } = [new(IPAddress.Any, 0), new(IPAddress.IPv6Any, 0)];

    /// <summary>The 32-byte Ed25519 seed of the key that this endpoint proves to own, when it dials and when it accepts.</summary>
    public required ReadOnlyMemory<byte> PrivateKeySeed { get; init; }

    /// <summary>
    /// The application protocols for which connections are accepted (ALPN), best first, 1 to 255 bytes each. Default: none, so that
    /// clients are refused until <see cref="QuicEndpoint.SetApplicationProtocols"/>.
    /// </summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> ApplicationProtocols { get; init; } = [];

    /// <summary>
    /// What is shown to clients that dial a host by its name instead of a key; null, the default, to refuse them. Can be replaced by
    /// <see cref="QuicEndpoint.SetServerCertificate"/>.
    /// </summary>
    public CertificateIdentity? ServerCertificate { get; init; }

    /// <summary>
    /// The application protocols for which clients are accepted that dial a host by its name, best first, 1 to 255 bytes each. They are of
    /// no use to clients with a key, and <see cref="ApplicationProtocols"/> is of none to those without. Default: none.
    /// </summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> CertificateProtocols { get; init; } = [];

    /// <summary>Limits and timers of every connection of this endpoint. Default: those of iroh.</summary>
    public ConnectionConfiguration Connections { get; init; } = new();

    /// <summary>
    /// How many incoming connections may be in their handshake or waiting for <see cref="QuicEndpoint.AcceptAsync"/>; clients on top of
    /// that are refused. 1 to 65536, default 1024.
    /// </summary>
    public int AcceptQueueLength { get; init; } = 1024;

    /// <summary>
    /// Whether every client has to show first that it receives at its address, which takes it another round trip (Retry, RFC 9000 §8.1.2).
    /// Default: only once a quarter of the places of <see cref="AcceptQueueLength"/> is taken, so that nobody fills them with forged
    /// addresses.
    /// </summary>
    public bool AlwaysRetries { get; init; }

    /// <summary>Carries datagrams for virtual addresses. Default: none, then they are lost. The endpoint does not dispose it.</summary>
    public IVirtualTransport? VirtualTransport { get; init; }

    /// <summary>Takes datagrams that are not QUIC. Default: none, then they are dropped.</summary>
    public IDatagramSink? OtherDatagrams { get; init; }

    /// <summary>Makes the meter "Iroh.Quic"; null, the default, for a meter that belongs to nobody else.</summary>
    public IMeterFactory? MeterFactory { get; init; }

    /// <summary>What a TLS message may say about protocols (see <see cref="Iroh.Tls.TlsConfiguration"/>): some two hundred names.</summary>
    private const int ProtocolBytesMax = 4096;

    /// <summary>Whether to use the sockets that work on every system even where there are better ones.</summary>
    internal bool UsePortableSockets { get; init; }

    /// <summary>Checks what the documentation of each member says.</summary>
    /// <exception cref="ArgumentException">A member is out of its range; the message names it.</exception>
    internal void Validate()
    {
        if (LocalEndPoints.Count is < 1 or > 2 || LocalEndPoints.DistinctBy(local => local.AddressFamily).Count() != LocalEndPoints.Count)
            throw new ArgumentException($"{nameof(LocalEndPoints)} has one or two addresses of different families.");
        if (PrivateKeySeed.Length != Ed25519.SeedLength)
            throw new ArgumentException($"{nameof(PrivateKeySeed)} has {Ed25519.SeedLength} bytes; these are {PrivateKeySeed.Length}.");
        if (AcceptQueueLength is < 1 or > 65536)
            throw new ArgumentException($"{nameof(AcceptQueueLength)} is between 1 and 65536; this is {AcceptQueueLength}.");
        ValidateProtocols(ApplicationProtocols);
        ValidateProtocols(CertificateProtocols);
        Connections.Validate();
    }

    internal static void ValidateProtocols(IReadOnlyList<ReadOnlyMemory<byte>> protocols)
    {
        if (protocols.Any(protocol => protocol.Length is < 1 or > 255))
            throw new ArgumentException("An application protocol's name has 1 to 255 bytes.", nameof(protocols));
        if (protocols.Sum(protocol => 1 + protocol.Length) > ProtocolBytesMax)
            throw new ArgumentException($"The names of application protocols have {ProtocolBytesMax} bytes at most together.", nameof(protocols));
    }
}
