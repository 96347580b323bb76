using System.Net.Security;

namespace Iroh.NetReport;

/// <summary>How a <see cref="NetReporter"/> asks.</summary>
public sealed class NetReporterOptions
{
    /// <summary>
    /// Decides whether a relay's certificate is good; null, the default, for the system's rules. As for the connection to the relay.
    /// </summary>
    public RemoteCertificateValidationCallback? CertificateValidation { get; init; }

    /// <summary>The HTTP proxy through which relays are asked over HTTP, as the connection to the relay goes; null for none.</summary>
    public Uri? Proxy { get; init; }

    /// <summary>The clock; default: the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
