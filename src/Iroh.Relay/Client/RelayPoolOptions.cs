using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Security;
using Iroh.Base;
using Iroh.Cryptography;

namespace Iroh.Relay.Client;

/// <summary>How an endpoint connects to relays.</summary>
public sealed class RelayPoolOptions
{
    /// <summary>Proves to relays who this endpoint is.</summary>
    public required SecretKey SecretKey { get; init; }

    /// <summary>The access token of a relay, or null if it needs none; null: none needs one. Asked when a relay is first used.</summary>
    public Func<RelayUrl, string?>? TokenOf { get; init; }

    /// <summary>Decides about relays' certificates; null: what the operating system trusts, for the URL's host name.</summary>
    public RemoteCertificateValidationCallback? CertificateValidation { get; init; }

    /// <summary>An HTTP proxy (http://[user:password@]host:port) to go through with CONNECT; null: none.</summary>
    public Uri? Proxy { get; init; }

    /// <summary>How long one attempt may take, from name look-up to the end of the handshake; 10 s as in iroh.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A relay that is not to be kept is closed so long after the last datagram sent to it; 60 s as in iroh.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Looks up a host name; null: the operating system does.</summary>
    public Func<string, CancellationToken, Task<IPAddress[]>>? Resolve { get; init; }

    /// <summary>The clock of all timers.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where jitter and ping data come from, thread-safe; null: the operating system.</summary>
    public RandomSource? Random { get; init; }

    /// <summary>Makes the meter "Iroh.Relay"; null: a meter of its own.</summary>
    public IMeterFactory? MeterFactory { get; init; }
}
