using System.Net;
using Microsoft.AspNetCore.Routing;

namespace Iroh.Relay.Server;

/// <summary>Where a relay server listens. At least one of <see cref="Http"/> and <see cref="Https"/> is set.</summary>
public sealed record RelayServerOptions
{
    /// <summary>
    /// Where plain HTTP is served; port 0 is any free one. If <see cref="Https"/> is set, too, this is for the captive portal check alone,
    /// which clients make over plain HTTP on port 80.
    /// </summary>
    public IPEndPoint? Http { get; init; }

    /// <summary>Where HTTPS is served; port 0 is any free one. Needs <see cref="CertificateFile"/> and <see cref="KeyFile"/>.</summary>
    public IPEndPoint? Https { get; init; }

    /// <summary>PEM file with the certificate and those between it and its root. Read again when it changes.</summary>
    public string? CertificateFile { get; init; }

    /// <summary>PEM file with the certificate's private key. Read again when it changes.</summary>
    public string? KeyFile { get; init; }

    /// <summary>Where <c>/metrics</c> is shown over plain HTTP, to whoever asks; port 0 is any free one. Default: nowhere.</summary>
    public IPEndPoint? Metrics { get; init; }

    /// <summary>How clients are treated.</summary>
    public RelayOptions Relay { get; init; } = new();

    /// <summary>Maps what else is served at the relay's address, such as a name server.</summary>
    public Action<IEndpointRouteBuilder>? Routes { get; init; }

    /// <summary>Checks that the options fit together.</summary>
    /// <exception cref="RelayServerException">They do not.</exception>
    internal void Validate()
    {
        if (Http is null && Https is null)
            throw new RelayServerException("A relay server needs an address: for HTTP, for HTTPS, or both.");
        if (Https is not null && (CertificateFile is null || KeyFile is null))
            throw new RelayServerException("HTTPS needs a certificate and its private key, in PEM files.");
        if (Https is null && (CertificateFile is not null || KeyFile is not null))
            throw new RelayServerException("A certificate is of use only with an address for HTTPS.");
        Relay.Validate();
    }
}
